//! `populace completions`: what a shell needs to complete commands and flags.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Populace;
use crate::failure::Outcome;
use crate::output::print;

/// Print the completions of a shell
///
/// For example, for bash: populace completions bash > ~/.local/share/bash-completion/completions/populace
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn execute(&self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Populace::command(), "populace", &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}
