//! A file whose store is checked when it is opened, however it was left.
//!
//! redb trusts a store that was closed, down to the maps of its pages, and fails badly where these are
//! damaged. A store that was not closed it checks, page by page. So it is told that this one was not,
//! until it writes how it is itself; the file does not change by that.
//!
//! Where the last commit is not whole, redb goes back to the one before. It cannot be told not to: a
//! process that is killed may leave half a commit, and one that is killed when it repairs that leaves
//! it in a store that says of itself that it was closed.
//!
//! Invariant: in a store that was closed nothing is lost by going back, as closing is a commit of its
//! own, which changes no value.

use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{BackendError, StorageBackend};

/// Where redb's header says how its last writer left it, and the bits for: the maps of pages were kept;
/// a writer has not finished.
const STATE_AT: u64 = 9;
const MAPS_KEPT: u8 = 4;
const UNFINISHED: u8 = 2;

/// What redb says of a store that is not whole, in plain words where they are known.
pub(crate) fn why_damaged(what: &str) -> &str {
    match what {
        _ if what.contains("file_len=") => "its length is not what it was",
        _ if what.contains("All roots are corrupted") => "a page's checksum does not match",
        _ => what,
    }
}

/// A file that is doubted.
#[derive(Debug)]
pub(crate) struct Doubted<F> {
    file: F,
    doubted: AtomicBool,
}

impl<F: StorageBackend> Doubted<F> {
    pub(crate) fn new(file: F) -> Self {
        Self { file, doubted: AtomicBool::new(true) }
    }
}

impl<F: StorageBackend> StorageBackend for Doubted<F> {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64);
        if end.is_none_or(|end| self.file.len().is_ok_and(|len| end > len)) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.file.read(offset, out)?;
        let state = STATE_AT.checked_sub(offset).and_then(|at| out.get_mut(at as usize));
        if let Some(state) = state.filter(|_| self.doubted.load(Ordering::Relaxed)) {
            *state = (*state | UNFINISHED) & !MAPS_KEPT;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if (offset..offset.saturating_add(data.len() as u64)).contains(&STATE_AT) {
            self.doubted.store(false, Ordering::Relaxed);
        }
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
