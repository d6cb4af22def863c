//! A file that fails on purpose, to see what survives it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};

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
    pub(crate) file: Box<dyn StorageBackend>,
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
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fault.call()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.fault.call() {
            Ok(()) => self.file.write(offset, data),
            Err(error) => {
                // A part of it got there.
                self.file.write(offset, &data[..data.len() / 2])?;
                Err(error)
            }
        }
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
