//! How large a population is: its chunks, and what it needs in the worst case, before it has an agent.

use populace_agent::{CompiledModel, Planner};

use super::Population;
use crate::Settings;
use crate::checkpoint::store_bytes;
use crate::chunk::ChunkLayout;
use crate::error::Holders;
use crate::history::Archive;
use crate::image::most_image_bytes;
use crate::members::MEMBER_BYTES;
use crate::memory::{most_idle_bytes, page_bytes};
use crate::quota::Quota;
use crate::record::Number;

/// A chunk's records are at most about this long in the worst case, so that a chunk in work stays in
/// a core's cache.
const CHUNK_BYTES: usize = 1 << 20;

/// The most agents of a chunk that the engine chooses.
const CHUNK_AGENTS: usize = 4096;

impl<T: Number> Population<T> {
    /// What the worst case leaves for chunks of `agents` agents, in bytes; without bound where they
    /// were admitted, all of them.
    pub(super) fn free_for_chunks(&self, agents: u64) -> u64 {
        match self.spill {
            Some(_) => {
                let history = self.history.as_ref().map_or(0, Archive::room_bytes);
                let free = self.memory.free_bytes().saturating_sub(most_idle_bytes(agents));
                free.saturating_sub(history)
            }
            None => u64::MAX,
        }
    }

    /// What has to be kept free for the store of checkpoints of `agents` agents.
    pub(crate) fn store_bytes(&self, agents: u64) -> u64 {
        let images = most_image_bytes(&self.layout, self.chunk_agents) as u128;
        let chunks = agents.div_ceil(self.chunk_agents as u64);
        // Who comes later is in memory, in no more than the budget, or at rest.
        let later = if self.changes() { 2 * u128::from(self.budget_bytes) } else { 0 };
        store_bytes((images * u128::from(chunks)).max(later)).next_multiple_of(page_bytes())
    }

    /// The same, where checkpoints will be written.
    pub(super) fn kept_free(&self, agents: u64) -> u64 {
        if self.checkpoint { self.store_bytes(agents) } else { 0 }
    }

    /// Bytes of one row of the kept arrays.
    fn kept_row_bytes(&self) -> u64 {
        (size_of::<i32>() * (self.model.num_obs().len() + self.model.num_states().len())) as u64
    }

    /// Engine bytes that `agents` agents need in the worst case, in the chunks that a population of
    /// that size has. The workers are this population's; those of a smaller one need no more.
    ///
    /// Where beliefs may be demoted, that is the worst case of the lowest tier.
    pub(crate) fn needed_bytes(&self, agents: u64, keep_arrays: bool) -> u128 {
        self.needed_for(agents, keep_arrays, |agents| self.layout.most_bytes(agents))
    }

    /// As [`Self::needed_bytes`], of beliefs that nobody demotes.
    pub(crate) fn whole_bytes(&self, agents: u64, keep_arrays: bool) -> u128 {
        let layout = &self.layout;
        let chunk = |agents| layout.mapped_bytes(agents, layout.most_words(agents));
        self.needed_for(agents, keep_arrays, chunk)
    }

    fn needed_for(
        &self,
        agents: u64,
        keep_arrays: bool,
        chunk_bytes: impl Fn(usize) -> u64,
    ) -> u128 {
        let parts = parts(&self.model, self.workers.len());
        let (chunk, _) = match self.given {
            None => chunk_size(&self.layout, agents, self.asked, parts),
            Some(chunk) => (chunk, chunk),
        };
        let step = chunk as u64;
        let whole = u128::from(agents / step) * u128::from(chunk_bytes(chunk));
        let rest = match (agents % step) as usize {
            0 => 0,
            rest => u128::from(chunk_bytes(rest)),
        };
        let kept = if keep_arrays { self.kept_bytes(agents) } else { 0 };
        let store = u128::from(self.kept_free(agents));
        let past = self.history.as_ref().map_or(0, |history| history.least_bytes(agents, chunk));
        let idle = if self.idle_bytes == 0 { 0 } else { most_idle_bytes(agents) };
        u128::from(self.fixed.total()) + whole + rest + kept + u128::from(idle) + store + past
    }

    /// Engine bytes that are asked of the budget: where agents may be on disk, what has to be in memory
    /// whatever they need.
    pub(crate) fn asked_bytes(&self, settings: &Settings, keep_arrays: bool) -> u128 {
        self.asked_of(settings.agents, settings.spill.is_some(), keep_arrays)
    }

    /// The same for so many agents, who may be on disk (`spills`) or not.
    pub(crate) fn asked_of(&self, agents: u64, spills: bool, keep_arrays: bool) -> u128 {
        let whole = self.needed_bytes(agents, keep_arrays);
        if !spills {
            return whole;
        }
        let history = self.history.as_ref();
        let past = history.map_or(0, |it| it.least_bytes(agents, self.chunk_agents));
        let least = self.fixed_bytes(keep_arrays) + past;
        // Who comes is let in by what stays in memory, however little the rest would be.
        if self.changes() { least + self.all_line_bytes(agents) } else { whole.min(least) }
    }

    /// What stays in memory of agents wherever they are: the lines of members who come and go, and of as
    /// many as a chunk has a copy on the way.
    fn all_line_bytes(&self, agents: u64) -> u128 {
        // Chunks that became small have pages of their own, and so have those that are parted as agents
        // come back.
        let chunks = agents.div_ceil(self.chunk_agents as u64).saturating_mul(4) + 4;
        let lines = u128::from(agents) * MEMBER_BYTES as u128;
        let most = usize::try_from(agents).map_or(self.most_chunk, |it| it.min(self.most_chunk));
        let copy = 2 * u128::from(self.most_line_bytes(most));
        let idle = u128::from(most_idle_bytes(agents));
        lines + u128::from(chunks) * u128::from(page_bytes()) + copy + idle
    }

