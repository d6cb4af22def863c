//! Why a command failed: one line for a person, one exit code for a script.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind as Usage;

use crate::output::print;

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// A failure, ready to be shown.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The input is wrong: a flag, a key, a file, a value. Nothing was written.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// The budget cannot hold it.
    pub(crate) fn budget(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// Anything else.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// The run was stopped by Ctrl-C; what ran has been told already.
    pub(crate) fn interrupted() -> Self {
        Self { code: 130, message: String::new() }
    }

    /// The same failure, said of a model or a file, if it is what is wrong.
    pub(crate) fn within(self, place: &str) -> Self {
        match self.code {
            2 => Self { message: format!("{place}: {}", self.message), ..self },
            _ => self,
        }
    }

    /// A file that was to be read cannot be.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::input(format!("{}: {}", path.display(), reason(error)))
    }

    /// A file that was to be written cannot be.
    pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Self {
        Self::other(format!("{} cannot be written: {}", path.display(), reason(error)))
    }

    /// Prints the line and answers the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            // If even standard error is closed, the exit code still tells.
            let _ = writeln!(io::stderr(), "error: {}", one_line(&self.message));
        }
        ExitCode::from(self.code)
    }
}

impl From<populace_agent::Error> for Failure {
    fn from(error: populace_agent::Error) -> Self {
        match error.kind() {
            populace_agent::ErrorKind::Memory => Self::budget(error.to_string()),
            populace_agent::ErrorKind::Io => Self::other(error.to_string()),
            _ => Self::input(error.to_string()),
        }
    }
}

impl From<populace_population::Error> for Failure {
    fn from(error: populace_population::Error) -> Self {
        match error.kind() {
            populace_population::ErrorKind::Budget => Self::budget(error.to_string()),
            populace_population::ErrorKind::System => Self::other(error.to_string()),
            _ => Self::input(error.to_string()),
        }
    }
}

/// Answers what clap could not make a command of: help and the version go to standard output,
/// anything else is one line, where clap itself would fill a screen.
pub(crate) fn usage(error: &clap::Error) -> Outcome {
    let text = error.render().to_string();
    match error.kind() {
        Usage::DisplayHelp | Usage::DisplayVersion => print(&text),
        Usage::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Help in place of one line; if it cannot be shown, the exit code still tells.
            let _ = error.print();
            Err(Failure { code: 2, message: String::new() })
        }
        _ => {
            let text = text.split("\n\nUsage:").next().unwrap_or(&text);
            let text = text.split("\n\nFor more information").next().unwrap_or(text);
            let text = text.strip_prefix("error: ").unwrap_or(text);
            Err(Failure::input(text.replace("\n\n  tip: ", "; ")))
        }
    }
}

/// What an error says, without the number that Rust appends.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// The words of a text on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
