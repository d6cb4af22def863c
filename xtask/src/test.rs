//! `cargo xtask test`: everything that a change must pass.

use std::process::ExitCode;

use crate::step::{Outcome, Steps, cargo, command, shown};
use crate::{licences, memcheck, python, readme, root};

/// How much is tested.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// What a change must pass: minutes.
    Short,
    /// Also the tests that ask for `POPULACE_LONG`.
    Long,
}

/// Takes every step, cheapest first, and sums up.
pub(crate) fn run(length: Length) -> ExitCode {
    let mut steps = Steps::default();
    steps.take("format", || command(&mut cargo(&["fmt", "--all", "--check"])));
    steps.take("licences", licences::check);
    steps.take("lints", || {
        command(&mut cargo(&[
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    });
    steps.take("docs", || {
        let mut doc = cargo(&["doc", "--locked", "--workspace", "--no-deps"]);
        command(doc.env("RUSTDOCFLAGS", "-D warnings"))
    });
    steps.take("tests", || {
        let mut test = cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]);
        if length == Length::Long {
            test.env("POPULACE_LONG", "1");
        }
        command(&mut test)
    });
    steps.take("loom", || models("loom"));
    steps.take("shuttle", || models("shuttle"));
    if length == Length::Long {
        memcheck::take(&mut steps);
    }
    steps.take("readme", readme::check);
    steps.take("python", || {
        python::check(if length == Length::Long {
            python::Wheel::Release
        } else {
            python::Wheel::Dev
        })
    });
    steps.finish()
}

/// Models of the pool's concurrent parts: loom takes every interleaving of two preemptions, shuttle
/// some thousand random schedules of the whole.
///
/// They are built apart (`--cfg` swaps the pool's atomics and locks), in release, because each
/// model's body runs thousands of times.
fn models(checker: &str) -> Outcome {
    let mut test = cargo(&["test", "--locked", "--release", "-p", "populace-pool", "--lib"]);
    let directory = root().join("target").join(checker);
    test.arg(format!("{checker}_models")).env("CARGO_TARGET_DIR", directory);
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let (printed, outcome) = shown(test.env("RUSTFLAGS", format!("{flags} --cfg {checker}")));
    // A filter that matches nothing passes, and says so.
    match outcome {
        Ok(()) if !printed.contains("test result: ok. 0 passed") => Ok(()),
        Ok(()) => Err(format!("no test is called {checker}_models")),
        failed => failed,
    }
}
