//! A file that appears whole or not at all.
//!
//! It is written beside its destination under another name and renamed onto it at the end, so a
//! reader, a killed process or a full disk never leaves half a file, and what stood there stays
//! until then. (Nothing is forced to the disk: a power cut is not a case that outputs of a run are
//! guarded against.)
//! A destination that is no regular file (`/dev/null`) is written in place: a rename would replace
//! the device itself.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, ErrorKind, Result};

/// A file being written. Dropped before [`commit`](Self::commit), it leaves nothing behind.
#[derive(Debug)]
pub(super) struct AtomicFile {
    file: File,
    /// As the caller wrote it.
    path: PathBuf,
    destination: PathBuf,
    /// None: `destination` is written in place.
    temporary: Option<PathBuf>,
}

impl AtomicFile {
    /// Opens a file that will become `path`.
    pub(super) fn create(path: &Path) -> Result<Self> {
        Self::open(path).map_err(|error| unwritable(path, &error))
    }

    fn open(path: &Path) -> io::Result<Self> {
        // Behind a link, the file it names is replaced, not the link.
        let destination = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Ok(metadata) = fs::metadata(&destination) {
            // Asks for the right to write without touching what is there.
            let file = OpenOptions::new().write(true).open(&destination)?;
            if !metadata.is_file() {
                return Ok(Self { file, path: path.to_owned(), destination, temporary: None });
            }
        }
        let name = destination.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        let mut attempts = 0;
        loop {
            let mut temporary = std::ffi::OsString::from(".");
            temporary.push(name);
            temporary.push(format!(".{}-{}.tmp", std::process::id(), next_number()));
            let temporary = destination.with_file_name(temporary);
            // Read as well, for what moves data inside the file.
            let opened =
                OpenOptions::new().read(true).write(true).create_new(true).open(&temporary);
            match opened {
                Ok(file) => {
                    let (path, temporary) = (path.to_owned(), Some(temporary));
                    return Ok(Self { file, path, destination, temporary });
                }
                // Left behind by a killed process that had this one's number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempts < 100 => {
                    attempts += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The file to write to.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Whether positions can be revisited: not in a device or a pipe.
    pub(super) fn is_regular(&self) -> bool {
        self.temporary.is_some()
    }

    /// An error of writing, with the name of what was to be written.
    pub(super) fn error(&self, error: &io::Error) -> Error {
        unwritable(&self.path, error)
    }

    /// Makes the file appear under its name.
    pub(super) fn commit(mut self) -> Result<()> {
        let Some(temporary) = self.temporary.take() else { return Ok(()) };
        fs::rename(&temporary, &self.destination).map_err(|error| {
            // It did not become the file, so nothing of it should stay.
            let _ = fs::remove_file(&temporary);
            self.error(&error)
        })
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nobody is left to tell if it fails.
            let _ = fs::remove_file(temporary);
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{}: cannot be written: {error}", path.display()))
}

/// A number that no other file of this process has.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
