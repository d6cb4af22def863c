//! Chunks that may be on disk: made, stepped, and looked at wherever they are.

mod changing;
#[cfg(test)]
mod faults;

pub(crate) use changing::Open;

use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use populace_pool::SharedResource;

use super::Population;
use crate::Result;
use crate::checkpoint::Fill;
use crate::chunk::{Chunk, ChunkLayout, Spare};
use crate::members::Members;
use crate::memory::EngineMemory;
use crate::record::Number;
use crate::roster::Called;
use crate::spill::{Spill, Spilled};
use crate::tick::{Kept, Tick, Worker};

/// A tick of one chunk after the other, wherever they are.
pub(super) struct Stepping<'a, 'b, T: Number> {
    pub(super) tick: &'a Tick<'b, T>,
    pub(super) spill: Option<&'a Spill>,
    pub(super) memory: &'a EngineMemory,
    /// What agents from disk leave to others, in bytes.
    pub(super) left_free: u64,
    /// What the chunks that were stepped add to the trajectory hash.
    pub(super) hash: &'a AtomicU64,
}

impl<T: Number> Stepping<'_, '_, T> {
    /// Takes a chunk through the tick, if it has not been; `next` is the place of one that comes soon.
    pub(super) fn step(
        &self,
        (place, next): (usize, usize),
        chunk: &mut Chunk,
        called: Called<'_>,
        worker: &mut Worker<T>,
        kept: Option<Kept<'_>>,
    ) -> Result<()> {
        if chunk.ahead {
            return Ok(());
        }
        if let (Some(spill), Some(spare)) = (self.spill, &mut worker.spare) {
            if !spare.is_whole() {
                // A chunk could not be written: the tick has failed, and this one is left for later.
                return Ok(());
            }
            spill.read_ahead(next);
            if spill.is_away(place) {
                spill.read(place, self.tick.layout, chunk, spare)?;
            }
        }
        let hash = self.tick.chunk(chunk, called, worker, kept)?;
        chunk.ahead = true;
        self.hash.fetch_add(hash, Relaxed);
        match (self.spill, &mut worker.spare) {
            (Some(spill), Some(spare)) if chunk.borrows() => {
                let room = (self.memory, self.left_free);
                spill.put_away(place, self.tick.layout, chunk, spare, room)
            }
            _ => Ok(()),
        }
    }
}

/// Where new chunks go: into memory as long as the worst case of all that are there allows it, else
/// to disk, where there is one.
pub(super) struct Room<'a> {
    pub(super) layout: &'a ChunkLayout,
    memory: &'a SharedResource,
    spill: Option<(&'a Spill, &'a mut Spare)>,
    /// What the worst case leaves, in bytes.
    free_bytes: u64,
}

impl<'a> Room<'a> {
    pub(super) fn new<T: Number>(
        layout: &'a ChunkLayout,
        memory: &'a SharedResource,
        spill: Option<&'a Spill>,
        workers: &'a mut [std::sync::Mutex<Worker<T>>],
        free_bytes: u64,
    ) -> Self {
        let worker = workers[0].get_mut().unwrap_or_else(PoisonError::into_inner);
        Self { layout, memory, spill: spill.zip(worker.spare.as_mut()), free_bytes }
    }

    /// A chunk of these members with `words` words of stream; `fill` fills it.
    pub(super) fn chunk(
        &mut self,
        place: usize,
        members: Members,
        words: usize,
        fill: Fill<'_>,
    ) -> Result<Chunk> {
        let worst = self.layout.most_bytes(members.len());
        match &mut self.spill {
            Some((spill, spare)) if worst > self.free_bytes => {
                let mut chunk = Chunk::away(members);
                chunk.borrow(spare, words);
                let written =
                    fill(&mut chunk).and_then(|()| spill.write(place, self.layout, &chunk));
                chunk.give_back(spare);
                written.map(|()| chunk)
            }
            _ => {
                let mut chunk = Chunk::unfilled(self.layout, members, words, self.memory)?;
                fill(&mut chunk)?;
                self.free_bytes = self.free_bytes.saturating_sub(worst);
                Ok(chunk)
            }
        }
    }
}

impl<T: Number> Population<T> {
    /// Opens the file of agents that memory cannot hold, and takes what workers lend to them.
    pub(super) fn open_spill(&mut self, directory: &Path, agents: u64) -> Result<()> {
        let chunks = usize::try_from(agents.div_ceil(self.chunk_agents as u64));
        let (chunks, workers) = (chunks.unwrap_or(usize::MAX), self.workers.len());
        let agents = self.most_chunk;
        self.spill = Some(Spill::create(directory, &self.layout, agents, chunks, workers)?);
        Ok(())
    }

    /// Does something with a chunk, wherever it is; where it is on disk, nothing done to it stays.
    pub(crate) fn with_chunk<R>(
        &mut self,
        place: usize,
        work: impl FnOnce(&ChunkLayout, &mut Chunk) -> Result<R>,
    ) -> Result<R> {
        let brought = self.bring(place)?;
        let answer = work(&self.layout, &mut self.chunks[place]);
        if brought {
            self.leave(place);
        }
        answer
    }

    /// Shows every chunk, by its place.
    ///
    /// # Errors
    ///
    /// A tick failed half way, so that there is no state to show; what `show` answers.
    pub(crate) fn each_chunk(
        &mut self,
        show: &mut dyn FnMut(u64, &ChunkLayout, &mut Chunk) -> Result<()>,
    ) -> Result<()> {
        let changing = self.life.change.is_some() || self.life.changed == Some(self.tick);
        self.check_finished(changing)?;
        (0..self.chunks.len()).try_for_each(|place| {
            self.with_chunk(place, |layout, chunk| show(place as u64, layout, chunk))
        })
    }

    /// Writes what a failed tick could not, so that every worker can lend again.
    pub(crate) fn finish_writing(&mut self) -> Result<()> {
        let room = (&self.memory, self.left_to_history());
        let Some(spill) = &self.spill else { return Ok(()) };
        let stuck = self.chunks.iter_mut().enumerate().filter(|(_, chunk)| chunk.borrows());
        for (place, chunk) in stuck {
            let mut spares = self.workers.iter_mut().filter_map(|worker| {
                let worker = worker.get_mut().unwrap_or_else(PoisonError::into_inner);
                worker.spare.as_mut().filter(|spare| chunk.may_give_back_to(spare))
            });
            if let Some(spare) = spares.next() {
                spill.put_away(place, &self.layout, chunk, spare, room)?;
            }
        }
        Ok(())
    }

    /// What is on disk.
    pub(crate) fn spilled(&self) -> Spilled {
        self.spill.as_ref().map_or(Spilled::default(), |spill| spill.spilled(&self.chunks))
    }
}
