//! What can be wrong with a model.

use std::fmt;

/// The result of reading, checking or compiling a model.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong, in one line that names the culprit, its value and the rule.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The kinds of [`Error`].
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The input is wrong: a file, a tensor, an argument.
    Invalid,
    /// The input asks for something that is not there (yet).
    Unsupported,
    /// Memory was refused.
    Memory,
    /// Reading or writing failed.
    Io,
}

impl Error {
    /// Makes an error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The input is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<populace_pool::Error> for Error {
    fn from(error: populace_pool::Error) -> Self {
        Self::new(ErrorKind::Memory, error.to_string())
    }
}
