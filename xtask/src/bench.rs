//! `cargo xtask bench`: the program's own benchmarks, kept with the machine and the commit.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::root;
use crate::step::{Outcome, cargo, command};

/// Runs the benchmarks of these names (all, if none) and writes `benches/record/DATE-COMMIT.json`.
pub(crate) fn run(names: &[&str]) -> Outcome {
    command(&mut cargo(&["build", "--locked", "--release"]))?;
    let mut populace = Command::new(root().join("target/release/populace"));
    let json = answer(populace.args(["bench", "--json"]).args(names))?;
    let mut report: Value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    let git = |arguments: &[&str]| answer(Command::new("git").current_dir(root()).args(arguments));
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let date = git(&["log", "-1", "--format=%cs"])?;
    report["commit"] = commit.as_str().into();
    // Numbers of a changed tree are nobody's.
    report["changed"] = (!git(&["status", "--porcelain", "--", "crates"])?.is_empty()).into();
    let folder = root().join("benches/record");
    let path = folder.join(format!("{date}-{commit}.json"));
    let text = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&path, text + "\n"))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

/// What a command prints.
fn answer(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
