//! Whom a call is about: from ids to chunks and places.
//!
//! Chunks stand in the order of their agents' ids, and agents within a chunk too; so the chunk of an
//! id, and its place there, are found by halving, and no index is kept.

use crate::chunk::Chunk;
use crate::passage::twice;
use crate::population::Population;
use crate::record::Number;
use crate::{Error, Result};

/// One agent that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) chunk: u32,
    /// Its place in the chunk.
    pub(crate) place: u32,
    /// Its row in the caller's arrays.
    pub(crate) row: u32,
}

/// The agents of a chunk that a tick steps.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Called<'a> {
    /// Everyone.
    All,
    /// These, in the order of their places.
    Some(&'a [Call]),
}

impl Called<'_> {
    /// How many, of a chunk of `len` agents.
    pub(crate) fn count(&self, len: usize) -> usize {
        match self {
            Self::All => len,
            Self::Some(calls) => calls.len(),
        }
    }

    /// Where the k-th of them stands.
    #[inline]
    pub(crate) fn place(&self, k: usize) -> usize {
        match self {
            Self::All => k,
            Self::Some(calls) => calls[k].place as usize,
        }
    }
}

/// The agents of every chunk that are asked for: (chunk, its agents), chunks without any left out.
pub(crate) fn by_chunk(calls: &[Call]) -> impl Iterator<Item = (usize, &[Call])> {
    calls.chunk_by(|a, b| a.chunk == b.chunk).map(|calls| (calls[0].chunk as usize, calls))
}

/// The chunk that an id belongs to, if there is any chunk: the last that does not start after it.
pub(crate) fn chunk_of(chunks: &[Chunk], id: u64) -> usize {
    chunks.partition_point(|chunk| chunk.members.first() <= id).saturating_sub(1)
}

impl<T: Number> Population<T> {
    /// Where agents stand, in the order of chunks and places.
    ///
    /// # Errors
    ///
    /// One of them is not in memory, or, unless `repeats` are allowed, stands in `ids` twice.
    pub(crate) fn locate(&self, ids: &[u64], repeats: bool) -> Result<Vec<Call>> {
        let mut calls = Vec::with_capacity(ids.len());
        // Rows and places are counted in 4 bytes.
        if u32::try_from(ids.len()).is_err() {
            return Err(Error::invalid(format!("ids: {} are more than 2^32", ids.len())));
        }
        let mut chunk = 0;
        for (row, &id) in ids.iter().enumerate() {
            // Ids mostly come in order.
            let here = |chunk: &Chunk| chunk.members.find(id).ok();
            let found = self.chunks.get(chunk).and_then(here).or_else(|| {
                chunk = chunk_of(&self.chunks, id);
                self.chunks.get(chunk).and_then(here)
            });
            let Some(place) = found else { return Err(self.absent(row, id)) };
            calls.push(Call { chunk: chunk as u32, place: place as u32, row: row as u32 });
        }
        if !calls.is_sorted() {
            calls.sort_unstable();
        }
        let same =
            |pair: &&[Call]| (pair[0].chunk, pair[0].place) == (pair[1].chunk, pair[1].place);
        if let Some(pair) = calls.windows(2).find(same)
            && !repeats
        {
            let row = pair[1].row as usize;
            return Err(twice(ids[row], row, pair[0].row as usize));
        }
        Ok(calls)
    }

    /// Where an agent stands, if it is in memory; asked for by nobody's row.
    pub(crate) fn find_id(&self, id: u64) -> Option<Call> {
        let chunk = chunk_of(&self.chunks, id);
        let place = self.chunks.get(chunk)?.members.find(id).ok()?;
        Some(Call { chunk: chunk as u32, place: place as u32, row: 0 })
    }

    /// Counts anew how many agents stand before each chunk.
    pub(crate) fn number_rows(&mut self) {
        let mut row = 0;
        for chunk in &mut self.chunks {
            chunk.row = row;
            row += chunk.len();
        }
    }

    /// How many agents are in memory.
    pub(crate) fn agents(&self) -> u64 {
        self.chunks.last().map_or(0, |chunk| (chunk.row + chunk.len()) as u64)
    }
}
