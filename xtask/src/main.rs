//! The project's own chores, in Rust, so that a clone needs no other tool than cargo.
//!
//! `cargo xtask test` is all that continuous integration runs (`.ci/run` calls it).

mod bench;
mod licences;
mod memcheck;
mod python;
mod readme;
mod spdx;
mod step;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
The project's chores.

Usage: cargo xtask CHORE

  test [--long]   everything a change must pass: format, lints, docs, licences, tests, models (loom,
                  shuttle), README, Python; --long also runs the tests that take minutes, and the pool's under
                  AddressSanitizer and valgrind, where they are installed
  memcheck        those two alone
  python          the Python package as users get it: wheel, tests, stubs, examples
  readme          write into README.md what its examples print
  bench [NAME…]   populace bench, its results kept in benches/record
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["test"] => test::run(test::Length::Short),
        ["test", "--long"] => test::run(test::Length::Long),
        ["memcheck"] => memcheck::run(),
        ["python"] => step::finish(python::check(python::Wheel::Release)),
        ["readme"] => step::finish(readme::refresh()),
        ["bench", names @ ..] => step::finish(bench::run(names)),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        other => {
            eprintln!("error: no such chore: `{}`\n\n{USAGE}", other.join(" "));
            ExitCode::from(2)
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
