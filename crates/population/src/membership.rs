//! Agents that come and go: chunks stay dense, in the order of ids, and within the budget.
//!
//! Invariants, between calls:
//!
//! ```text
//! ids ascend within a chunk, and from chunk to chunk; no chunk is empty
//! fixed + idle + history's room + Σ over chunks of max(held, worst case of its agents) ≤ budget
//! ```
//!
//! By the second no tick can be refused memory. It is asked for before anybody comes, together with
//! what the copies on the way take; who leaves takes nothing.

use populace_pool::{Bytes, SharedResource};

use crate::chunk::{AtRest, Chunk, Starts};
use crate::history::Archive;
use crate::members::{MEMBER_BYTES, Members};
use crate::memory::page_bytes;
use crate::population::Population;
use crate::record::Number;
use crate::roster::{Call, by_chunk, chunk_of};
use crate::tick::{Worker, find_records};
use crate::{Error, ErrorKind, Result};

impl<T: Number> Population<T> {
    /// Adds `count` agents that follow all there were; answers the first one's id.
    pub(crate) fn spawn(&mut self, count: u64) -> Result<u64> {
        let first = self.life.next_id;
        let Some(next) = first.checked_add(count) else {
            return Err(Error::invalid(format!("spawn: {first} + {count} ids are more than 2^64")));
        };
        self.admit_before_history(|population| population.admit(count))?;
        let joining = self.joining(count);
        let (stepped, memory) = (self.stamp(), self.chunk_memory.clone());
        let mut born = Vec::new();
        for start in (first + joining..next).step_by(self.chunk_agents) {
            let len = (next - start).min(self.chunk_agents as u64) as usize;
            let members = Members::new(start, len, stepped, &memory)?;
            born.push(Chunk::new(&self.layout, members, &memory)?);
        }
        let old = self.chunks.len();
        if joining > 0
            && let Some(last) = self.chunks.last_mut()
        {
            let len = last.len();
            last.spawn(&self.layout, joining as usize, first, stepped, &memory)?;
            begin(&*self.environment, self.seed, &self.layout, last, len);
        }
        self.chunks.append(&mut born);
        for chunk in &mut self.chunks[old..] {
            begin(&*self.environment, self.seed, &self.layout, chunk, 0);
        }
        self.life.next_id = next;
        self.number_rows();
        self.note_peak();
        self.fit_workers();
        Ok(first)
    }

    /// What is noted of agents that are born or woken now: when, where that matters.
    pub(crate) fn stamp(&self) -> u64 {
        if self.life.dated() { self.ticks() } else { 0 }
    }

    /// How many of `count` new agents the last chunk takes: as many as it has room for, unless all its
    /// agents then needed lines of their own and pages for a new chunk are cheaper.
    fn joining(&self, count: u64) -> u64 {
        let Some(last) = self.chunks.last() else { return 0 };
        let uniform = last.members.stays_uniform_with(self.life.next_id, self.stamp());
        if !uniform && last.members.is_uniform() && last.len() > few() {
            return 0;
        }
        count.min(self.chunk_agents.saturating_sub(last.len()) as u64)
    }

    /// Engine bytes at most, while nobody comes.
    pub(crate) fn worst_bytes(&self) -> u64 {
        let chunks = self.chunks.iter().map(|chunk| self.worst_of(chunk));
        let history = self.history.as_ref().map_or(0, Archive::room_bytes);
        self.fixed_memory().total() + self.idle_bytes + history + chunks.sum::<u64>()
    }

    fn worst_of(&self, chunk: &Chunk) -> u64 {
        chunk.held_bytes().max(self.layout.most_bytes(chunk.len()))
    }

