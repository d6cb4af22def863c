//! How rows become blocks, and how much memory they have.

use populace_pool::Bytes;

use crate::history::block::HEADER_BYTES;
use crate::history::{History, Row};
use crate::memory::page_bytes;
use crate::{Error, ErrorKind, Result};

/// Bodies are about this long, so that the libraries' tables stay small and an agent's past is read
/// without unpacking much of its neighbours'.
const BODY_BYTES: usize = 64 << 10;

/// Rows of a block as numbers of 4 bytes are at least this long: its header is no more than 1 %.
const RAW_BYTES: usize = 100 * HEADER_BYTES;

/// Into how many blocks the ticks are cut at least, where that does not make them too short.
const BLOCKS: u64 = 4;

/// The blocks of a ring for which there is always room, whatever they hold: the one that the open
/// rows become, and one before it.
pub(super) const LEAST_BLOCKS: u64 = 2;

/// Rings of a population whose agents come and go have places for at least so many ids, so that a few
/// agents that are spawned one by one do not each have a ring.
const RING_AGENTS: usize = 1024;

/// How rows become blocks, and how much memory they have.
pub(crate) struct Terms {
    pub(super) settings: History,
    pub(super) row: Row,
    /// Whether agents come and go.
    pub(super) changes: bool,
    /// For how many ids the rings are that were there before this run was resumed.
    pub(super) ring_agents: Option<usize>,
    /// What all history may take, and what the rings there are would take at least and at most, in
    /// bytes.
    pub(super) room_bytes: u64,
    pub(super) least_bytes: u128,
    pub(super) most_bytes: u128,
}

impl Terms {
    /// Ticks of a block of so many agents.
    pub(super) fn block_ticks(&self, agents: usize) -> usize {
        let least = RAW_BYTES.div_ceil((agents * self.row.raw_bytes()).max(1));
        let most = 8 * BODY_BYTES / (agents * self.row.bits()).max(1);
        let few = usize::try_from(self.settings.ticks.div_ceil(BLOCKS)).unwrap_or(usize::MAX);
        few.clamp(least, most.max(least))
    }

    /// Words of open planes of so many agents.
    pub(super) fn open_words(&self, agents: usize) -> usize {
        (self.block_ticks(agents) * agents * self.row.bits()).div_ceil(64)
    }

    /// The most that a block of so many agents takes, in bytes.
    pub(super) fn most_block_bytes(&self, agents: usize) -> usize {
        HEADER_BYTES + (self.block_ticks(agents) * agents * self.row.bits()).div_ceil(8)
    }

    /// The first tick that can be asked about after `now` ticks.
    pub(super) fn oldest(&self, now: u64) -> u64 {
        now.saturating_sub(self.settings.ticks)
    }

    /// The part of the room that a ring of so many agents has, in bytes: its least, and of what it
    /// would take beyond that the share that there is. The parts of all rings add up to the room at
    /// most.
    pub(super) fn part_bytes(&self, agents: usize) -> u64 {
        let (least, most) = (self.ring_bytes(agents, LEAST_BLOCKS), self.most_ring_bytes(agents));
        let room = u128::from(self.room_bytes);
        let part = if room >= self.most_bytes {
            most
        } else if room >= self.least_bytes {
            let (spare, wanted) = (room - self.least_bytes, self.most_bytes - self.least_bytes);
            least + share(spare, most - least, wanted)
        } else {
            share(room, least, self.least_bytes)
        };
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// The most blocks that a ring of so many agents has at once.
    pub(super) fn most_blocks(&self, agents: usize) -> u64 {
        let whole = self.settings.ticks.div_ceil(self.block_ticks(agents) as u64);
        whole.saturating_add(1).max(LEAST_BLOCKS)
    }

    /// What a ring of so many agents and blocks takes at most, in bytes.
    pub(super) fn ring_bytes(&self, agents: usize, blocks: u64) -> u128 {
        let pages = |bytes: usize| u128::from((bytes as u64).next_multiple_of(page_bytes()));
        let block = pages(self.most_block_bytes(agents));
        pages(8 * self.open_words(agents)) + u128::from(blocks) * block
    }

    pub(super) fn most_ring_bytes(&self, agents: usize) -> u128 {
        self.ring_bytes(agents, self.most_blocks(agents))
    }

    /// How many ids the rings of a population in chunks of so many agents are for.
    pub(super) fn ring_agents(&self, chunk: usize) -> usize {
        let rings = if self.changes { chunk.max(RING_AGENTS) } else { chunk };
        self.ring_agents.unwrap_or(rings)
    }

    /// The sum of what the rings of so many agents take, each of them what `ring` answers, in bytes.
    pub(super) fn sum(&self, agents: u64, chunk: usize, ring: impl Fn(usize) -> u128) -> u128 {
        let size = self.ring_agents(chunk);
        let rest = match (agents % size as u64) as usize {
            0 => 0,
            _ if self.changes => ring(size),
            rest => ring(rest),
        };
        u128::from(agents / size as u64) * ring(size) + rest
    }

    pub(super) fn sum_of_least(&self, agents: u64, chunk: usize) -> u128 {
        self.sum(agents, chunk, |agents| self.ring_bytes(agents, LEAST_BLOCKS))
    }

    /// Refuses a bound that two blocks a ring do not keep to.
    pub(super) fn check(&self, agents: u64, chunk: usize) -> Result<()> {
        let least = self.sum_of_least(agents, chunk);
        match self.settings.bytes {
            Some(bytes) if u128::from(bytes) < least => {
                let bytes = Bytes(bytes);
                let least = Bytes(u64::try_from(least).unwrap_or(u64::MAX));
                let message = format!(
                    "history: {bytes} is too little, {agents} agents need {least} at least"
                );
                Err(Error::new(ErrorKind::Budget, message))
            }
            _ => Ok(()),
        }
    }

    /// The most that a body of at most so many agents takes before it is compressed, in bytes.
    pub(super) fn most_body_bytes(&self, agents: usize) -> usize {
        // Blocks of fewer agents have more ticks; they end within a row of BODY_BYTES, or with the
        // row that makes RAW_BYTES.
        BODY_BYTES.max(RAW_BYTES + agents * self.row.bits().div_ceil(8))
    }
}

/// ⌊`room` · `part` / `whole`⌋ or a little less, for `room` < `whole`.
fn share(room: u128, part: u128, whole: u128) -> u128 {
    // Shifted so that no number of ticks makes the product overflow.
    let shift = (u128::BITS - whole.leading_zeros()).saturating_sub(62);
    (part >> shift) * room / ((whole >> shift) + u128::from(shift > 0)).max(1)
}
