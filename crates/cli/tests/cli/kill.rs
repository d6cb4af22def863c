//! `kill -9` at any instant of a run that commits and spills: what is resumed is the run that nobody
//! killed.
#![cfg(unix)]

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::populace::{Place, Ran};

const RUN: [&str; 9] =
    ["run", "--agents", "3000", "--steps", "12", "--belief", "dense", "--threads", "2"];
/// Most of the agents do not fit.
const SPILL: [&str; 4] = ["--budget", "7MiB", "--spill", "s"];
const CHECKPOINT: [&str; 4] = ["--checkpoint", "c", "--every", "1"];

/// Instants of a run, some of every part of it: numbers in 0..1 that look random.
fn instants(count: usize) -> impl Iterator<Item = f64> {
    (1..=count).map(|n| (n as f64 * 0.618_033_988_749_895).fract())
}

/// Starts a run and kills it after a while; answers whether it was still running.
fn killed(place: &Place, arguments: &[&str], after: Duration) -> bool {
    let mut command = place.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(after);
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

#[test]
fn a_killed_run_is_resumed_as_if_it_had_not_been() {
    let expected = Place::new().json(&RUN);
    let expected = &expected["trajectory_hash"];
    let start = Instant::now();
    let once = Place::new().json(&[&RUN[..], &SPILL, &CHECKPOINT].concat());
    let length = start.elapsed();
    assert!(once["spilled"].as_u64().unwrap() > 0, "{once}");
    assert_eq!(once["trajectory_hash"], *expected);

    let trials = if std::env::var_os("POPULACE_LONG").is_some() { 1000 } else { 6 };
    let (mut kills, mut resumed) = (0, 0);
    let mut instants = instants(usize::MAX);
    let mut place = Place::new();
    while kills < trials {
        let mut next = || length.mul_f64(instants.next().unwrap_or(0.5));
        // Killed at first, and again as it goes on.
        kills += usize::from(killed(&place, &[&RUN[..], &SPILL, &CHECKPOINT].concat(), next()));
        if !place.path("c").exists() {
            continue;
        }
        let on = [&RUN[..], &["--resume", "c"], &SPILL, &CHECKPOINT].concat();
        kills += usize::from(killed(&place, &on, next()));
        let files = place.files();
        let known = |name: &String| ["c", "c.new", "s"].contains(&name.as_str());
        assert!(files.iter().all(known), "{files:?}");
        let ran = place.run(&["run", "--resume", "c", "--json"]);
        let report: Value = whole(&ran);
        assert_eq!(report["trajectory_hash"], *expected, "after {kills} kills");
        resumed += usize::from(report["resumed_steps"].as_u64().unwrap() > 0);
        if place.path("s").exists() {
            assert_eq!(std::fs::read_dir(place.path("s")).unwrap().count(), 0);
        }
        place = Place::new();
    }
    assert!(resumed > 0, "none of {kills} was killed after its first commit");
}

fn whole(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}
