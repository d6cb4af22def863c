//! What was done to store beliefs in less memory than each in the form that was asked for.
//!
//! The steps are taken in this order, each only where the one before does not do:
//!
//! 1. Records are compact: rewritten by every tick, without gaps; what a chunk has outgrown goes back.
//! 2. Equal records of a chunk stand once, where that pays (`tick/storing.rs`).
//! 3. Beliefs go down a tier, where the user allows it and a chunk would take more than its share.
//! 4. Agents go to disk, where the user gives a directory.
//! 5. The run stops, between ticks, with all agents as they were.
//!
//! The first two and the fourth change no trajectory. Agents that come and go are not demoted: a record
//! would have to take its tier along to wherever its agent goes.

use crate::chunk::{Chunk, ChunkLayout};

/// What was done to store beliefs in less memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Economies {
    /// Agents in chunks that store equal beliefs once, now.
    pub sharing_agents: u64,
    /// How many records they have together.
    pub shared_records: u64,
    /// Agents whose beliefs are in a lower tier than was asked for, now.
    pub demoted_agents: u64,
    /// How many times an agent's beliefs were stored so, at most once a tick; of a plan, in a tick.
    pub demotions: u64,
}

impl Economies {
    /// Counts the agents of a chunk.
    pub(crate) fn count(&mut self, layout: &ChunkLayout, chunk: &Chunk) {
        let (_, stream) = chunk.contents(layout);
        let form = layout.form(stream);
        let agents = chunk.len() as u64;
        if form.shared {
            self.sharing_agents += agents;
            self.shared_records += crate::chunk::form::records(stream, chunk.len());
        }
        if form.tier > 0 {
            self.demoted_agents += agents;
        }
    }
}
