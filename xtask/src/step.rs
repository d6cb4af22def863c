//! Steps of a chore: each is named, timed and remembered, and a failed one does not hide the next.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// What a step answers: nothing, or why it failed.
pub(crate) type Outcome = Result<(), String>;

/// The steps that were taken.
#[derive(Default)]
pub(crate) struct Steps {
    taken: Vec<(&'static str, Duration, Outcome)>,
}

impl Steps {
    /// Takes a step and prints how it went.
    pub(crate) fn take(&mut self, name: &'static str, step: impl FnOnce() -> Outcome) {
        println!("==> {name}");
        let start = Instant::now();
        let outcome = step();
        let took = start.elapsed();
        if let Err(reason) = &outcome {
            println!("{reason}");
        }
        println!("<== {name}: {} in {:.1} s\n", verdict(&outcome), took.as_secs_f64());
        self.taken.push((name, took, outcome));
    }

    /// Prints the summary; fails if any step failed.
    pub(crate) fn finish(self) -> ExitCode {
        let failed = self.taken.iter().filter(|(_, _, outcome)| outcome.is_err()).count();
        let total: f64 = self.taken.iter().map(|(_, took, _)| took.as_secs_f64()).sum();
        for (name, took, outcome) in &self.taken {
            println!("{:<10} {:>7.1} s  {}", name, took.as_secs_f64(), verdict(outcome));
        }
        println!("{:<10} {total:>7.1} s", "total");
        println!("{} steps passed, {failed} failed", self.taken.len() - failed);
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The exit code of a chore that is one step; why it failed is printed.
pub(crate) fn finish(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn verdict(outcome: &Outcome) -> &'static str {
    if outcome.is_ok() { "passed" } else { "FAILED" }
}

/// Runs a command to its end, its output shown.
pub(crate) fn command(command: &mut Command) -> Outcome {
    let shown = format!("{command:?}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown}: {status}")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// Runs a command to its end, then shows its standard output, and answers it.
pub(crate) fn shown(command: &mut Command) -> (String, Outcome) {
    let name = format!("{command:?}");
    match command.stderr(Stdio::inherit()).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            print!("{text}");
            let status = output.status;
            (text, if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) })
        }
        Err(error) => (String::new(), Err(format!("{name}: {error}"))),
    }
}

/// `cargo` with these arguments, in the root of the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(crate::root()).args(arguments);
    cargo
}