    /// Checks that `count` agents more fit the budget in the worst case.
    pub(crate) fn admit(&self, count: u64) -> Result<()> {
        let budget = self.budget_bytes;
        let now = self.worst_bytes();
        let step = self.chunk_agents as u64;
        let needed = |count: u64| {
            let joining = self.joining(count);
            let new = count - joining;
            let whole = u128::from(new / step) * u128::from(self.layout.most_bytes(step as usize));
            let rest = match (new % step) as usize {
                0 => 0,
                rest => self.layout.most_bytes(rest),
            };
            // While the last chunk is copied, both are there.
            let grown = match self.chunks.last().filter(|_| joining > 0) {
                Some(last) => {
                    let after = self.layout.most_bytes(last.len() + joining as usize);
                    after.max(last.held_bytes()) - self.worst_of(last) + last.held_bytes()
                }
                None => 0,
            };
            u128::from(now) + whole + u128::from(rest + grown)
        };
        if needed(count) <= u128::from(budget) {
            return Ok(());
        }
        let (mut fits, mut over) = (0, count);
        while fits + 1 < over {
            let middle = fits + (over - fits) / 2;
            if needed(middle) <= u128::from(budget) { fits = middle } else { over = middle }
        }
        let needed = u64::try_from(needed(count) - u128::from(now)).unwrap_or(u64::MAX);
        Err(self.refused("spawn", count, needed, fits))
    }

    /// `count` agents more need `needed` bytes, and `fits` of them would fit.
    pub(crate) fn refused(&self, what: &str, count: u64, needed: u64, fits: u64) -> Error {
        let left = self.budget_bytes.saturating_sub(self.worst_bytes());
        Error::new(
            ErrorKind::Budget,
            format!(
                "{what}: {count} agents more need {} in the worst case, and {} of the budget of {} \
                 are left: {fits} fit",
                Bytes(needed),
                Bytes(left),
                Bytes(self.budget_bytes)
            ),
        )
    }

    /// Takes agents out of their chunks, and gives back what they took.
    pub(crate) fn take_out(&mut self, calls: &[Call]) -> Result<()> {
        if calls.is_empty() {
            return Ok(());
        }
        let memory = self.chunk_memory.clone();
        let places = |calls: &[Call]| calls.iter().map(|call| call.place).collect::<Vec<u32>>();
        // Whatever can be refused comes first.
        for (chunk, calls) in by_chunk(calls) {
            let members = &mut self.chunks[chunk].members;
            if calls.len() < members.len() && !members.stays_uniform_without(&places(calls)) {
                members.tell(members.len(), &memory)?;
            }
        }
        let dated = self.life.dated();
        let mut emptied = Vec::new();
        for (index, calls) in by_chunk(calls) {
            let chunk = &mut self.chunks[index];
            if calls.len() == chunk.len() {
                emptied.push(index);
                continue;
            }
            let records = find(&self.layout, chunk, worker(&mut self.workers));
            chunk.remove(&self.layout, &places(calls), records);
            chunk.fit(&self.layout, dated, &memory);
        }
        let (mut index, mut emptied) = (0, emptied.into_iter().peekable());
        self.chunks.retain(|_| {
            index += 1;
            emptied.next_if_eq(&(index - 1)).is_none()
        });
        self.join_chunks();
        self.number_rows();
        self.fit_workers();
        self.memory.trim();
        Ok(())
    }

    /// Joins neighbours that have become small, where there is memory for it.
    fn join_chunks(&mut self) {
        let memory = self.chunk_memory.clone();
        let mut index = 0;
        while index + 1 < self.chunks.len() {
            let (left, right) = self.chunks.split_at_mut(index + 1);
            let (left, right) = (&mut left[index], &mut right[0]);
            let lines = |chunk: &Chunk| if chunk.members.is_uniform() { chunk.len() } else { 0 };
            let stepped = right.members.stepped(0);
            let uniform = right.members.is_uniform()
                && left.members.stays_uniform_with(right.members.first(), stepped);
            let small = 4 * (left.len() + right.len()) <= 3 * self.chunk_agents;
            let cheap = uniform || lines(left) + lines(right) <= few();
            let worker = worker(&mut self.workers);
            let joined = small && cheap && {
                let ends =
                    [find(&self.layout, left, worker).end, find(&self.layout, right, worker).end];
                left.append(&self.layout, right, ends, &memory)
            };
            if joined {
                self.chunks.remove(index + 1);
            } else {
                index += 1;
            }
        }
    }

