//! `cargo xtask test`: everything that a change must pass.

use std::path::Path;
use std::process::ExitCode;

use crate::step::{Outcome, Steps, cargo, command};
use crate::{licences, python, readme, root};

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
    steps.take("loom", loom);
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

/// The models of the lock-free parts, under every interleaving.
///
/// They are built apart (`--cfg loom` swaps the atomics of every crate), in release, because loom
/// takes each model's body thousands of times.
fn loom() -> Outcome {
    let tests = root().join("crates/pool/tests");
    let models = std::fs::read_dir(&tests).into_iter().flatten().flatten();
    if !models.map(|entry| entry.file_name()).any(|name| is_model(Path::new(&name))) {
        println!("no loom models in {}", tests.display());
        return Ok(());
    }
    let mut test = cargo(&["test", "--locked", "--release", "-p", "populace-pool"]);
    test.args(["--test", "loom*", "--target-dir", "target/loom"]);
    command(test.env("RUSTFLAGS", "--cfg loom"))
}

fn is_model(file: &Path) -> bool {
    file.to_string_lossy().starts_with("loom") && file.extension().is_some_and(|it| it == "rs")
}