    /// What has to be in memory whatever agents need and wherever they are.
    pub(crate) fn fixed_bytes(&self, keep_arrays: bool) -> u128 {
        let agents = self.first_agents;
        let kept = if keep_arrays { self.kept_bytes(agents) } else { 0 };
        u128::from(self.fixed.total()) + kept + u128::from(self.kept_free(agents))
    }

    /// What history has not taken yet of its room, in bytes; to be left to it where agents are on disk.
    pub(crate) fn left_to_history(&self) -> u64 {
        match &self.spill {
            Some(_) => self.history.as_ref().map_or(0, Archive::unused_bytes),
            None => 0,
        }
    }

    /// What the records of chunks of `agents` agents may take: without bound where all that they could
    /// need was admitted.
    pub(crate) fn quota(
        &self,
        budget: u64,
        agents: u64,
        agent_bytes: Option<u64>,
        keep_arrays: bool,
    ) -> Quota {
        let agent_bytes = agent_bytes.unwrap_or(u64::MAX);
        if self.whole_bytes(agents, keep_arrays) <= u128::from(budget) {
            return Quota { agent_bytes, ..Quota::NONE };
        }
        let needed = u64::try_from(self.needed_bytes(agents, keep_arrays)).unwrap_or(u64::MAX);
        Quota { spare_bytes: budget.saturating_sub(needed), agents, agent_bytes }
    }

    /// Who holds what `agents` agents need.
    pub(crate) fn holders(&self, agents: u64, keep_arrays: bool) -> Holders {
        let all = self.needed_bytes(agents, keep_arrays);
        let past = self.history.as_ref();
        let past = past.map_or(0, |history| history.least_bytes(agents, self.chunk_agents));
        let kept = if keep_arrays { self.kept_bytes(agents) } else { 0 };
        let store = u128::from(self.kept_free(agents));
        let idle = if self.idle_bytes == 0 { 0 } else { u128::from(most_idle_bytes(agents)) };
        let fixed = u128::from(self.fixed.total());
        let others = fixed + past + kept + store + idle;
        let scratch = u128::from(self.fixed.scratch);
        let named = [
            ("agents", all.saturating_sub(others)),
            ("the model and its world", fixed.saturating_sub(scratch)),
            ("threads", scratch),
            ("history", past),
            ("the last tick's arrays", kept),
            ("the checkpoint's store", store),
            ("the pool", idle),
        ];
        let bytes = |bytes: u128| u64::try_from(bytes).unwrap_or(u64::MAX);
        Holders::new(named.map(|(name, held)| (name.to_owned(), bytes(held))))
    }

    /// Bytes of the kept arrays: two, each in whole pages.
    fn kept_bytes(&self, agents: u64) -> u128 {
        u128::from(agents) * u128::from(self.kept_row_bytes()) + 2 * u128::from(page_bytes())
    }

    /// The most agents that a budget holds in the worst case.
    pub(crate) fn most_agents(&self, budget: u64, keep_arrays: bool) -> u64 {
        let fits = |agents| self.needed_bytes(agents, keep_arrays) <= u128::from(budget);
        // needed_bytes grows with the agents but for page rounding, at least 1 byte an agent; `low`
        // always fits.
        let (mut low, mut high) = (0, budget.saturating_add(1));
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if fits(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// The chunks, and batches in them, that so many agents are best stepped in.
    pub(crate) fn fitting_chunk(&self, agents: u64) -> (usize, usize) {
        let parts = parts(&self.model, self.workers.len());
        chunk_size(&self.layout, agents, self.asked, parts)
    }
}

/// Into how many chunks a small population is cut: a few a thread even out the load, and more where
/// agents search, since their trees differ; but not more for the sake of more threads, while there are
/// enough for all: agents in equal positions are searched for once a chunk.
pub(super) fn parts<T: Number>(model: &CompiledModel<T>, threads: usize) -> usize {
    let few = 4 * threads;
    if model.planner() == Planner::Search { few.max(16) } else { few }
}

/// Agents of a chunk, and of a batch within it.
///
/// A chunk is what memory is taken for and what a worker takes; a small `--chunk` makes small
/// batches in chunks of reasonable size, so that pages are not wasted.
pub(super) fn chunk_size(
    layout: &ChunkLayout,
    agents: u64,
    asked: Option<usize>,
    parts: usize,
) -> (usize, usize) {
    let population = usize::try_from(agents).unwrap_or(usize::MAX).max(1);
    let cached = CHUNK_BYTES / layout.record.most_bytes().max(1);
    let share = population.div_ceil(parts).next_multiple_of(16);
    let chosen = cached.min(share).clamp(16, CHUNK_AGENTS) / 16 * 16;
    // Places in a chunk's records are counted in 4 bytes.
    let most = (u32::MAX as usize / layout.record.most_bytes().max(1)).max(1);
    match asked {
        None => (chosen.min(most), chosen.min(most)),
        Some(batch) if batch >= chosen => {
            let agents = batch.min(population).min(most);
            (agents, agents)
        }
        Some(batch) => {
            let agents = chosen.div_ceil(batch) * batch;
            if agents <= most { (agents, batch) } else { (batch.min(most), batch.min(most)) }
        }
    }
}
