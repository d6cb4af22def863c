//! What can go wrong with a population.

use std::fmt;

use populace_pool::Bytes;

/// The result of an operation on a population.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, in one line that names the culprit, its value and the rule.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The kinds of [`Error`].
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The input is wrong.
    Invalid,
    /// The input asks for something that is not there (yet).
    Unsupported,
    /// The budget cannot hold it.
    Budget,
    /// The operating system refused threads, memory or a file.
    System,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// `agents` need `needed` bytes in the worst case, and at most `fits` agents would fit.
    pub(crate) fn over_budget(
        agents: u64,
        needed: u128,
        budget: u64,
        fits: u64,
        holders: Holders,
    ) -> Self {
        let needed = u64::try_from(needed).unwrap_or(u64::MAX);
        let advice = match fits {
            0 => "not even one agent fits".to_owned(),
            1 => "1 agent fits".to_owned(),
            fits => format!("{fits} agents fit"),
        };
        Self::new(
            ErrorKind::Budget,
            format!(
                "{agents} agents need {} in the worst case, and the budget is {}: {advice}; {holders}",
                Bytes(needed),
                Bytes(budget)
            ),
        )
    }

    /// An agent of the population needs `needed` bytes in the worst case, and is allowed fewer.
    pub(crate) fn over_agent_limit(needed: u64, limit: u64, holders: Holders) -> Self {
        Self::new(
            ErrorKind::Budget,
            format!(
                "an agent needs {} in the worst case, and its limit is {}; {holders}",
                Bytes(needed),
                Bytes(limit)
            ),
        )
    }

    /// The same error, said of a place: a file.
    pub(crate) fn within(self, place: impl fmt::Display) -> Self {
        Self { kind: self.kind, message: format!("{place}: {}", self.message) }
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// Who would hold how many bytes.
#[derive(Debug)]
pub(crate) struct Holders(Vec<(String, u64)>);

impl Holders {
    /// How many of them are named.
    const NAMED: usize = 5;

    pub(crate) fn new(holders: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut holders: Vec<_> = holders.into_iter().filter(|&(_, bytes)| bytes > 0).collect();
        holders.sort_by_key(|&(_, bytes)| std::cmp::Reverse(bytes));
        holders.truncate(Self::NAMED);
        Self(holders)
    }
}

impl fmt::Display for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("largest holders: ")?;
        for (n, (name, bytes)) in self.0.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{name} {}", Bytes(*bytes))?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<populace_agent::Error> for Error {
    fn from(error: populace_agent::Error) -> Self {
        let kind = match error.kind() {
            populace_agent::ErrorKind::Invalid => ErrorKind::Invalid,
            populace_agent::ErrorKind::Unsupported => ErrorKind::Unsupported,
            populace_agent::ErrorKind::Memory => ErrorKind::Budget,
            _ => ErrorKind::System,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<populace_pool::Error> for Error {
    fn from(error: populace_pool::Error) -> Self {
        let kind = match error.kind() {
            populace_pool::ErrorKind::System { .. } => ErrorKind::System,
            _ => ErrorKind::Budget,
        };
        Self::new(kind, error.to_string())
    }
}
