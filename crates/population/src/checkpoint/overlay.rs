//! A file to read that is never written to.
//!
//! A store that a killed process left behind is repaired when it is opened. Whether it is ours, whole
//! and of a version that we know is only seen then, and until then not a byte of it may change; so
//! what the repair writes is kept beside the file, and forgotten with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;
use redb::backends::FileBackend;

/// What is kept beside the file, by its place in it; a page of the store's is a multiple of it.
const BLOCK_BYTES: u64 = 4096;

/// A file, and what would have been written to it.
#[derive(Debug)]
pub(super) struct Overlay {
    file: FileBackend,
    over: Mutex<Over>,
}

#[derive(Debug)]
struct Over {
    len: u64,
    /// Of the file: beyond it, or where it was cut off, there are zeros.
    file_len: u64,
    blocks: BTreeMap<u64, Box<[u8]>>,
}

impl Overlay {
    /// Over a file that was opened to be read.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let file = FileBackend::new(file).map_err(io::Error::other)?;
        Ok(Self { file, over: Mutex::new(Over { len, file_len: len, blocks: BTreeMap::new() }) })
    }

    fn over(&self) -> MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pieces of a range that lie in one block each: (block, offset in it, range of the whole).
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % BLOCK_BYTES) as usize;
        let bytes = (BLOCK_BYTES as usize - within).min(len - done);
        let range = done..done + bytes;
        done += bytes;
        (bytes > 0).then_some((at / BLOCK_BYTES, within, range))
    })
}

impl Over {
    /// Reads from the file, zeros where it has nothing.
    fn read_file(&self, file: &FileBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = self.file_len.saturating_sub(offset).min(out.len() as u64) as usize;
        let (there, beyond) = out.split_at_mut(there);
        beyond.fill(0);
        if there.is_empty() { Ok(()) } else { file.read(offset, there) }
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.over().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let over = self.over();
        let end = offset.checked_add(out.len() as u64);
        if end.is_none_or(|end| end > over.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        over.read_file(&self.file, offset, out)?;
        for (block, within, range) in pieces(offset, out.len()) {
            if let Some(written) = over.blocks.get(&block) {
                let bytes = range.len();
                out[range].copy_from_slice(&written[within..within + bytes]);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut over = self.over();
        if len < over.len {
            let first = len.div_ceil(BLOCK_BYTES);
            over.blocks.split_off(&first);
            if let Some(last) = over.blocks.get_mut(&(len / BLOCK_BYTES)) {
                last[(len % BLOCK_BYTES) as usize..].fill(0);
            }
            over.file_len = over.file_len.min(len);
        }
        over.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut over = self.over();
        for (block, within, range) in pieces(offset, data.len()) {
            if !over.blocks.contains_key(&block) {
                let mut bytes = vec![0; BLOCK_BYTES as usize].into_boxed_slice();
                over.read_file(&self.file, block * BLOCK_BYTES, &mut bytes)?;
                over.blocks.insert(block, bytes);
            }
            if let Some(bytes) = over.blocks.get_mut(&block) {
                bytes[within..within + range.len()].copy_from_slice(&data[range]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use redb::StorageBackend;

    use super::Overlay;

    #[test]
    fn writes_are_seen_and_the_file_stays() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let old: Vec<u8> = (0..10_000_u32).map(|i| i as u8).collect();
        file.write_all(&old).unwrap();
        let over = Overlay::new(file.reopen().unwrap()).unwrap();
        over.write(4090, &[200; 20]).unwrap();
        over.set_len(5000).unwrap();
        over.set_len(9000).unwrap();
        over.write(8990, &[201; 10]).unwrap();
        let mut expected = old[..5000].to_vec();
        expected[4090..4110].fill(200);
        expected.resize(9000, 0);
        expected[8990..].fill(201);
        let mut seen = vec![1; 9000];
        over.read(0, &mut seen).unwrap();
        assert_eq!(seen, expected);
        assert!(over.read(8999, &mut [0; 2]).is_err());
        drop(over);
        assert_eq!(std::fs::read(file.path()).unwrap(), old);
    }
}
