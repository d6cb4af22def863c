//! A population out of a store: its chunks, its past, and who is at rest.

use populace_pool::SharedResource;
use redb::{ReadOnlyTable, ReadTransaction, ReadableDatabase, TableError};

use super::header::Header;
use super::pieces::PieceReader;
use super::{ASLEEP, Checkpoint, IMAGES, PAST, damaged, reading};
use crate::chunk::{Chunk, ChunkLayout};
use crate::image::ImageHeader;
use crate::members::Members;
use crate::{Error, Result};

/// A table of values in pieces.
pub(crate) type Values = ReadOnlyTable<(u64, u32), &'static [u8]>;

/// Fills a chunk.
pub(crate) type Fill<'a> = &'a mut dyn FnMut(&mut Chunk) -> Result<()>;

/// The agents of a committed run, and how far it is.
pub(crate) struct Resumed<'a> {
    read: ReadTransaction,
    images: Values,
    past: Option<Values>,
    pub(crate) header: &'a Header,
    /// Agents of a chunk at most.
    pub(crate) chunk_agents: usize,
}

impl<'a> Resumed<'a> {
    pub(super) fn new(checkpoint: &'a Checkpoint) -> Result<Self> {
        let header = &checkpoint.header;
        let read = checkpoint.database.begin_read().map_err(reading)?;
        let chunk_agents = usize::try_from(header.chunk).ok().filter(|&agents| agents > 0);
        let chunk_agents = chunk_agents
            .ok_or_else(|| Error::invalid(format!("chunks of {} agents", header.chunk)))?;
        let images = read.open_table(IMAGES).map_err(reading)?;
        let past = header.past.as_ref().map(|_| read.open_table(PAST).map_err(reading));
        Ok(Self { images, past: past.transpose()?, read, header, chunk_agents })
    }

    /// How many chunks there are.
    pub(crate) fn chunks(&self) -> u64 {
        let Header { agents, chunk, lives, .. } = self.header;
        lives.as_ref().map_or_else(|| agents.div_ceil(*chunk), |lives| lives.chunks)
    }

    /// The most agents that were there, and that there were to begin with.
    pub(crate) fn most_agents(&self) -> u64 {
        let awake = self.header.lives.as_ref().map_or(0, |lives| lives.awake);
        self.header.agents.max(awake)
    }

    /// A chunk by its place, of at most so many agents, made by `room` for its members, so many words of
    /// stream and what fills it.
    pub(crate) fn chunk(
        &self,
        place: u64,
        (layout, most): (&ChunkLayout, usize),
        memory: &SharedResource,
        room: impl FnOnce(Members, usize, Fill<'_>) -> Result<Chunk>,
    ) -> Result<Chunk> {
        let (bytes, mut pieces) = value(&self.images, place)?;
        let mut header = ImageHeader::read(layout, most, Some(bytes), &mut pieces)?;
        let members = header.members(memory, &mut pieces)?;
        room(members, header.stream, &mut |chunk| header.fill(layout, chunk, &mut pieces))
    }

    /// A ring of the past by its place: its bytes, and what reads them; `None` where no past was kept.
    pub(crate) fn ring(&self, place: u64) -> Result<Option<(u64, PieceReader<'_, Values>)>> {
        let Some(past) = &self.past else { return Ok(None) };
        let (bytes, pieces) = value(past, place)?;
        Ok(Some((bytes as u64, pieces)))
    }

    /// Who was at rest; `None`: nobody.
    pub(crate) fn asleep(&self) -> Result<Option<ReadOnlyTable<u64, &'static [u8]>>> {
        match self.read.open_table(ASLEEP) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(reading(error)),
        }
    }
}

/// How long a value is, and what reads it.
fn value(table: &Values, place: u64) -> Result<(usize, PieceReader<'_, Values>)> {
    let pieces = PieceReader::new(table, place);
    let bytes = pieces.value_bytes().map_err(damaged)?;
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    let bytes = bytes.ok_or_else(|| damaged(format!("value {place} is not there")))?;
    Ok((bytes, pieces))
}
