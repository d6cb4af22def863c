//! What can go wrong with memory.

use std::fmt;

/// The result of an operation on memory.
pub type Result<T> = std::result::Result<T, Error>;

/// Why memory was not given.
///
/// The message names the request, the limit and what remains of it.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
}

/// The kinds of [`Error`].
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// A limit would be exceeded.
    OverLimit {
        /// What was asked for, in bytes.
        requested_bytes: u64,
        /// What was taken already, in bytes.
        used_bytes: u64,
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// The size cannot be represented or the alignment is not supported.
    BadLayout {
        /// What was asked for, in bytes.
        requested_bytes: u64,
        /// The alignment asked for, in bytes.
        align_bytes: u64,
    },
    /// The operating system refused.
    System {
        /// What was asked for, in bytes.
        requested_bytes: u64,
        /// The operating system's error number.
        errno: i32,
    },
}

impl Error {
    /// Makes an error of a kind.
    pub fn new(kind: ErrorKind) -> Self {
        Self { kind }
    }

    /// What kind of error this is.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::OverLimit { requested_bytes, used_bytes, limit_bytes } => write!(
                f,
                "{} requested, but {} of the limit of {} is taken and {} remains",
                Bytes(requested_bytes),
                Bytes(used_bytes),
                Bytes(limit_bytes),
                Bytes(limit_bytes.saturating_sub(used_bytes)),
            ),
            ErrorKind::BadLayout { requested_bytes, align_bytes } => write!(
                f,
                "a block of {requested_bytes} bytes aligned to {align_bytes} is not possible"
            ),
            ErrorKind::System { requested_bytes, errno } => write!(
                f,
                "the operating system refused {}: {}",
                Bytes(requested_bytes),
                std::io::Error::from_raw_os_error(errno)
            ),
        }
    }
}

impl std::error::Error for Error {}

/// A number of bytes, shown in binary units: `Bytes(1 << 20)` reads `1.0 MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 1023.95 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.1} {}", UNITS[unit])
    }
}
