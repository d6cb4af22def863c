//! Values of any length in a table: cut into pieces that fill the store's pages.
//!
//! A store keeps a value in one run of 2^n pages. A piece is as long as fits 16 of them, so that at
//! most the last piece of a value wastes space, and memory is needed for one piece at a time.

use std::io::{self, Read, Write};

use redb::{ReadableTable, StorageError, Table, TableDefinition};

/// Pieces by (value, place in it).
pub(super) type Pieces = TableDefinition<'static, (u64, u32), &'static [u8]>;

/// Bytes of every piece of a value but the last; the rest of the 64 KiB is the store's.
pub(super) const PIECE_BYTES: usize = (64 << 10) - 256;

/// Writes one value. [`PieceWriter::finish`] writes its last piece.
pub(super) struct PieceWriter<'a, 'txn> {
    table: &'a mut Table<'txn, (u64, u32), &'static [u8]>,
    value: u64,
    place: u32,
    buffer: &'a mut Vec<u8>,
}

impl<'a, 'txn> PieceWriter<'a, 'txn> {
    /// A writer of `value`; the buffer is used while it writes.
    pub(super) fn new(
        table: &'a mut Table<'txn, (u64, u32), &'static [u8]>,
        value: u64,
        buffer: &'a mut Vec<u8>,
    ) -> Self {
        buffer.clear();
        buffer.reserve(PIECE_BYTES);
        Self { table, value, place: 0, buffer }
    }

    fn put(&mut self) -> io::Result<()> {
        let key = (self.value, self.place);
        self.table.insert(key, self.buffer.as_slice()).map_err(to_io)?;
        self.place += 1;
        self.buffer.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.buffer.is_empty() && self.place > 0 { Ok(()) } else { self.put() }
    }
}

impl Write for PieceWriter<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == PIECE_BYTES {
            self.put()?;
        }
        let room = bytes.len().min(PIECE_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads one value.
pub(crate) struct PieceReader<'a, T> {
    table: &'a T,
    value: u64,
    place: u32,
    piece: Option<redb::AccessGuard<'a, &'static [u8]>>,
    at: usize,
}

impl<'a, T: ReadableTable<(u64, u32), &'static [u8]>> PieceReader<'a, T> {
    pub(super) fn new(table: &'a T, value: u64) -> Self {
        Self { table, value, place: 0, piece: None, at: 0 }
    }

    /// Bytes of the value, if it is there.
    pub(super) fn value_bytes(&self) -> io::Result<Option<u64>> {
        let pieces = (self.value, 0)..=(self.value, u32::MAX);
        let mut pieces = self.table.range(pieces).map_err(to_io)?;
        let Some(last) = pieces.next_back() else { return Ok(None) };
        let (key, piece) = last.map_err(to_io)?;
        let before = u64::from(key.value().1) * PIECE_BYTES as u64;
        Ok(Some(before + piece.value().len() as u64))
    }
}

impl<T: ReadableTable<(u64, u32), &'static [u8]>> Read for PieceReader<'_, T> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let ended = self.piece.as_ref().is_none_or(|piece| self.at == piece.value().len());
        if ended {
            self.piece = self.table.get((self.value, self.place)).map_err(to_io)?;
            self.place = self.place.saturating_add(1);
            self.at = 0;
        }
        let Some(piece) = &self.piece else { return Ok(0) };
        let rest = &piece.value()[self.at..];
        let bytes = rest.len().min(out.len());
        out[..bytes].copy_from_slice(&rest[..bytes]);
        self.at += bytes;
        Ok(bytes)
    }
}

/// What went wrong in a store, as its reader or writer says it.
fn to_io(error: StorageError) -> io::Error {
    match error {
        StorageError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}
