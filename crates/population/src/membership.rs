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
//! what the copies on the way take; who leaves takes nothing. Where agents may go to disk, only what
//! stays in memory wherever they are, the members' lines, counts as held and as their worst case: for
//! all else there is a [spare](crate::chunk::Spare).

use populace_pool::Bytes;

use crate::chunk::{AtRest, Chunk, Starts};
use crate::history::Archive;
use crate::members::{MEMBER_BYTES, Members};
use crate::memory::page_bytes;
use crate::population::{Open, Population};
use crate::record::Number;
use crate::roster::{Call, by_chunk, chunk_of};
use crate::spill::Aside;
use crate::tick::{Worker, find_records};
use crate::{Error, ErrorKind, Result};

impl<T: Number> Population<T> {
    /// Adds `count` agents that follow all there were; answers the first one's id.
    pub(crate) fn spawn(&mut self, count: u64) -> Result<u64> {
        let first = self.life.next_id;
        let Some(next) = first.checked_add(count) else {
            return Err(Error::invalid(format!("spawn: {first} + {count} ids are more than 2^64")));
        };
        self.check_finished(false)?;
        self.admit_before_history(|population| population.admit(count))?;
        let joining = self.joining(count);
        let lines = self.line_bytes_with(count);
        self.make_room(lines + self.left_to_history())?;
        let (stepped, memory) = (self.stamp(), self.chunk_memory.clone());
        let old = self.chunks.len();
        let mut born = Vec::new();
        for start in (first + joining..next).step_by(self.chunk_agents) {
            let len = (next - start).min(self.chunk_agents as u64) as usize;
            let members = Members::new(start, len, stepped, &memory)?;
            let chunk = self.new_chunk(members, len, &mut |mut open| {
                open.begin(0);
                Ok(())
            });
            match chunk {
                Ok(chunk) => born.push(chunk),
                Err(error) => return self.unborn(born, error),
            }
        }
        if joining > 0 {
            let joined = self.edit(old - 1, |mut open| {
                open.part_records()?;
                let Open { layout, chunk, memory, .. } = &mut open;
                let len = chunk.len();
                chunk.spawn(layout, joining as usize, first, stepped, memory)?;
                open.begin(len);
                Ok(())
            });
            if let Err(error) = joined {
                return self.unborn(born, error);
            }
        }
        for chunk in born {
            self.insert_chunk(self.chunks.len(), chunk);
        }
        self.life.next_id = next;
        self.number_rows();
        self.note_peak();
        self.fit_workers();
        Ok(first)
    }

    /// Gives up what was made for agents that cannot be born.
    fn unborn<R>(&mut self, born: Vec<(Chunk, Option<Aside>)>, error: Error) -> Result<R> {
        let images = born.into_iter().filter_map(|(_, image)| Some((0, image?)));
        self.discard_all(images);
        Err(error)
    }

    /// What the lines of `count` new agents may take while they come, in bytes, where all else may go to
    /// disk.
    fn line_bytes_with(&self, count: u64) -> u64 {
        let chunks = count.div_ceil(self.chunk_agents as u64) + 1;
        let last = self.chunks.last().map_or(0, |last| self.most_line_bytes(last.len()));
        let lines = count.saturating_mul(MEMBER_BYTES as u64);
        lines.saturating_add(2 * last + 2 * chunks * page_bytes())
    }

    /// What the lines of so many agents of a chunk take at most, in bytes: whole pages.
    pub(crate) fn most_line_bytes(&self, agents: usize) -> u64 {
        (self.layout.most_line_bytes(agents) as u64).next_multiple_of(page_bytes())
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
        self.held_by(chunk).max(self.most_held(chunk.len()))
    }

    /// What of a chunk is in memory, and has to be.
    pub(crate) fn held_by(&self, chunk: &Chunk) -> u64 {
        if self.spills() { chunk.line_bytes() } else { chunk.held_bytes() }
    }

    /// The most of a chunk of so many agents that has to be in memory.
    fn most_held(&self, agents: usize) -> u64 {
        if self.spills() { self.most_line_bytes(agents) } else { self.layout.most_bytes(agents) }
    }

    /// The same of an agent, in bytes, and how many arrays of a chunk are rounded up to pages.
    pub(crate) fn most_held_of_one(&self) -> (u64, u64) {
        if self.spills() { (MEMBER_BYTES as u64, 1) } else { (self.layout.most_agent_bytes(), 3) }
    }

