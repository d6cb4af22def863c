//! Agents that memory cannot hold, on disk.
//!
//! The chunks that memory holds stay there; the others are images in one file, and every tick streams
//! them through memory in the chunks' order: each is read into its worker's [`Spare`], stepped there,
//! and written again, while the system reads ahead. (In a tick that visits all chunks in turn, keeping
//! the same ones is best: whatever was used last is what is needed last.)
//!
//! - An image is written whole before memory is freed, and never over the one before: a chunk's next
//!   image goes into a slot that is free. So a disk that is full or broken loses no agent: the chunk
//!   keeps what it borrowed, and the tick can be finished later.
//! - Slots are taken as images are written, and one that is given up is written again: there are never
//!   more than chunks, workers, and images [aside](Spill::write_aside) at once.
//! - Every image read is checked against its checksum.
//! - Nothing here needs memory in a tick: whatever grows beyond the budget is evicted by writing it.
//! - Agents that come and go are changed between ticks: who they are stays
//!   in memory, and an image says whose it is.
//! - The file has no name: nobody else can open it, and it goes with the process, however that ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use redb::StorageBackend;
use redb::backends::FileBackend;

use crate::chunk::{Chunk, ChunkLayout, Spare};
use crate::image::{ImageHeader, most_image_bytes, write_image_without_members};
use crate::memory::EngineMemory;
use crate::{Error, ErrorKind, Result};

/// How many agents are on disk, and what went there and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spilled {
    /// Agents that are on disk now.
    pub agents: u64,
    /// Bytes of their images.
    pub bytes: u64,
    /// Bytes read so far.
    pub read_bytes: u64,
    /// Bytes written so far.
    pub written_bytes: u64,
}

/// The place of a chunk that is in memory.
const HERE: u32 = u32::MAX;

/// The file of a population's chunks.
pub(crate) struct Spill {
    directory: PathBuf,
    file: Box<dyn StorageBackend>,
    /// The same file, to be read ahead.
    ahead: Option<File>,
    /// Slots are as long as an image can be; what of them is not written takes no disk.
    slot_bytes: u64,
    /// The slot of every chunk, and the bytes of its image.
    slots: Vec<AtomicU32>,
    image_bytes: Vec<AtomicU64>,
    free: Mutex<Free>,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
}

/// Slots that hold no image: those that are given up, and all from `next` on.
#[derive(Debug, Default)]
struct Free {
    given_up: Vec<u32>,
    next: u32,
}

/// An image that is no chunk's yet: it takes the place of one ([`Spill::replace`]), or is given up
/// ([`Spill::discard`]).
#[derive(Debug)]
#[must_use]
pub(crate) struct Aside {
    slot: u32,
    bytes: u64,
}

impl Spill {
    /// A file in a directory, which is made if it is not there, for so many chunks of at most `agents`
    /// agents, stepped by so many workers.
    pub(crate) fn create(
        directory: &Path,
        layout: &ChunkLayout,
        agents: usize,
        chunks: usize,
        workers: usize,
    ) -> Result<Self> {
        let file = std::fs::create_dir_all(directory)
            .and_then(|()| tempfile::tempfile_in(directory))
            .and_then(|file| {
                Ok((file.try_clone()?, FileBackend::new(file).map_err(io::Error::other)?))
            });
        let (ahead, file) = file.map_err(|error| unwritable(directory, &error))?;
        let spill = Self::over(Box::new(file), directory, layout, agents, chunks, workers)?;
        Ok(Self { ahead: Some(ahead), ..spill })
    }

    /// The same over an open file.
    fn over(
        file: Box<dyn StorageBackend>,
        directory: &Path,
        layout: &ChunkLayout,
        agents: usize,
        chunks: usize,
        workers: usize,
    ) -> Result<Self> {
        // Made as long as it becomes, so that no tick does.
        let given_up = Vec::with_capacity(chunks + workers);
        let mut spill = Self {
            directory: directory.to_owned(),
            file,
            ahead: None,
            // Where slots start at powers of two the system caches the file in large pieces, which are
            // written with less ado.
            slot_bytes: (most_image_bytes(layout, agents) as u64)
                .next_power_of_two()
                .max(PAGE_BYTES),
            slots: Vec::new(),
            image_bytes: Vec::new(),
            free: Mutex::new(Free { given_up, next: 0 }),
            read_bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
        };
        spill.hold(chunks);
        Ok(spill)
    }