    /// Checks that agents that rest elsewhere fit the budget when they are put back: `count` of them,
    /// in the order of their ids.
    pub(crate) fn admit_back(&self, ids: &[u64]) -> Result<()> {
        let pages = 3 * page_bytes();
        let (mut needed, mut copied, mut chunks) = (0, 0, 0);
        let mut last = None;
        for &id in ids {
            let chunk = chunk_of(&self.chunks, id);
            if last != Some(chunk) {
                last = Some(chunk);
                chunks += 1;
                copied = copied.max(self.chunks.get(chunk).map_or(0, Chunk::held_bytes));
            }
            needed += self.layout.most_agent_bytes();
        }
        // Who has no room beside their neighbours parts them: two chunks more at most, for each chunk
        // that is parted, and for each chunk of those that come.
        let parted = chunks + ids.len().div_ceil(self.chunk_agents) as u64;
        let room = needed + 2 * parted * pages + 2 * copied;
        let left = self.budget_bytes.saturating_sub(self.worst_bytes());
        if room <= left {
            return Ok(());
        }
        let fits = left.saturating_sub(room - needed) / self.layout.most_agent_bytes().max(1);
        Err(self.refused("wake", ids.len() as u64, room, fits))
    }

    /// Puts agents back to where their ids belong; they are in the order of these.
    pub(crate) fn put_back(&mut self, mut agents: &[AtRest<'_>]) -> Result<()> {
        let memory = self.chunk_memory.clone();
        while let Some(agent) = agents.first() {
            let index = chunk_of(&self.chunks, agent.id);
            let bound = self.chunks.get(index + 1).map_or(u64::MAX, |next| next.members.first());
            let group = agents.partition_point(|agent| agent.id < bound);
            let Some(chunk) = self.chunks.get_mut(index) else {
                // Nobody is left.
                let group = group.min(self.chunk_agents);
                self.chunks.push(self.alone(&agents[..group])?);
                agents = &agents[group..];
                continue;
            };
            let len = chunk.len();
            let place = |agent: &AtRest<'_>| match chunk.members.find(agent.id) {
                Ok(place) | Err(place) => place,
            };
            let at = place(agent);
            if group + len <= self.chunk_agents {
                let at: Vec<u32> =
                    agents[..group].iter().map(|agent| place(agent) as u32).collect();
                let records = find(&self.layout, chunk, worker(&mut self.workers));
                chunk.insert(&self.layout, &agents[..group], &at, records, &memory)?;
                agents = &agents[group..];
            } else if at == 0 || at == len {
                let apart = agents[..group].partition_point(|agent| place(agent) == at);
                let apart = apart.min(self.chunk_agents);
                let new = self.alone(&agents[..apart])?;
                self.chunks.insert(if at == 0 { index } else { index + 1 }, new);
                agents = &agents[apart..];
            } else {
                self.part(index, at, &memory)?;
            }
        }
        Ok(())
    }

    /// Tidies up after agents were put back, all of them or as many as there was memory for.
    pub(crate) fn settle(&mut self) {
        let dated = self.life.dated();
        for chunk in &mut self.chunks {
            chunk.fit(&self.layout, dated, &self.chunk_memory);
        }
        self.join_chunks();
        self.number_rows();
        self.note_peak();
        self.fit_workers();
    }

