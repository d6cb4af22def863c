//! A file that is written whole or not at all.
//!
//! What is written goes to a temporary beside the target, which takes the target's name at the
//! end: a failure half-way leaves no half file, and what stood there before is still there. A
//! target that is no regular file (a pipe, a device) cannot be replaced and is written directly.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::failure::{Failure, Outcome};

/// A file being written.
pub(crate) struct Output {
    path: PathBuf,
    target: Target,
}

enum Target {
    Replaced(NamedTempFile),
    Direct(File),
}

impl Output {
    /// Opens an output, so that one that cannot be written is known before any work is done.
    pub(crate) fn create(path: &Path) -> Outcome<Self> {
        let target = match path.metadata() {
            Ok(found) if found.is_file() => {
                // A file that may not be written to is not replaced either.
                let file = OpenOptions::new().write(true).open(path);
                file.and_then(|_| path.canonicalize()).and_then(|path| beside(&path))
            }
            Ok(_) => OpenOptions::new().write(true).open(path).map(Target::Direct),
            Err(_) => beside(path),
        };
        match target {
            Ok(target) => Ok(Self { path: path.to_owned(), target }),
            Err(error) => Err(Failure::unwritable(path, &error)),
        }
    }

    /// The file, to write to. None if it is a pipe or a device, which cannot be gone back in.
    pub(crate) fn seekable(&mut self) -> Option<&mut File> {
        match &mut self.target {
            Target::Replaced(temporary) => Some(temporary.as_file_mut()),
            Target::Direct(_) => None,
        }
    }

    /// Writes everything and is done.
    pub(crate) fn write(mut self, bytes: &[u8]) -> Outcome {
        let written = match &mut self.target {
            Target::Replaced(temporary) => temporary.write_all(bytes),
            Target::Direct(file) => file.write_all(bytes),
        };
        written.map_err(|error| self.failure(&error))?;
        self.commit()
    }

    /// Gives the file its name.
    pub(crate) fn commit(self) -> Outcome {
        let Target::Replaced(temporary) = self.target else { return Ok(()) };
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        match temporary.persist(path) {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::unwritable(&self.path, &error.error)),
        }
    }

    /// The failure that an error of this file is.
    pub(crate) fn failure(&self, error: &io::Error) -> Failure {
        Failure::unwritable(&self.path, error)
    }

    /// The directory that the file will be in.
    pub(crate) fn directory(&self) -> &Path {
        directory(&self.path)
    }
}

fn beside(path: &Path) -> io::Result<Target> {
    if path.file_name().is_none() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".populace-");
    // Temporary files are private by default; the umask decides what this one becomes.
    #[cfg(unix)]
    builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
    match builder.tempfile_in(directory(path)) {
        Ok(temporary) => Ok(Target::Replaced(temporary)),
        Err(error) => Err(without_temporary(error)),
    }
}

/// tempfile wraps the system's error to name its temporary, which says nothing to the user.
fn without_temporary(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|wrapped| wrapped.source());
    match inner.and_then(|inner| inner.downcast_ref::<io::Error>()?.raw_os_error()) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error,
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