    /// Makes places for so many chunks, the new ones in memory.
    pub(crate) fn hold(&mut self, chunks: usize) {
        while self.slots.len() > chunks {
            self.remove(self.slots.len() - 1);
        }
        while self.slots.len() < chunks {
            self.insert(self.slots.len(), None);
        }
    }

    /// Makes a place for a chunk, in memory or where its image was written, before the one that has it.
    pub(crate) fn insert(&mut self, place: usize, image: Option<Aside>) {
        let Aside { slot, bytes } = image.unwrap_or(Aside { slot: HERE, bytes: 0 });
        self.slots.insert(place, AtomicU32::new(slot));
        self.image_bytes.insert(place, AtomicU64::new(bytes));
    }

    /// Takes a chunk's place away, and gives its image up.
    pub(crate) fn remove(&mut self, place: usize) {
        let slot = self.slots.remove(place).into_inner();
        self.image_bytes.remove(place);
        self.give_up(slot);
    }

    /// Puts another file in the place of the one there is: one over it that fails.
    #[cfg(test)]
    pub(crate) fn replace_file(
        &mut self,
        make: impl FnOnce(Box<dyn StorageBackend>) -> Box<dyn StorageBackend>,
    ) {
        let nothing = Box::new(redb::backends::InMemoryBackend::new());
        let file = std::mem::replace(&mut self.file, nothing);
        self.file = make(file);
    }

    /// Whether a chunk's agents are on disk.
    pub(crate) fn is_away(&self, place: usize) -> bool {
        self.slots[place].load(Relaxed) != HERE
    }

    /// Asks the system to read a chunk that will be wanted soon.
    pub(crate) fn read_ahead(&self, place: usize) {
        let slot = self.slots.get(place).map_or(HERE, |slot| slot.load(Relaxed));
        if let (Some(file), true) = (&self.ahead, slot != HERE) {
            let bytes = self.image_bytes[place].load(Relaxed);
            populace_pool::read_ahead(file, u64::from(slot) * self.slot_bytes, bytes);
        }
    }

    /// Reads a chunk that is on disk into spare memory.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not what was written: the chunk stays where it is.
    pub(crate) fn read(
        &self,
        place: usize,
        layout: &ChunkLayout,
        chunk: &mut Chunk,
        spare: &mut Spare,
    ) -> Result<()> {
        let named = |error: Error| error.within(self.directory.display());
        let bytes = self.image_bytes[place].load(Relaxed);
        let mut slot = self.slot(self.slots[place].load(Relaxed));
        let length = usize::try_from(bytes).ok();
        let header = ImageHeader::read(layout, chunk.len(), length, &mut slot).map_err(named)?;
        if (header.first, header.len) != (chunk.members.first(), chunk.len()) || header.has_lines()
        {
            return Err(named(Error::invalid(
                "is damaged: agents are not where they were written",
            )));
        }
        if !chunk.borrow(spare, header.stream) {
            return Err(named(unfinished()));
        }
        let filled = header.fill(layout, chunk, &mut slot).map_err(named);
        if filled.is_err() {
            chunk.give_back(spare);
        }
        self.read_bytes.fetch_add(bytes, Relaxed);
        filled
    }

    /// Lets a chunk that was stepped in borrowed memory settle in its own, if there is any, or writes it
    /// to disk: of the memory, so many bytes are left to others. Either way it gives back what it
    /// borrowed.
    ///
    /// # Errors
    ///
    /// The file cannot be written: the chunk keeps what it borrowed, and is whole.
    pub(crate) fn put_away(
        &self,
        place: usize,
        layout: &ChunkLayout,
        chunk: &mut Chunk,
        spare: &mut Spare,
        (memory, left_free): (&EngineMemory, u64),
    ) -> Result<()> {
        let (columns, stream) = chunk.contents(layout);
        let own = (columns.len() + size_of_val(stream)) as u64 + 2 * PAGE_BYTES;
        if own + left_free <= memory.free_bytes() && chunk.settle(layout, spare, &memory.agents()) {
            self.move_to(place, HERE, 0);
            return Ok(());
        }
        self.write(place, layout, chunk)?;
        chunk.give_back(spare);
        Ok(())
    }

