//! A population's chunks out of a store.

use redb::{Database, ReadOnlyTable, ReadableDatabase};

use super::header::Header;
use super::pieces::PieceReader;
use super::{IMAGES, damaged, reading};
use crate::chunk::{Chunk, ChunkLayout};
use crate::image::ImageHeader;
use crate::{Error, Result};

/// Fills a chunk.
pub(crate) type Fill<'a> = &'a mut dyn FnMut(&mut Chunk) -> Result<()>;

/// The agents of a committed run, and how far it is.
pub(crate) struct Resumed {
    images: ReadOnlyTable<(u64, u32), &'static [u8]>,
    pub(crate) tick: u64,
    pub(crate) hash: u64,
    /// Agents of a chunk; the last may have fewer.
    pub(crate) chunk_agents: usize,
}

impl Resumed {
    pub(super) fn new(database: &Database, header: &Header) -> Result<Self> {
        let read = database.begin_read().map_err(reading)?;
        let chunk_agents = usize::try_from(header.chunk).ok().filter(|&agents| agents > 0);
        Ok(Self {
            images: read.open_table(IMAGES).map_err(reading)?,
            tick: header.tick,
            hash: header.hash,
            chunk_agents: chunk_agents
                .ok_or_else(|| Error::invalid(format!("chunks of {} agents", header.chunk)))?,
        })
    }

    /// The chunk whose first agent is `first`, `len` agents long, made by `room` for so many words of
    /// stream and what fills it.
    pub(crate) fn chunk(
        &mut self,
        layout: &ChunkLayout,
        first: u64,
        len: usize,
        room: impl FnOnce(usize, Fill<'_>) -> Result<Chunk>,
    ) -> Result<Chunk> {
        let place = first / self.chunk_agents as u64;
        let mut pieces = PieceReader::new(&self.images, place);
        let bytes =
            pieces.value_bytes().map_err(damaged)?.and_then(|bytes| usize::try_from(bytes).ok());
        let missing =
            || Error::invalid(format!("is damaged: agents from {first} on are not there"));
        let bytes = bytes.ok_or_else(missing)?;
        let header = ImageHeader::read(layout, len, Some(bytes), &mut pieces)?;
        if (header.first, header.len) != (first, len) {
            return Err(missing());
        }
        room(header.stream, &mut |chunk| header.fill(layout, chunk, &mut pieces))
    }
}
