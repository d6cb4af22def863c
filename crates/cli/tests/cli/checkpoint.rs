//! `--checkpoint`, `--resume`, `--spill`: a run goes on where it was, and its file says how.

use std::path::Path;

use populace_agent::models::{GridOptions, grid};
use populace_population::{CheckpointWriter, Run, Settings, Simulation};
use serde_json::Value;

use crate::populace::{Place, golden};
use crate::tensors::File;

const RUN: [&str; 5] = ["run", "--agents", "203", "--steps", "24"];

fn with(more: &[&str]) -> Value {
    Place::new().json(&[&RUN, more].concat())
}

/// A place with `c`, the checkpoint of a finished run, and the run's hash.
fn finished() -> (Place, String) {
    let place = Place::new();
    let whole = place.json(&RUN);
    let kept = place.json(&[&RUN[..], &["--checkpoint", "c", "--every", "5"]].concat());
    assert_eq!(kept["trajectory_hash"], whole["trajectory_hash"]);
    (place, whole["trajectory_hash"].as_str().unwrap().to_owned())
}

#[test]
fn a_finished_run_is_told_again() {
    let (place, hash) = finished();
    let file = std::fs::read(place.path("c")).unwrap();
    for again in [
        &["run", "--resume", "c"][..],
        &["run", "--resume", "c", "--threads", "1", "--budget", "16MiB", "--chunk", "7"],
        &["run", "--resume", "c", "--agents", "203", "--steps", "24", "--seed", "1"],
        &["run", "--resume", "c", "--belief", "auto", "--precision", "f32", "--spill", "s"],
    ] {
        let report = place.json(again);
        assert_eq!(report["trajectory_hash"], hash.as_str(), "{again:?}");
        assert_eq!((&report["steps"], &report["resumed_steps"]), (&24.into(), &24.into()));
        assert_eq!(report["agent_steps_per_second"], 0.0);
    }
    assert!(std::fs::read(place.path("c")).unwrap() == file, "reading changed the file");
    // The same file for both, and a copy under another name.
    place.json(&["run", "--resume", "c", "--checkpoint", "c"]);
    place.json(&["run", "--resume", "c", "--checkpoint", "d"]);
    assert_eq!(place.json(&["run", "--resume", "d"])["trajectory_hash"], hash.as_str());
    assert_eq!(place.files(), ["c", "d", "s"]);
}

#[test]
fn the_file_knows_its_model() {
    let place = Place::new();
    let model = golden("tmaze");
    std::fs::copy(&model, place.path("m.safetensors")).unwrap();
    let whole =
        place.json(&[&RUN[..], &["--model", "m.safetensors", "--checkpoint", "c"]].concat());
    std::fs::rename(place.path("m.safetensors"), place.path("n.safetensors")).unwrap();
    for more in [&[][..], &["--model", "n.safetensors"]] {
        let report = place.json(&[&["run", "--resume", "c"], more].concat());
        assert_eq!(report["trajectory_hash"], whole["trajectory_hash"]);
    }
    place.write("s.toml", "[model]\nside = 9\n");
    place.run(&["run", "s.toml", "--resume", "c"]).refused(2, &["grid 9", "m.safetensors", "c"]);
}

#[test]
fn what_is_asked_for_beside_a_checkpoint_must_agree_with_it() {
    let (place, _) = finished();
    let file = std::fs::read(place.path("c")).unwrap();
    for (flag, value, there) in [
        ("--agents", "204", "203"),
        ("--steps", "25", "24"),
        ("--seed", "2", "1"),
        ("--belief", "dense", "auto"),
        ("--precision", "f64", "f32"),
    ] {
        let ran = place.run(&["run", "--resume", "c", "--checkpoint", "c", flag, value]);
        ran.refused(2, &[&flag[2..], value, there, "c"]);
    }
    place.write("other.toml", "[lifecycle]\nspawn = 1\n");
    place.run(&["run", "other.toml", "--resume", "c"]).refused(2, &["[lifecycle]", "stay"]);
    std::fs::remove_file(place.path("other.toml")).unwrap();
    place.run(&["run", "--every", "3"]).refused(2, &["--checkpoint"]);
    place.run(&["run", "--checkpoint", "d", "--every", "0"]).refused(2, &["--every", "0"]);
    place.run(&["run", "--resume", "c", "--budget", "1MiB"]).refused(3, &["1.0 MiB"]);
    assert!(std::fs::read(place.path("c")).unwrap() == file);
    assert_eq!(place.files(), ["c"]);
}

