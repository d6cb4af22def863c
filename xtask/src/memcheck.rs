//! The pool's tests under tools that watch every access to memory, for `cargo xtask test --long`.
//!
//! Both tools watch the process's heap. Blocks that the pool maps itself are bounds-checked by nobody, so
//! tests of their contents are the pool's own.

use std::env;
use std::process::{Command, ExitCode, Stdio};

use crate::root;
use crate::step::{Outcome, Steps, cargo, command};

/// Tests that hold gigabytes or allocate a million times from the system's allocator, which both tools replace
/// by a slow one; what they count does not depend on it.
const SKIPPED: &[&str] = &["--", "--skip", "workloads_count", "--skip", "little_is_reserved"];

/// Both tools, one after the other.
pub(crate) fn run() -> ExitCode {
    let mut steps = Steps::default();
    take(&mut steps);
    steps.finish()
}

/// Both as steps of a longer chore.
pub(crate) fn take(steps: &mut Steps) {
    steps.take("address", address_sanitizer);
    steps.take("valgrind", valgrind);
}

/// AddressSanitizer, which needs a nightly compiler.
fn address_sanitizer() -> Outcome {
    let Some(host) = host() else {
        return absent("AddressSanitizer", "rustup toolchain install nightly");
    };
    let mut test = cargo_of("nightly");
    test.args(["test", "--locked", "-p", "populace-pool", "--lib", "--tests", "--target", &host])
        .args(SKIPPED)
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .env("CARGO_TARGET_DIR", root().join("target").join("address"));
    command(&mut test)
}

/// Valgrind's memcheck: invalid accesses, undefined values that decide something, blocks that nothing points to.
fn valgrind() -> Outcome {
    if !answers(Command::new("valgrind").arg("--version")) {
        return absent("valgrind", "apt-get install valgrind");
    }
    // Threads by turns: by default one may keep all others waiting, and some tests wait by looking.
    // What is only "possibly lost" is the test harness's own.
    let runner = "valgrind --quiet --error-exitcode=9 --fair-sched=yes --leak-check=full \
                  --show-leak-kinds=definite --errors-for-leak-kinds=definite";
    let mut test = cargo(&["test", "--locked", "-p", "populace-pool", "--lib", "--tests"]);
    test.args(SKIPPED);
    for target in ["X86_64", "AARCH64"] {
        test.env(format!("CARGO_TARGET_{target}_UNKNOWN_LINUX_GNU_RUNNER"), runner);
    }
    command(&mut test)
}

/// A tool that is not there is no failure, unless `REQUIRE_MEMCHECK` is set.
fn absent(tool: &str, install: &str) -> Outcome {
    let reason = format!("{tool} is not there; `{install}` brings it");
    if env::var_os("REQUIRE_MEMCHECK").is_some() {
        return Err(reason);
    }
    println!("skipped: {reason}");
    Ok(())
}

/// The host's target, if a nightly compiler is there.
fn host() -> Option<String> {
    let output = cargo_of("nightly").arg("-vV").stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

/// `cargo` of another toolchain, by rustup; what this one's cargo told us of itself is not passed on.
fn cargo_of(toolchain: &str) -> Command {
    let mut cargo = Command::new("rustup");
    cargo.args(["run", toolchain, "cargo"]).current_dir(root());
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        cargo.env_remove(name);
    }
    cargo
}

fn answers(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
