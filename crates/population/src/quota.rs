//! How much a chunk's records may take, where beliefs can be demoted or agents have a limit.
//!
//! The budget is shared out by the agent, once and for all: of what the worst case in the lowest tier
//! leaves, a chunk may take the part of its agents. A chunk that would take more stores this tick's
//! beliefs in the next tier below, and so on. Hence
//!
//! ```text
//! Σ over chunks of max(quota, worst case in the lowest tier) ≤ what the budget leaves for chunks
//! ```
//!
//! so that a tick is never refused memory; and who is demoted depends on the chunk's own agents alone:
//! not on which thread came first, nor on how full memory was at that moment.

use crate::chunk::{ChunkLayout, WORD};
use crate::memory::page_bytes;

/// What the records of chunks may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    /// What chunks may map beyond their worst case in the lowest tier, in bytes, and of how many agents
    /// together.
    pub(crate) spare_bytes: u64,
    pub(crate) agents: u64,
    /// What an agent may have of its own, in bytes.
    pub(crate) agent_bytes: u64,
}

impl Quota {
    /// No bound at all: whatever can be needed was admitted.
    pub(crate) const NONE: Self = Self { spare_bytes: u64::MAX, agents: 1, agent_bytes: u64::MAX };

    /// The most words of stream that a chunk of `len` agents is to have.
    pub(crate) fn words(&self, layout: &ChunkLayout, len: usize) -> usize {
        let most = layout.most_words(len);
        if self.spare_bytes == u64::MAX {
            return most;
        }
        let part = u128::from(self.spare_bytes) * len as u128 / u128::from(self.agents.max(1));
        let bytes =
            u128::from(layout.most_bytes(len)) + part - u128::from(layout.mapped_bytes(len, 0));
        let bytes = bytes / u128::from(page_bytes()) * u128::from(page_bytes());
        usize::try_from(bytes / WORD as u128).unwrap_or(usize::MAX).min(most)
    }

    /// The most bytes of an agent's record.
    pub(crate) fn record_bytes(&self, layout: &ChunkLayout) -> usize {
        let bytes = self.agent_bytes.saturating_sub(layout.column_bytes(1) as u64);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}