#[test]
fn what_is_no_checkpoint_is_refused_and_left_alone() {
    let (place, _) = finished();
    let whole = std::fs::read(place.path("c")).unwrap();
    place.write("letter", "Dear agents");
    place.write("cut", &whole[..whole.len() / 2]);
    for name in ["letter", "cut"] {
        let before = std::fs::read(place.path(name)).unwrap();
        for flag in ["--resume", "--checkpoint"] {
            place.run(&["run", "--agents", "9", flag, name]).refused(2, &[name]);
        }
        assert!(std::fs::read(place.path(name)).unwrap() == before, "{name}");
    }
    place.run(&["run", "--resume", "nowhere"]).refused(2, &["nowhere", "No such file"]);
    place.run(&["run", "--resume", "."]).refused(2, &["not a regular file"]);
    for path in ["nowhere/c", "letter/c", "/proc/populace"] {
        place.run(&["run", "--agents", "9", "--checkpoint", path]).refused(1, &[path]);
    }
}

/// The file behind a link is written, whether it is there already or not, and the link stays.
#[cfg(unix)]
#[test]
fn a_link_is_followed() {
    let place = Place::new();
    std::os::unix::fs::symlink("behind", place.path("link")).unwrap();
    for _ in 0..2 {
        place.json(&[&RUN[..], &["--checkpoint", "link"]].concat());
        assert!(place.path("link").is_symlink() && place.path("behind").is_file());
        assert_eq!(place.json(&["run", "--resume", "behind"])["resumed_steps"], 24);
    }
    assert_eq!(place.files(), ["behind", "link"]);
}

#[test]
fn a_file_without_a_commit_starts_at_the_first_tick() {
    let place = Place::new();
    place.write("c", "");
    let ran = place.json(&[&RUN[..], &["--resume", "c", "--checkpoint", "c"]].concat());
    assert_eq!(ran["trajectory_hash"], with(&[])["trajectory_hash"]);
    assert_eq!(ran["resumed_steps"], 0);
    assert_eq!(place.json(&["run", "--resume", "c"])["resumed_steps"], 24);
}

/// A full disk: the run ends, says which file, and goes on from its last commit.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_grow_keeps_its_last_commit() {
    let place = Place::new();
    let run = ["run", "--agents", "20000", "--steps", "24", "--checkpoint", "c", "--every", "1"];
    let mut command = std::process::Command::new("sh");
    // In units of 512 or 1024 bytes, as the shell likes it.
    command.args(["-c", "trap '' XFSZ; ulimit -f 8000 && exec \"$0\" \"$@\""]);
    command.arg(env!("CARGO_BIN_EXE_populace")).args(run).current_dir(place.path(""));
    let ran = crate::populace::Ran::from(command.output().unwrap());
    ran.refused(1, &["c: cannot be written", "File too large"]);
    let resumed = place.json(&["run", "--resume", "c"]);
    assert!(resumed["resumed_steps"].as_u64().unwrap() < 24);
    let whole = place.json(&run[..5]);
    assert_eq!(resumed["trajectory_hash"], whole["trajectory_hash"]);
    assert_eq!(place.files(), ["c"]);
}

#[test]
fn what_does_not_fit_is_spilled_and_told() {
    let place = Place::new();
    let run = ["run", "--agents", "8000", "--steps", "6", "--belief", "dense", "--threads", "2"];
    let whole = place.json(&[&run[..], &["--budget", "64MiB"]].concat());
    place.run(&[&run[..], &["--budget", "10MiB"]].concat()).refused(3, &["10.0 MiB"]);
    let spill = [&run[..], &["--budget", "10MiB", "--spill", "a/b"]].concat();
    let report = place.json(&spill);
    assert_eq!(report["trajectory_hash"], whole["trajectory_hash"]);
    assert!(report["engine_bytes_peak"].as_u64().unwrap() <= 10 << 20);
    for field in ["spilled", "spilled_bytes", "spill_read_bytes", "spill_written_bytes"] {
        assert!(report[field].as_u64().unwrap() > 0, "{field}: {report}");
        assert_eq!(whole[field], 0, "{field}");
    }
    assert!(place.run(&spill).stdout.contains("agents on disk"));
    assert_eq!(std::fs::read_dir(place.path("a/b")).unwrap().count(), 0, "nothing is left");
    place.write("file", "");
    let ran = place.run(&[&run[..], &["--budget", "10MiB", "--spill", "file"]].concat());
    ran.refused(1, &["file"]);
}

/// Agents come and go, rest in a file, and have a past.
const LIVES: &str = "[lifecycle]\nevery = 2\nspawn = 7\nretire = 0.05\nlifetime = 15\nhibernate = 0.2\n\
    wake = 0.3\nstore = \"rest\"\n[population]\nagents = 300\n[run]\nsteps = 24\n[history]\nticks = 9\n";