    /// Writes a chunk to disk.
    ///
    /// # Errors
    ///
    /// The file cannot be written: the image before is still the chunk's.
    pub(crate) fn write(&self, place: usize, layout: &ChunkLayout, chunk: &Chunk) -> Result<()> {
        let image = self.write_aside(layout, chunk)?;
        self.replace(place, image);
        Ok(())
    }

    /// Writes a chunk to where no chunk's image is.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn write_aside(&self, layout: &ChunkLayout, chunk: &Chunk) -> Result<Aside> {
        let slot = self.take_slot()?;
        match write_image_without_members(layout, chunk, &mut self.slot(slot)) {
            Ok(bytes) => {
                self.written_bytes.fetch_add(bytes as u64, Relaxed);
                Ok(Aside { slot, bytes: bytes as u64 })
            }
            Err(error) => {
                self.give_up(slot);
                Err(unwritable(&self.directory, &error))
            }
        }
    }

    /// Lets an image take the place of a chunk's.
    pub(crate) fn replace(&self, place: usize, image: Aside) {
        self.move_to(place, image.slot, image.bytes);
    }

    /// Gives an image up.
    pub(crate) fn discard(&self, image: Aside) {
        self.give_up(image.slot);
    }

    /// Notes where a chunk is now.
    fn move_to(&self, place: usize, slot: u32, bytes: u64) {
        let before = self.slots[place].swap(slot, Relaxed);
        self.image_bytes[place].store(bytes, Relaxed);
        self.give_up(before);
    }

    fn take_slot(&self) -> Result<u32> {
        let mut free = self.free();
        if let Some(slot) = free.given_up.pop() {
            return Ok(slot);
        }
        let slot = free.next;
        if slot == HERE {
            let message = format!("spill: more than {HERE} chunks are too many");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        free.next += 1;
        Ok(slot)
    }

    fn give_up(&self, slot: u32) {
        if slot != HERE {
            self.free().given_up.push(slot);
        }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, slot: u32) -> Slot<'_> {
        Slot { file: &*self.file, at: u64::from(slot) * self.slot_bytes }
    }

    /// What is on disk of these chunks.
    pub(crate) fn spilled(&self, chunks: &[Chunk]) -> Spilled {
        let away = chunks.iter().enumerate().filter(|&(place, _)| self.is_away(place));
        let (agents, bytes) = away.fold((0, 0), |(agents, bytes), (place, chunk)| {
            (agents + chunk.len() as u64, bytes + self.image_bytes[place].load(Relaxed))
        });
        Spilled {
            agents,
            bytes,
            read_bytes: self.read_bytes.load(Relaxed),
            written_bytes: self.written_bytes.load(Relaxed),
        }
    }
}

/// A page of the file, in bytes.
const PAGE_BYTES: u64 = 4096;

/// A place in the file, from its start on.
struct Slot<'a> {
    file: &'a dyn StorageBackend,
    at: u64,
}

impl Read for Slot<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if !out.is_empty() {
            self.file.read(self.at, out)?;
            self.at += out.len() as u64;
        }
        Ok(out.len())
    }
}

impl Write for Slot<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(self.at, bytes)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unwritable(directory: &Path, error: &io::Error) -> Error {
    let text = error.to_string();
    let reason = text.split(" (os error").next().unwrap_or(&text);
    let message = format!("{}: agents cannot be written there: {reason}", directory.display());
    Error::new(ErrorKind::System, message)
}

/// What a step meets whose worker could not write the chunk before.
fn unfinished() -> Error {
    Error::new(ErrorKind::System, "agents of an earlier step are still to be written")
}
