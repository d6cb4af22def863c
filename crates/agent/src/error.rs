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
    /// The input is wrong: a file that is missing, unreadable or malformed, a tensor, an argument.
    Invalid,
    /// The input asks for something that is not there (yet).
    Unsupported,
    /// Memory was refused.
    Memory,
    /// Writing failed.
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

    /// The input asks for what is not there (yet).
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error, said of `place`: `B.0: …` becomes `model.safetensors: B.0: …`.
    ///
    /// ```
    /// use populace_agent::Error;
    ///
    /// let error = Error::invalid("B.0: is missing").within("maze.safetensors");
    /// assert_eq!(error.to_string(), "maze.safetensors: B.0: is missing");
    /// ```
    #[must_use]
    pub fn within(self, place: impl fmt::Display) -> Self {
        Self { kind: self.kind, message: format!("{place}: {}", self.message) }
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
