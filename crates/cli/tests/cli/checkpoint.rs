//! `--checkpoint`, `--resume`, `--spill`: a run goes on where it was, and its file says how.

use serde_json::Value;

use crate::populace::{Place, golden};

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
    place.run(&["run", "--resume", "c", "--trace", "t"]).refused(2, &["--trace", "--resume", "c"]);
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
