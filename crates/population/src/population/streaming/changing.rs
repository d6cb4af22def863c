//! Chunks that are looked at, or changed, between ticks, wherever they are.
//!
//! A chunk that is on disk is brought into spare memory, which holds any chunk, so that agents can come
//! to it where there is no other memory; then it is forgotten, or put away as after a tick. A change is
//! made before its chunk is put away: a disk that fails meanwhile leaves the chunk where it is, changed
//! and whole, and says so to whoever needs the spare memory next.
//!
//! What cannot be left half done, like agents that go from many chunks, is first written aside, all of
//! it; then images take the places of those before ([`Spill::replace`]), which nothing can refuse.
//!
//! Memory that has to be had is taken from chunks: they go to disk, the last ones first.

use populace_pool::SharedResource;

use crate::chunk::{Chunk, ChunkLayout};
use crate::members::Members;
use crate::membership::{begin, find, worker};
use crate::population::Population;
use crate::record::Number;
use crate::roster::{Call, by_chunk};
use crate::spill::Aside;
use crate::tick::Worker;
use crate::{Environment, Error, ErrorKind, Result};

/// A chunk in memory, and what it is changed with.
pub(crate) struct Open<'a, T: Number> {
    pub(crate) layout: &'a ChunkLayout,
    pub(crate) chunk: &'a mut Chunk,
    pub(crate) worker: &'a mut Worker<T>,
    pub(crate) memory: &'a SharedResource,
    environment: &'a dyn Environment,
    seed: u64,
    /// Whether the worst case of all agents was asked of the budget.
    admitted: bool,
}

impl<T: Number> Open<'_, T> {
    /// Gives every agent a record of its own.
    pub(crate) fn part_records(&mut self) -> Result<()> {
        self.worker.part_records(self.layout, self.chunk, self.memory, self.admitted)
    }

    /// Puts the agents from a place on into the world.
    pub(crate) fn begin(&mut self, from: usize) {
        begin(self.environment, self.seed, self.layout, self.chunk, from);
    }
}

impl<T: Number> Population<T> {
    /// Whether agents may be on disk.
    pub(crate) fn spills(&self) -> bool {
        self.spill.is_some()
    }

    pub(crate) fn is_away(&self, place: usize) -> bool {
        self.spill.as_ref().is_some_and(|spill| spill.is_away(place))
    }

    /// Checks that no tick was left half way, nor what comes before it (`changing`).
    pub(crate) fn check_finished(&self, changing: bool) -> Result<()> {
        if changing || self.chunks.iter().any(|chunk| chunk.ahead) {
            let message = format!("tick {} failed, and has to be finished first", self.tick);
            return Err(Error::new(ErrorKind::System, message));
        }
        Ok(())
    }