    /// A chunk of these agents.
    fn alone(&self, agents: &[AtRest<'_>]) -> Result<Chunk> {
        let memory = &self.chunk_memory;
        let mut chunk = Chunk::new(&self.layout, Members::new(0, 0, 0, memory)?, memory)?;
        let at = vec![0; agents.len()];
        let none = Starts { starts: &[], end: 0 };
        chunk.insert(&self.layout, agents, &at, none, memory)?;
        Ok(chunk)
    }

    /// Makes chunks, and the workers that step them, larger or smaller where the population has
    /// outgrown those it has, or they it, and the budget allows it.
    fn fit_workers(&mut self) {
        let (chunk, batch) = self.fitting_chunk(self.agents());
        let grows = chunk >= 2 * self.chunk_agents;
        if !grows && (4 * chunk > self.chunk_agents || !self.split_chunks(chunk)) {
            return;
        }
        let before = self.memory.split();
        let Ok(workers) = self.new_workers(chunk) else { return };
        self.note_peak();
        let after = self.memory.split();
        let taken = |memory: &crate::Memory| memory.scratch + memory.padding;
        // The old workers are there still: they go only if the new ones leave no less than they take.
        if grows && self.worst_bytes() + taken(&after) - taken(&before) > self.budget_bytes {
            return;
        }
        self.replace_workers(workers, (chunk, batch), &before);
        self.memory.trim();
    }

    /// Parts chunks of more than `most` agents; answers whether there was memory for it.
    fn split_chunks(&mut self, most: usize) -> bool {
        let memory = self.chunk_memory.clone();
        let mut index = 0;
        while index < self.chunks.len() {
            if self.chunks[index].len() > most {
                // Each part is rounded up to pages of its own.
                let worst = self.worst_bytes() + 3 * page_bytes();
                if worst > self.budget_bytes || self.part(index, most, &memory).is_err() {
                    break;
                }
            }
            index += 1;
        }
        self.number_rows();
        index == self.chunks.len()
    }

    /// Makes two chunks of one, the second from a place on.
    fn part(&mut self, index: usize, place: usize, memory: &SharedResource) -> Result<()> {
        let chunk = &mut self.chunks[index];
        let records = find(&self.layout, chunk, worker(&mut self.workers));
        let tail = chunk.tail(&self.layout, place, records, memory)?;
        let places: Vec<u32> = (place as u32..chunk.len() as u32).collect();
        chunk.remove(&self.layout, &places, records);
        chunk.fit(&self.layout, self.life.dated(), memory);
        self.chunks.insert(index + 1, tail);
        Ok(())
    }
}

/// So many agents with lines of their own take as much as the pages that a chunk more rounds up to.
fn few() -> usize {
    3 * page_bytes() as usize / MEMBER_BYTES
}

/// The worker that stands in for all while nobody is stepped.
pub(crate) fn worker<T: Number>(workers: &mut [std::sync::Mutex<Worker<T>>]) -> &mut Worker<T> {
    workers[0].get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Where the records of a chunk start.
pub(crate) fn find<'a, T: Number>(
    layout: &crate::chunk::ChunkLayout,
    chunk: &mut Chunk,
    worker: &'a mut Worker<T>,
) -> Starts<'a> {
    let len = chunk.len();
    let (columns, stream) = chunk.parts(layout);
    let starts = &mut worker.before[..len];
    let end = find_records::<T>(layout, &columns, stream, starts);
    Starts { starts, end }
}

/// Puts the agents of a chunk from a place on into the world.
pub(crate) fn begin(
    environment: &dyn crate::Environment,
    seed: u64,
    layout: &crate::chunk::ChunkLayout,
    chunk: &mut Chunk,
    from: usize,
) {
    let state_bytes = environment.state_bytes();
    let (members, columns, _) = chunk.split(layout);
    for (places, id) in members.runs().filter(|(places, _)| places.end > from) {
        let start = places.start.max(from);
        let id = id + (start - places.start) as u64;
        let states = &mut columns.states[start * state_bytes..places.end * state_bytes];
        environment.begin(seed, id..id + (places.end - start) as u64, states);
    }
}
