//! Memory that a worker lends to a chunk that has none of its own.
//!
//! Agents that memory cannot hold are on disk, and step in a worker's spare memory: it is as large as a
//! chunk can become, and taken before the first tick, so that neither reading agents back nor evicting
//! them ever needs memory.
//!
//! Invariant: a spare array is with its worker or with one chunk; a chunk that borrows is written to
//! disk, or finds memory of its own, before it gives back.

use populace_pool::SharedResource;
use populace_tensor::Array;

use super::{Chunk, ChunkLayout};
use crate::Result;
use crate::members::Members;

/// Columns and a stream for any chunk; empty while a chunk has them.
#[derive(Debug)]
pub(crate) struct Spare {
    pub(super) columns: Array<u8>,
    pub(super) stream: Array<u64>,
}

impl Spare {
    /// For chunks of at most so many agents.
    pub(crate) fn new(
        layout: &ChunkLayout,
        agents: usize,
        memory: &SharedResource,
    ) -> Result<Self> {
        Ok(Self {
            columns: Array::unspecified(memory, layout.column_bytes(agents))?,
            stream: Array::unspecified(memory, layout.most_words(agents))?,
        })
    }

    /// Whether a chunk may borrow: nothing is lent.
    pub(crate) fn is_whole(&self) -> bool {
        !self.columns.is_empty() && !self.stream.is_empty()
    }
}

/// What a chunk borrows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Borrowed {
    pub(super) columns: bool,
    pub(super) stream: bool,
}

impl Chunk {
    /// A chunk without memory: its agents are on disk.
    pub(crate) fn away(members: Members) -> Self {
        Self {
            members,
            row: 0,
            columns: Array::default(),
            beliefs: Array::default(),
            used_words: 0,
            borrows: Borrowed::default(),
            ahead: false,
        }
    }

    /// Whether it is in borrowed memory, or partly.
    pub(crate) fn borrows(&self) -> bool {
        self.borrows.columns || self.borrows.stream
    }

    /// Whether just as much of this spare memory is lent as the chunk borrows.
    pub(crate) fn may_give_back_to(&self, spare: &Spare) -> bool {
        let Borrowed { columns, stream } = self.borrows;
        columns == spare.columns.is_empty() && stream == spare.stream.is_empty()
    }

    /// Takes the place of a chunk without memory: `words` of stream, contents unspecified. `false` where
    /// the spare memory is lent already.
    pub(crate) fn borrow(&mut self, spare: &mut Spare, words: usize) -> bool {
        if !spare.is_whole() || words > spare.stream.len() {
            return false;
        }
        std::mem::swap(&mut self.columns, &mut spare.columns);
        std::mem::swap(&mut self.beliefs, &mut spare.stream);
        (self.used_words, self.borrows) = (words, Borrowed { columns: true, stream: true });
        true
    }

    /// Gives back what was borrowed, and gives up what was its own: the agents are on disk.
    ///
    /// The spare memory must be the one that was borrowed from, or another of which as much is lent.
    pub(crate) fn give_back(&mut self, spare: &mut Spare) {
        self.used_words = 0;
        let Borrowed { columns, stream } = std::mem::take(&mut self.borrows);
        let beliefs = std::mem::take(&mut self.beliefs);
        if stream {
            spare.stream = beliefs;
        }
        let own = std::mem::take(&mut self.columns);
        if columns {
            spare.columns = own;
        }
    }

    /// Gives up memory of its own: the agents are on disk.
    pub(crate) fn give_up(&mut self) {
        self.used_words = 0;
        self.columns = Array::default();
        self.beliefs = Array::default();
    }

    /// Moves into memory of its own, if it can be had, and gives back what was borrowed.
    pub(crate) fn settle(
        &mut self,
        layout: &ChunkLayout,
        spare: &mut Spare,
        memory: &SharedResource,
    ) -> bool {
        let (columns, stream) = self.contents(layout);
        let own = Array::unspecified(memory, columns.len())
            .and_then(|columns| Ok((columns, Array::unspecified(memory, stream.len())?)));
        let Ok((mut own_columns, mut own_stream)) = own else { return false };
        own_columns.copy_from_slice(columns);
        own_stream.copy_from_slice(stream);
        let words = self.used_words;
        self.give_back(spare);
        (self.columns, self.beliefs, self.used_words) = (own_columns, own_stream, words);
        true
    }
}
