//! Ctrl-C ends a run after the current tick, with the summary of what ran.
#![cfg(unix)]

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::populace::{Place, Ran};
use crate::tensors::File;
use crate::trajectory::recomputed;

#[test]
fn an_interrupted_run_tells_what_ran() {
    let place = Place::new();
    let endless = ["run", "--agents", "50", "--steps", "1000000000", "--json", "--trace", "t"];
    let mut command = place.command(&endless);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Ctrl-C is listened to before the trace is opened, so from here on it cannot be missed.
    while place.files().is_empty() {
        sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());

    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert_eq!(ran.stderr, "");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let steps = report["steps"].as_u64().unwrap();
    assert!(steps < 1_000_000_000);
    let trace = File::read(&place.path("t"));
    assert_eq!(trace.raw("actions").shape[0] as u64, steps);
    assert_eq!(report["trajectory_hash"], format!("{:016x}", recomputed(&trace)));
    assert_eq!(place.files(), ["t"]);
}

/// Interrupts a run once there is a file, and answers its report.
fn interrupted(place: &Place, arguments: &[&str], file: &str) -> Value {
    let mut command = place.command(arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !place.path(file).exists() {
        sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn an_interrupted_run_goes_on_with_the_tick_it_was_at() {
    let place = Place::new();
    let endless = ["run", "--agents", "50", "--steps", "1000000000", "--json"];
    // Far apart, so that the commit is the interrupt's.
    let first = [&endless[..], &["--checkpoint", "c", "--every", "1000000000"]].concat();
    let report = interrupted(&place, &first, "c");
    let steps = report["steps"].as_u64().unwrap();
    let again = ["run", "--resume", "c", "--checkpoint", "d", "--json"];
    let resumed = interrupted(&place, &again, "d");
    assert_eq!(resumed["resumed_steps"].as_u64().unwrap(), steps);
}

#[test]
fn the_trace_of_an_interrupted_run_is_completed() {
    let place = Place::new();
    let endless = ["run", "--agents", "50", "--steps", "1000000000", "--json", "--trace", "t"];
    let first = [&endless[..], &["--checkpoint", "c", "--every", "1000000000"]].concat();
    let before = interrupted(&place, &first, "c")["steps"].as_u64().unwrap();
    let again = ["run", "--resume", "c", "--checkpoint", "d", "--json", "--trace", "t"];
    let report = interrupted(&place, &again, "d");
    let steps = report["steps"].as_u64().unwrap();
    assert!(report["resumed_steps"] == before && steps >= before, "{report}");
    let trace = File::read(&place.path("t"));
    assert_eq!(trace.raw("observations").shape, [steps as usize, 50, 1]);
    assert_eq!(report["trajectory_hash"], format!("{:016x}", recomputed(&trace)));
    assert_eq!(place.files(), ["c", "d", "t"]);
}
