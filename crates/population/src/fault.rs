//! A file that fails on purpose, and keeps a log of what was done to it, to see what survives.

pub(crate) mod instants;

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

/// Which calls fail, and how; shared with the files that it rules.
#[derive(Debug, Default)]
pub(crate) struct Fault {
    /// Calls that change the file, or the disk under it.
    calls: AtomicU64,
    /// The first call that fails, counted from 1; those after it fail too. 0: none.
    from: AtomicU64,
    /// The error number that it fails with.
    errno: AtomicI32,
    /// What was done since it was asked for last.
    log: Mutex<Vec<Change>>,
}

/// What is done to a file.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
    Sync,
}

impl Change {
    /// Does it to a file's bytes.
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => {
                let end = at + data.len();
                file.resize(file.len().max(end), 0);
                file[*at..end].copy_from_slice(data);
            }
            Self::SetLen(len) => file.resize(*len, 0),
            Self::Sync => {}
        }
    }

    fn is_sync(&self) -> bool {
        matches!(self, Self::Sync)
    }

    /// What of it a process, when it is killed, has done or not: a write goes page by page.
    fn parts(self) -> Vec<Self> {
        const PAGE: usize = 4096;
        let Self::Write(at, data) = self else { return vec![self] };
        assert_eq!(at % PAGE, 0, "redb writes whole pages");
        data.chunks(PAGE)
            .enumerate()
            .map(|(n, page)| Self::Write(at + n * PAGE, page.into()))
            .collect()
    }
}

/// The numbers of a full disk, a broken one, and one that was mounted to be read.
pub(crate) const FAULTS: [(i32, &str); 3] =
    [(28, "No space left on device"), (5, "Input/output error"), (30, "Read-only file system")];

impl Fault {
    /// From the `from`th call on, everything fails.
    pub(crate) fn arm(&self, from: u64, errno: i32) {
        self.calls.store(0, SeqCst);
        self.errno.store(errno, SeqCst);
        self.from.store(from, SeqCst);
    }

    /// All is well again; answers whether anything failed.
    pub(crate) fn disarm(&self) -> bool {
        let from = self.from.swap(0, SeqCst);
        from > 0 && self.calls.load(SeqCst) >= from
    }

    /// What was done to the file since this was asked last.
    fn take_log(&self) -> Vec<Change> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn done(&self, change: Change) {
        self.log.lock().unwrap().push(change);
    }

    fn call(&self) -> io::Result<()> {
        let call = self.calls.fetch_add(1, SeqCst) + 1;
        match self.from.load(SeqCst) {
            0 => Ok(()),
            from if call < from => Ok(()),
            _ => Err(io::Error::from_raw_os_error(self.errno.load(SeqCst))),
        }
    }
}

/// A file under a [`Fault`].
#[derive(Debug)]
pub(crate) struct Failing {
    pub(crate) file: Arc<dyn StorageBackend>,
    pub(crate) fault: Arc<Fault>,
}

impl StorageBackend for Failing {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fault.call()?;
        self.file.set_len(len)?;
        self.fault.done(Change::SetLen(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fault.call()?;
        self.file.sync_data()?;
        self.fault.done(Change::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let called = self.fault.call();
        // Where it fails, a part of it gets there.
        let data = &data[..if called.is_ok() { data.len() } else { data.len() / 2 }];
        self.file.write(offset, data)?;
        self.fault.done(Change::Write(offset as usize, data.to_vec()));
        called
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
