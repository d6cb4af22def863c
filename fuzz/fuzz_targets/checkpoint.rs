//! Whatever becomes of a checkpoint's file: the run that was committed, or one line; never a panic, and
//! never another run.
//!
//! The bytes are edits of a whole checkpoint (a place, a length, what to put there; the first says where
//! to cut it off), so that the fuzzer gets behind the first page.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use populace_agent::models::Builtin;
use populace_population::{
    Checkpoint, CheckpointWriter, History, Run, Schedule, Settings, Simulation,
};

struct Whole {
    bytes: Vec<u8>,
    hashes: Vec<u64>,
}

fn settings() -> Settings {
    let (budget_bytes, history) = (8 << 20, Some(History::default()));
    let checkpoint = true;
    Settings { agents: 20, threads: 1, budget_bytes, checkpoint, history, ..Settings::default() }
}

static WHOLE: LazyLock<Whole> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let (model, settings) = (Builtin::Tmaze.model().unwrap(), settings());
    // Agents come and go, so that chunks have lines and the header says of lives.
    let schedule = Schedule { spawn: 3, retire: 0.2, ..Schedule::default() };
    let mut simulation = Simulation::living(&model, None, &settings, 9, &schedule).unwrap();
    let run = Run { schedule: Some(&schedule), ..Run::new("", &model, &settings, 9) };
    let mut writer = CheckpointWriter::create(&path, &run).unwrap();
    let mut hashes = vec![0];
    for _ in 0..2 {
        simulation.tick().unwrap();
        hashes.push(simulation.trajectory_hash());
        writer.commit(&mut simulation).unwrap();
    }
    drop(writer);
    Whole { bytes: std::fs::read(path).unwrap(), hashes }
});

fuzz_target!(|edits: &[u8]| {
    let mut bytes = WHOLE.bytes.clone();
    let number = |four: &[u8]| four.iter().fold(0, |n, &byte| n << 8 | usize::from(byte));
    let Some((cut, mut edits)) = edits.split_at_checked(4) else { return };
    if number(cut) > 0 {
        bytes.truncate(number(cut));
    }
    while let Some((header, rest)) = edits.split_at_checked(4) {
        let len = usize::from(header[0]).min(rest.len());
        let at = number(&header[1..]) % bytes.len().max(1);
        let end = bytes.len().min(at + len);
        bytes[at..end].copy_from_slice(&rest[..end - at]);
        edits = &rest[len..];
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let resumed = Checkpoint::open(file.path());
    assert!(std::fs::read(file.path()).unwrap() == bytes, "the file was touched");
    match resumed.and_then(|found| found.map(|it| it.resume(&settings())).transpose()) {
        Ok(Some(run)) => assert_eq!(run.trajectory_hash(), WHOLE.hashes[run.ticks() as usize]),
        Ok(None) => assert!(bytes.is_empty(), "the run is gone"),
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
});