    /// Checks that `count` agents more fit the budget in the worst case.
    pub(crate) fn admit(&self, count: u64) -> Result<()> {
        let budget = self.budget_bytes;
        let now = self.worst_bytes();
        let step = self.chunk_agents as u64;
        let needed = |count: u64| {
            let joining = self.joining(count);
            let new = count - joining;
            let whole = u128::from(new / step) * u128::from(self.most_held(step as usize));
            let rest = match (new % step) as usize {
                0 => 0,
                rest => self.most_held(rest),
            };
            // While the last chunk is copied, both are there.
            let grown = match self.chunks.last().filter(|_| joining > 0) {
                Some(last) => {
                    let after = self.most_held(last.len() + joining as usize);
                    let held = self.held_by(last);
                    after.max(held) - self.worst_of(last) + held
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

    /// Makes ready to take agents out of their chunks: whatever of it can be refused. It changes nothing
    /// yet; answers the images of chunks on disk without those agents.
    pub(crate) fn prepare_out(&mut self, calls: &[Call]) -> Result<Vec<(usize, Aside)>> {
        self.check_finished(false)?;
        self.finish_writing()?;
        let memory = self.chunk_memory.clone();
        for (chunk, calls) in by_chunk(calls) {
            let members = &self.chunks[chunk].members;
            if calls.len() < members.len() && !members.stays_uniform_without(&places(calls)) {
                let len = members.len();
                self.make_room(self.most_line_bytes(len) + self.left_to_history())?;
                self.chunks[chunk].members.tell(len, &memory)?;
            }
        }
        for (index, _) in by_chunk(calls) {
            if self.layout.steps_alike && !self.is_away(index) {
                self.edit(index, |mut open| open.part_records())?;
            }
        }
        let mut written = Vec::new();
        for (index, calls) in by_chunk(calls) {
            if calls.len() == self.chunks[index].len() {
                continue;
            }
            let image = self.write_changed(index, |mut open| {
                open.part_records()?;
                let Open { layout, chunk, worker, memory, .. } = open;
                let records = find(layout, chunk, worker);
                let places = places(calls);
                let left = chunk.len() - places.len();
                let gone = |place: &usize| places.binary_search(&(*place as u32)).is_ok();
                let first = (0..chunk.len()).find(|place| !gone(place)).unwrap_or(0);
                chunk.close_over(layout, &places, records);
                Members::new(chunk.members.id(first), left, 0, memory).map(Some)
            });
            match image {
                Ok(image) => written.extend(image.map(|image| (index, image))),
                Err(error) => {
                    self.discard_all(written);
                    return Err(error);
                }
            }
        }
        Ok(written)
    }

    /// Takes agents out of their chunks, which was made [ready](Self::prepare_out) for, and gives back
    /// what they took.
    pub(crate) fn take_out(&mut self, calls: &[Call], written: Vec<(usize, Aside)>) {
        if calls.is_empty() {
            return;
        }
        let memory = self.chunk_memory.clone();
        let dated = self.life.dated();
        let mut emptied = Vec::new();
        let mut images = written.iter().map(|&(index, _)| index).peekable();
        for (index, calls) in by_chunk(calls) {
            let chunk = &mut self.chunks[index];
            if calls.len() == chunk.len() {
                emptied.push(index);
            } else if images.next_if_eq(&index).is_some() {
                chunk.members.remove(&places(calls));
            } else {
                let records = find(&self.layout, chunk, worker(&mut self.workers));
                chunk.remove(&self.layout, &places(calls), records);
            }
            self.chunks[index].fit(&self.layout, dated, &memory);
        }
        self.replace_all(written);
        for index in emptied.into_iter().rev() {
            self.remove_chunk(index);
        }
        self.join_chunks();
        self.number_rows();
        self.fit_workers();
        self.memory.trim();
    }

    /// Joins neighbours that have become small, where there is memory for it.
    fn join_chunks(&mut self) {
        let mut index = 0;
        while index + 1 < self.chunks.len() {
            // Where that fails, on disk, they stay two.
            if !self.are_small(index) || !self.join(index).unwrap_or(false) {
                index += 1;
            }
        }
    }

    /// Whether a chunk and the next had better be one.
    fn are_small(&self, index: usize) -> bool {
        let (left, right) = (&self.chunks[index].members, &self.chunks[index + 1].members);
        let lines = |members: &Members| if members.is_uniform() { members.len() } else { 0 };
        let uniform =
            right.is_uniform() && left.stays_uniform_with(right.first(), right.stepped(0));
        let small = 4 * (left.len() + right.len()) <= 3 * self.chunk_agents;
        small && (uniform || lines(left) + lines(right) <= few())
    }

    /// Checks that agents that rest elsewhere fit the budget when they are put back: `count` of them,
    /// in the order of their ids.
    pub(crate) fn admit_back(&self, ids: &[u64]) -> Result<()> {
        let (most_of_one, arrays) = self.most_held_of_one();
        let pages = arrays * page_bytes();
        let (mut needed, mut copied, mut chunks) = (0, 0, 0);
        let mut last = None;
        for &id in ids {
            let chunk = chunk_of(&self.chunks, id);
            if last != Some(chunk) {
                last = Some(chunk);
                chunks += 1;
                copied = copied.max(self.chunks.get(chunk).map_or(0, |it| self.held_by(it)));
            }
            needed += most_of_one;
        }
        // Who has no room beside their neighbours parts them: two chunks more at most, for each chunk
        // that is parted, and for each chunk of those that come.
        let parted = chunks + ids.len().div_ceil(self.chunk_agents) as u64;
        let room = needed + 2 * parted * pages + 2 * copied;
        let left = self.budget_bytes.saturating_sub(self.worst_bytes());
        if room <= left {
            return Ok(());
        }
        let fits = left.saturating_sub(room - needed) / most_of_one.max(1);
        Err(self.refused("wake", ids.len() as u64, room, fits))
    }

    /// Puts agents back to where their ids belong; they are in the order of these. Where that fails, those
    /// that come first are there.
    pub(crate) fn put_back(&mut self, mut agents: &[AtRest<'_>]) -> Result<()> {
        while let Some(agent) = agents.first() {
            let index = chunk_of(&self.chunks, agent.id);
            let bound = self.chunks.get(index + 1).map_or(u64::MAX, |next| next.members.first());
            let group = agents.partition_point(|agent| agent.id < bound);
            let lines = self.line_bytes_with(agents.len() as u64)
                + self.chunks.get(index).map_or(0, |chunk| 2 * self.most_line_bytes(chunk.len()));
            self.make_room(lines + self.left_to_history())?;
            let Some(members) = self.chunks.get(index).map(|chunk| &chunk.members) else {
                // Nobody is left.
                let group = group.min(self.chunk_agents);
                let chunk = self.alone(&agents[..group])?;
                self.insert_chunk(0, chunk);
                agents = &agents[group..];
                continue;
            };
            let len = members.len();
            let place = |agent: &AtRest<'_>| match members.find(agent.id) {
                Ok(place) | Err(place) => place,
            };
            let at = place(agent);
            if group + len <= self.chunk_agents {
                let at: Vec<u32> =
                    agents[..group].iter().map(|agent| place(agent) as u32).collect();
                self.edit(index, |mut open| {
                    open.part_records()?;
                    let Open { layout, chunk, worker, memory, .. } = open;
                    let records = find(layout, chunk, worker);
                    chunk.insert(layout, &agents[..group], &at, records, memory)
                })?;
                agents = &agents[group..];
            } else if at == 0 || at == len {
                let apart = agents[..group].partition_point(|agent| place(agent) == at);
                let apart = apart.min(self.chunk_agents);
                let new = self.alone(&agents[..apart])?;
                self.insert_chunk(if at == 0 { index } else { index + 1 }, new);
                agents = &agents[apart..];
            } else {
                self.part(index, at)?;
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
    fn alone(&mut self, agents: &[AtRest<'_>]) -> Result<(Chunk, Option<Aside>)> {
        let members = Members::new(0, 0, 0, &self.chunk_memory)?;
        let at = vec![0; agents.len()];
        self.new_chunk(members, agents.len(), &mut |Open { layout, chunk, memory, .. }| {
            let none = Starts { starts: &[], end: 0 };
            chunk.insert(layout, agents, &at, none, memory)
        })
    }

    /// Makes chunks, and the workers that step them, larger or smaller where the population has
    /// outgrown those it has, or they it, and the budget allows it.
    fn fit_workers(&mut self) {
        let (chunk, batch) = self.fitting_chunk(self.agents());
        let grows = chunk >= 2 * self.chunk_agents;
        // What chunks on disk are made smaller for is not worth reading them.
        let may_shrink = 4 * chunk <= self.chunk_agents && !self.spills();
        if !grows && (!may_shrink || !self.split_chunks(chunk)) {
            return;
        }
        if self.make_room(self.fixed_memory().scratch + self.left_to_history()).is_err() {
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
        let mut index = 0;
        while index < self.chunks.len() {
            if self.chunks[index].len() > most {
                // Each part is rounded up to pages of its own.
                let worst = self.worst_bytes() + 3 * page_bytes();
                if worst > self.budget_bytes || self.part(index, most).is_err() {
                    break;
                }
            }
            index += 1;
        }
        self.number_rows();
        index == self.chunks.len()
    }
}

/// Where agents of one chunk stand in it.
fn places(calls: &[Call]) -> Vec<u32> {
    calls.iter().map(|call| call.place).collect()
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