/// What does not depend on how often a run was stopped.
fn lasting(report: &Value) -> Value {
    let fields = ["trajectory_hash", "lifecycle", "hibernated", "history", "tiers", "steps"];
    fields.into_iter().map(|field| report[field].clone()).collect()
}

#[test]
fn agents_that_come_and_go_are_kept_with_their_past() {
    let place = Place::new();
    place.write("s.toml", LIVES);
    let whole = place.json(&["run", "s.toml"]);
    assert!(whole["hibernated"].as_u64().unwrap() > 0, "{whole}");
    std::fs::remove_file(place.path("rest")).unwrap();
    let kept = place.json(&["run", "s.toml", "--checkpoint", "c", "--every", "5"]);
    assert_eq!(lasting(&kept), lasting(&whole));
    // A finished run is told again, wherever its agents rest.
    let again = place.json(&["run", "--resume", "c"]);
    assert_eq!(lasting(&again), lasting(&whole));
    place.write("t.toml", LIVES.replace("\"rest\"", "\"rest2\""));
    let again = place.json(&["run", "t.toml", "--resume", "c", "--threads", "1"]);
    assert_eq!(lasting(&again), lasting(&whole));
    assert_eq!(place.files(), ["c", "rest", "rest2", "s.toml", "t.toml"]);
    // What is asked for beside it must agree.
    for (from, to, says) in [
        ("spawn = 7", "spawn = 8", &["[lifecycle]", "spawn: 7"][..]),
        ("ticks = 9", "ticks = 8", &["history ticks: 8", "has 9"]),
        ("ticks = 9", "codec = \"lz4\"", &["history codec: lz4", "has zstd"]),
    ] {
        place.write("u.toml", LIVES.replace(from, to));
        place.run(&["run", "u.toml", "--resume", "c"]).refused(2, says);
    }
    place.run(&["run", "--resume", "c", "--history", "3"]).refused(2, &["history ticks: 3"]);
    place.run(&["run", "--resume", "c", "--trace", "t"]).refused(2, &["--trace", "[lifecycle]"]);
    // Agents of another run are left alone.
    std::fs::remove_file(place.path("rest2")).unwrap();
    let theirs = place.json(&["run", "t.toml", "--seed", "2"]);
    let holds = format!("holds {} agents of another run", theirs["hibernated"]);
    for _ in 0..2 {
        place.run(&["run", "t.toml", "--resume", "c"]).refused(2, &["rest2", &holds]);
    }
}

#[test]
fn a_resumed_run_is_traced_from_where_it_was() {
    let place = Place::new();
    let whole = place.json(&[&RUN[..], &["--trace", "whole"]].concat());
    stopped(&place.path("c"), 7);
    let ran = place.json(&["run", "--resume", "c", "--trace", "rest"]);
    assert_eq!(ran["trajectory_hash"], whole["trajectory_hash"]);
    let first = 7;
    assert_eq!(ran["resumed_steps"], first);
    let (all, rest) = (File::read(&place.path("whole")), File::read(&place.path("rest")));
    for name in ["observations", "actions"] {
        let width: usize = all.raw(name).shape[1..].iter().product();
        assert_eq!(rest.raw(name).shape[0], 24 - first as usize, "{name}");
        assert_eq!(rest.integers(name)[..], all.integers(name)[first as usize * width..], "{name}");
    }
    // A whole trace is taken over as far as it goes; any other file is somebody's.
    std::fs::copy(place.path("whole"), place.path("t")).unwrap();
    place.json(&["run", "--resume", "c", "--trace", "t"]);
    assert!(std::fs::read(place.path("t")).unwrap() == std::fs::read(place.path("whole")).unwrap());
    place.json(&[&RUN[..], &["--seed", "2", "--trace", "other"]].concat());
    place.write("letter", "Dear agents, how are you all? I am well.");
    for name in ["other", "letter", "rest"] {
        let before = std::fs::read(place.path(name)).unwrap();
        let ran = place.run(&["run", "--resume", "c", "--trace", name]);
        ran.refused(2, &["--trace", name, "no trace of the 7 ticks"]);
        assert!(std::fs::read(place.path(name)).unwrap() == before);
    }
}

/// Leaves the checkpoint of a run that was stopped after so many ticks.
fn stopped(path: &Path, ticks: u64) {
    let model = grid(&GridOptions::default()).unwrap();
    let settings = Settings { agents: 203, ..Settings::default() };
    let mut run = Simulation::new(&model, None, &settings, 24, false).unwrap();
    let mut writer =
        CheckpointWriter::create(path, &Run::new("grid", &model, &settings, 24)).unwrap();
    (0..ticks).for_each(|_| run.tick().unwrap());
    writer.commit(&mut run).unwrap();
}
