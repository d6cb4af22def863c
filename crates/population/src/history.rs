//! What agents observed and did, kept as long as it is asked for and there is room.
//!
//! ```text
//! tick ──▶ rows of a chunk ──▶ bit planes, open ──▶ block: header, compressed body ──▶ ring
//! ```
//!
//! A [`Row`] is what one agent has of one tick: its outcomes, its action, and a summary of its beliefs
//! where that is asked for. Rows of agents whose ids follow each other gather in bit planes,
//! uncompressed, until they make a [`Block`], which is compressed and kept in their ring. A ring is of
//! ids, not of a chunk: wherever its agents are moved, and whether they rest or are gone, their past
//! stays. Blocks leave it oldest first: because their ticks are too old, or because there is no room.
//!
//! History has what memory the worst case of everything else leaves of the budget, and never more;
//! where agents come later and would be refused, it gives way first. Only the open planes and room for
//! two blocks a ring are asked for beforehand.
//!
//! Invariants:
//!
//! - what a block takes ≤ 4 bytes a number + 1 %, where all agents of its ring are stepped (a body that
//!   would not shrink is kept as it is; who is not stepped has zeros there);
//! - before a tick, bytes of a ring + its next block in the worst case ≤ its part of the room, so that
//!   within a tick blocks only come, and none has to go for another;
//! - nothing here is read by a step: trajectories are the same with and without.

mod archive;
mod bits;
mod block;
mod codec;
mod planes;
mod reader;
mod ring;
mod room;
mod row;
mod stored;
mod summary;
mod terms;
#[cfg(test)]
mod tests;
mod writer;

use serde::{Deserialize, Serialize};

pub(crate) use archive::Archive;
pub use block::{Block, HEADER_BYTES};
pub use codec::Codec;
pub use reader::Reader;
pub(crate) use ring::Deeds;
pub use row::Row;
pub use summary::BeliefSummary;
pub(crate) use writer::Writer;

/// What is kept of the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// How many of the last ticks can be asked about.
    pub ticks: u64,
    /// The most memory that it takes, in bytes; `None` is whatever the worst case of the run leaves
    /// of the budget. The oldest ticks go first.
    pub bytes: Option<u64>,
    /// What it is compressed with.
    pub codec: Codec,
    /// Whether a [`BeliefSummary`] a factor is kept too.
    pub beliefs: bool,
}

impl Default for History {
    fn default() -> Self {
        Self { ticks: 100, bytes: None, codec: Codec::default(), beliefs: false }
    }
}

/// What one agent observed and did: a row a tick, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Past {
    /// The ticks that are there, from 0: those in which the agent was stepped.
    pub ticks: Vec<u64>,
    /// What it observed, (ticks, modalities); −1 is nothing.
    pub observations: Vec<i32>,
    /// What it chose to do, (ticks, factors), flat per factor.
    pub actions: Vec<i32>,
    /// What it then believed, (ticks, factors); empty unless asked for.
    pub beliefs: Vec<BeliefSummary>,
}

/// How much history there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistoryTotals {
    /// Of how many of the last ticks everything is there, for all agents.
    pub ticks: u64,
    /// Closed blocks.
    pub blocks: u64,
    /// What the rows of closed blocks would take as numbers of 4 bytes, in bytes.
    pub raw_bytes: u64,
    /// What closed blocks take, headers included, in bytes.
    pub stored_bytes: u64,
    /// What the rows that no block was made of yet take, in bytes.
    pub open_bytes: u64,
    /// Blocks that had to go, or could not be made, for want of room.
    pub dropped: u64,
}

impl HistoryTotals {
    /// How much smaller blocks are than their numbers; 1 where there is no block yet.
    pub fn ratio(&self) -> f64 {
        if self.stored_bytes == 0 { 1.0 } else { self.raw_bytes as f64 / self.stored_bytes as f64 }
    }
}