    /// A chunk that is in memory.
    pub(crate) fn open(&mut self, place: usize) -> Open<'_, T> {
        Open {
            layout: &self.layout,
            chunk: &mut self.chunks[place],
            worker: worker(&mut self.workers),
            memory: &self.chunk_memory,
            environment: &*self.environment,
            seed: self.seed,
            admitted: self.spill.is_none(),
        }
    }

    /// Brings a chunk into memory, if it is not there; answers whether it has to [`leave`](Self::leave).
    pub(crate) fn bring(&mut self, place: usize) -> Result<bool> {
        if !self.is_away(place) || self.chunks[place].borrows() {
            return Ok(false);
        }
        if worker(&mut self.workers).spare.as_ref().is_some_and(|spare| !spare.is_whole()) {
            self.finish_writing()?;
        }
        let Self { spill, layout, chunks, workers, .. } = self;
        let Some((spill, spare)) = spill.as_ref().zip(worker(workers).spare.as_mut()) else {
            return Ok(false);
        };
        spill.read(place, layout, &mut chunks[place], spare)?;
        Ok(true)
    }

    /// Forgets a chunk that was brought, and whatever was done to it.
    pub(crate) fn leave(&mut self, place: usize) {
        if let Some(spare) = &mut worker(&mut self.workers).spare {
            self.chunks[place].give_back(spare);
        }
    }

    /// Changes a chunk. Where `work` fails it has changed nothing, and it may be called once more, when
    /// there is memory.
    pub(crate) fn edit<R>(
        &mut self,
        place: usize,
        mut work: impl FnMut(Open<'_, T>) -> Result<R>,
    ) -> Result<R> {
        if !self.spills() {
            return work(self.open(place));
        }
        if !self.is_away(place) {
            match work(self.open(place)) {
                Err(error) if error.kind() == ErrorKind::Budget => self.evict(place)?,
                done => return done,
            }
        }
        let brought = self.bring(place)?;
        match work(self.open(place)) {
            Err(error) => {
                if brought {
                    self.leave(place);
                }
                Err(error)
            }
            done => {
                self.put_away(place);
                done
            }
        }
    }

    /// Puts a chunk away that was brought and changed. Where that fails it is whole where it is, and
    /// whoever needs its place next is told.
    fn put_away(&mut self, place: usize) {
        let room = (&self.memory, self.left_to_history());
        let Self { spill, layout, chunks, workers, .. } = self;
        let chunk = &mut chunks[place];
        let spare = worker(workers).spare.as_mut().filter(|spare| chunk.may_give_back_to(spare));
        if let Some((spill, spare)) = spill.as_ref().zip(spare) {
            let _ = spill.put_away(place, layout, chunk, spare, room);
        }
    }

    /// Writes a chunk that is on disk aside, as it will be without the agents at `places` or after some
    /// other change; `None` where it is in memory.
    pub(crate) fn write_changed(
        &mut self,
        place: usize,
        change: impl FnOnce(Open<'_, T>) -> Result<Option<Members>>,
    ) -> Result<Option<Aside>> {
        if !self.bring(place)? {
            return Ok(None);
        }
        let members = change(self.open(place));
        let written = members.and_then(|members| {
            let Self { spill, layout, chunks, .. } = &mut *self;
            let Some(spill) = spill else { return Ok(None) };
            let chunk = &mut chunks[place];
            // An image says whose it is.
            let before = members.map(|after| std::mem::replace(&mut chunk.members, after));
            let written = spill.write_aside(layout, chunk);
            if let Some(before) = before {
                chunk.members = before;
            }
            written.map(Some)
        });
        self.leave(place);
        written
    }

    /// Lets images take the places of chunks, in the order of these.
    pub(crate) fn replace_all(&mut self, written: impl IntoIterator<Item = (usize, Aside)>) {
        let Some(spill) = &self.spill else { return };
        written.into_iter().for_each(|(place, image)| spill.replace(place, image));
    }

    /// Gives images up.
    pub(crate) fn discard_all(&mut self, written: impl IntoIterator<Item = (usize, Aside)>) {
        let Some(spill) = &self.spill else { return };
        written.into_iter().for_each(|(_, image)| spill.discard(image));
    }

    /// Sends a chunk to disk.
    fn evict(&mut self, place: usize) -> Result<()> {
        if self.chunks[place].borrows() {
            return self.finish_writing();
        }
        let Self { spill, layout, chunks, .. } = self;
        let Some(spill) = spill else { return Ok(()) };
        spill.write(place, layout, &chunks[place])?;
        chunks[place].give_up();
        Ok(())
    }

    /// Sends chunks to disk until so many bytes can be had, if they may go there.
    pub(crate) fn make_room(&mut self, bytes: u64) -> Result<()> {
        let mut place = if self.spills() { self.chunks.len() } else { 0 };
        while place > 0 && self.memory.free_bytes() < bytes {
            place -= 1;
            if !self.is_away(place) && !self.chunks[place].borrows() {
                self.evict(place)?;
            }
        }
        Ok(())
    }

    /// Gives agents that a tick calls lines of their own, where they will need them: no chunk that is
    /// stepped may take the memory for these.
    pub(crate) fn prepare_lines(&mut self, calls: Option<&[Call]>) -> Result<()> {
        let Some(calls) = calls.filter(|_| self.spills() && self.life.dated()) else {
            return Ok(());
        };
        let memory = self.chunk_memory.clone();
        for (place, _) in by_chunk(calls) {
            let len = self.chunks[place].len();
            if self.chunks[place].members.is_uniform() {
                self.make_room(self.most_line_bytes(len) + self.left_to_history())?;
                self.chunks[place].members.tell(len, &memory)?;
            }
        }
        Ok(())
    }

    /// What a chunk takes more, in bytes, once every agent has a record of its own; the first one stands for
    /// all.
    pub(crate) fn parted_bytes(&mut self) -> Result<u64> {
        let Some(before) = self.chunks.first().map(Chunk::held_bytes) else { return Ok(0) };
        self.open(0).part_records()?;
        Ok(self.chunks[0].held_bytes().saturating_sub(before))
    }

    /// A chunk of these members, and its image where memory does not hold so many `agents`; `fill` fills
    /// it.
    pub(crate) fn new_chunk(
        &mut self,
        members: Members,
        agents: usize,
        fill: &mut dyn FnMut(Open<'_, T>) -> Result<()>,
    ) -> Result<(Chunk, Option<Aside>)> {
        let wanted = self.layout.most_bytes(agents).saturating_add(self.left_to_history());
        let here = !self.spills() || wanted <= self.memory.free_bytes();
        if !here {
            self.finish_writing()?;
        }
        let Self { spill, layout, chunk_memory: memory, workers, environment, seed, .. } = self;
        let (environment, seed, admitted) = (&**environment, *seed, spill.is_none());
        let worker = worker(workers);
        let spare = if here { None } else { worker.spare.take() };
        let Some((spill, mut spare)) = spill.as_ref().zip(spare) else {
            let mut chunk = Chunk::new(layout, members, memory)?;
            fill(Open { layout, chunk: &mut chunk, worker, memory, environment, seed, admitted })?;
            return Ok((chunk, None));
        };
        let mut chunk = Chunk::away(members);
        chunk.borrow(&mut spare, 0);
        chunk.contents_mut(layout).0.fill(0);
        let filled =
            fill(Open { layout, chunk: &mut chunk, worker, memory, environment, seed, admitted });
        let written = filled.and_then(|()| spill.write_aside(layout, &chunk));
        chunk.give_back(&mut spare);
        worker.spare = Some(spare);
        Ok((chunk, Some(written?)))
    }

    /// Puts a chunk before the one that has its place.
    pub(crate) fn insert_chunk(&mut self, place: usize, (chunk, image): (Chunk, Option<Aside>)) {
        self.chunks.insert(place, chunk);
        if let Some(spill) = &mut self.spill {
            spill.insert(place, image);
        }
    }

    /// Takes a chunk out, and its agents with it.
    pub(crate) fn remove_chunk(&mut self, place: usize) {
        self.chunks.remove(place);
        if let Some(spill) = &mut self.spill {
            spill.remove(place);
        }
    }

    /// Lets a chunk take over the agents of the next one; answers whether there was memory for it.
    pub(crate) fn join(&mut self, place: usize) -> Result<bool> {
        if self.chunks[place..=place + 1].iter().any(Chunk::borrows) {
            self.finish_writing()?;
        }
        let brought = self.bring(place)?;
        let mut other = self.other.take();
        let next = match (&self.spill, &mut other) {
            (Some(spill), Some(other)) if spill.is_away(place + 1) => {
                spill.read(place + 1, &self.layout, &mut self.chunks[place + 1], other)
            }
            _ => Ok(()),
        };
        let joined = next.is_ok() && {
            let (left, right) = self.chunks.split_at_mut(place + 1);
            let (left, right) = (&mut left[place], &mut right[0]);
            let (layout, memory) = (&self.layout, &self.chunk_memory);
            let (worker, admitted) = (worker(&mut self.workers), self.spill.is_none());
            let mut end = |chunk: &mut Chunk| {
                worker.part_records(layout, chunk, memory, admitted)?;
                Ok(find(layout, chunk, worker).end)
            };
            let ends: Result<[usize; 2]> = end(left).and_then(|left| Ok([left, end(right)?]));
            ends.is_ok_and(|ends| left.append(layout, right, ends, memory))
        };
        if let Some(other) = &mut other
            && self.chunks[place + 1].borrows()
        {
            self.chunks[place + 1].give_back(other);
        }
        self.other = other;
        match (joined, brought) {
            (true, _) => {
                self.remove_chunk(place + 1);
                self.put_away(place);
            }
            (false, true) => self.leave(place),
            (false, false) => {}
        }
        next.map(|()| joined)
    }

    /// Makes two chunks of one, the second from an agent on.
    pub(crate) fn part(&mut self, place: usize, from: usize) -> Result<()> {
        let memory = self.chunk_memory.clone();
        let members = self.chunks[place].members.tail(from, &memory)?;
        if self.spills() && !self.is_away(place) {
            self.evict(place)?;
        }
        let brought = self.bring(place)?;
        if let Err(error) = self.open(place).part_records() {
            if brought {
                self.leave(place);
            }
            return Err(error);
        }
        let mut other = self.other.take();
        let Open { layout, chunk, worker, .. } = self.open(place);
        let records = find(layout, chunk, worker);
        let mut tail = match &mut other {
            None => Chunk::new(layout, members, &memory)?,
            Some(other) => {
                let mut tail = Chunk::away(members);
                tail.borrow(other, 0);
                tail
            }
        };
        let copied = chunk.copy_tail(layout, from, records, &mut tail, &memory);
        let image = copied.and_then(|()| match &self.spill {
            Some(spill) => spill.write_aside(&self.layout, &tail).map(Some),
            None => Ok(None),
        });
        if let Some(other) = &mut other {
            tail.give_back(other);
        }
        self.other = other;
        match image {
            Err(error) => {
                if brought {
                    self.leave(place);
                }
                return Err(error);
            }
            Ok(image) => self.insert_chunk(place + 1, (tail, image)),
        }
        let dated = self.life.dated();
        let Open { layout, chunk, worker, memory, .. } = self.open(place);
        let records = find(layout, chunk, worker);
        let places: Vec<u32> = (from as u32..chunk.len() as u32).collect();
        chunk.remove(layout, &places, records);
        chunk.fit(layout, dated, memory);
        if brought {
            self.put_away(place);
        }
        Ok(())
    }
}
