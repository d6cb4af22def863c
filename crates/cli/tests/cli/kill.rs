//! `kill -9` at any instant of a run that commits: what is resumed is the run that nobody killed. Of
//! runs that spill, with a past; and of runs whose agents come and go, and rest in a file.
#![cfg(unix)]

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::populace::Place;

/// Agents come and go, and have a past.
const LIVES: &str = "[lifecycle]\nevery = 2\nspawn = 60\nretire = 0.05\nlifetime = 12\nhibernate = 0.2\n\
    wake = 0.3\nstore = \"rest\"\n[model]\nside = 10\nslip = 0.1\n[population]\nagents = 1000\n\
    [run]\nsteps = 16\n[history]\nticks = 7\n";

/// A run to be killed.
struct Killed {
    /// How it is begun, `s.toml` being there.
    run: &'static [&'static str],
    /// How it is committed.
    commit: &'static [&'static str],
    /// What does not depend on whether it was killed.
    lasting: &'static [&'static str],
    /// The files that it may leave.
    files: &'static [&'static str],
}

/// Most of the agents do not fit.
const SPILLING: Killed = Killed {
    run: &["run", "--agents", "3000", "--steps", "12", "--belief", "dense", "--threads", "2"],
    commit: &["--budget", "7MiB", "--spill", "s", "--checkpoint", "c", "--every", "1"],
    lasting: &["trajectory_hash", "tiers"],
    files: &["c", "c.new", "s", "crowded.toml", "s.toml"],
};

const LIVING: Killed = Killed {
    run: &["run", "s.toml", "--threads", "2"],
    commit: &["--checkpoint", "c", "--every", "2"],
    lasting: &["trajectory_hash", "tiers", "lifecycle", "hibernated", "history"],
    files: &["c", "c.new", "rest", "rest.new", "crowded.toml", "s.toml"],
};

/// The same, most of the time on disk.
const LIVING_SPILLING: Killed = Killed {
    run: &["run", "crowded.toml", "--threads", "2"],
    commit: &["--budget", "11500KiB", "--spill", "s", "--checkpoint", "c", "--every", "2"],
    lasting: &["trajectory_hash", "tiers", "lifecycle", "hibernated"],
    files: &["c", "c.new", "rest", "rest.new", "s", "crowded.toml", "s.toml"],
};

/// More of them, and nothing of the past.
const CROWDED: &str = "[lifecycle]\nevery = 2\nspawn = 200\nretire = 0.05\nlifetime = 12\n\
    hibernate = 0.1\nwake = 0.3\nstore = \"rest\"\n[model]\nside = 10\nslip = 0.1\n\
    [memory]\nbelief = \"dense\"\n[population]\nagents = 12000\n[run]\nsteps = 12\n";

/// Instants of a run, some of every part of it: numbers in 0..1 that look random.
fn instants() -> impl Iterator<Item = f64> {
    (1..).map(|n| (f64::from(n) * 0.618_033_988_749_895).fract())
}

/// Starts a run and kills it after a while; answers whether it was still running. One that was not has
/// ended well.
fn killed(place: &Place, arguments: &[&str], after: Duration) -> bool {
    let mut command = place.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(after);
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    assert!(running || ended.success(), "{arguments:?} ended by itself: {ended}");
    running
}

impl Killed {
    fn place() -> Place {
        let place = Place::new();
        place.write("s.toml", LIVES);
        place.write("crowded.toml", CROWDED);
        place
    }

    fn lasting(&self, report: &Value) -> Vec<Value> {
        self.lasting.iter().map(|field| report[field].clone()).collect()
    }

    /// Kills it so many times, now at first, now as it goes on.
    fn is_resumed_as_if_it_had_not_been(&self, trials: usize) {
        let expected = self.lasting(&Self::place().json(self.run));
        let start = Instant::now();
        let once = Self::place().json(&[self.run, self.commit].concat());
        let mut length = start.elapsed();
        assert_eq!(self.lasting(&once), expected, "{once}");
        assert!(
            !self.commit.contains(&"--spill") || once["spill_read_bytes"].as_u64() > Some(0),
            "{once}"
        );

        let (mut kills, mut resumed) = (0, 0);
        let mut instants = instants();
        let mut place = Self::place();
        while kills < trials {
            // How long a run takes depends on what else runs; so it is learned anew all the time.
            let mut kill = |arguments: &[&str]| {
                let after = length.mul_f64(instants.next().unwrap_or(0.5));
                let running = killed(&place, arguments, after);
                length = length.mul_f64(if running { 1.02 } else { 0.9 });
                usize::from(running)
            };
            kills += kill(&[self.run, self.commit].concat());
            if !place.path("c").exists() {
                continue;
            }
            let on = [self.run, &["--resume", "c"], self.commit].concat();
            kills += kill(&on);
            let files = place.files();
            let known = |name: &String| self.files.contains(&name.as_str());
            assert!(files.iter().all(known), "{files:?}");
            let ran = place.run(&["run", "--resume", "c", "--json"]);
            if ran.code != Some(0) {
                // Instants do not come back; the file tells what happened.
                let kept = std::env::temp_dir().join("populace-killed.checkpoint");
                std::fs::copy(place.path("c"), &kept).unwrap();
                panic!("after {kills} kills, {} is kept: {}", kept.display(), ran.stderr);
            }
            let report: Value = serde_json::from_str(&ran.stdout).unwrap();
            assert_eq!(self.lasting(&report), expected, "after {kills} kills");
            resumed += usize::from(report["resumed_steps"].as_u64().unwrap() > 0);
            if kills % 100 < 2 {
                eprintln!("{:?}: {kills} kills, {resumed} resumed after a commit", self.run);
            }
            if place.path("s").exists() {
                assert_eq!(std::fs::read_dir(place.path("s")).unwrap().count(), 0);
            }
            place = Self::place();
        }
        assert!(resumed > 0, "none of {kills} was killed after its first commit");
    }
}

fn trials() -> usize {
    if std::env::var_os("POPULACE_LONG").is_some() { 1500 } else { 6 }
}

#[test]
fn a_killed_run_that_spills_is_resumed_as_if_it_had_not_been() {
    SPILLING.is_resumed_as_if_it_had_not_been(trials());
}

#[test]
fn a_killed_run_whose_agents_come_and_go_is_resumed_as_if_it_had_not_been() {
    LIVING.is_resumed_as_if_it_had_not_been(trials());
}

#[test]
fn a_killed_run_whose_agents_come_and_go_and_spill_is_resumed_as_if_it_had_not_been() {
    LIVING_SPILLING.is_resumed_as_if_it_had_not_been(trials());
}
