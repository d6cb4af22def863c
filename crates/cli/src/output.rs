//! Standard output: text for a person, or one JSON object.

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::{Failure, Outcome, reason};

/// Prints an object on a line of its own.
pub(crate) fn print_json(object: &impl Serialize) -> Outcome {
    let json = serde_json::to_string(object).map_err(|error| Failure::other(error.to_string()))?;
    print(&(json + "\n"))
}

/// Prints to standard output.
///
/// A reader that has gone away (`| head`) is no failure of ours; a full disk is.
pub(crate) fn print(text: &str) -> Outcome {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::other(format!("standard output cannot be written: {}", reason(&error))))
        }
        _ => Ok(()),
    }
}
