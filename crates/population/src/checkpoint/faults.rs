//! Checkpoints on disks that fail: whatever call fails, the commit before is there, and the next one
//! succeeds once the disk does.

use std::sync::Arc;

use populace_agent::models::Builtin;
use redb::backends::FileBackend;

use super::{Checkpoint, CheckpointWriter, Run, open_in};
use crate::fault::{FAULTS, Failing, Fault};
use crate::{ErrorKind, History, Settings, Simulation};

const STEPS: u64 = 1000;

fn writer_under(fault: &Arc<Fault>) -> super::writer::Open {
    let fault = fault.clone();
    Box::new(move |file| {
        let file = Arc::new(FileBackend::new(file)?);
        Ok(open_in(Failing { file, fault: fault.clone() })?)
    })
}

#[test]
fn whichever_call_of_a_commit_fails_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let model = Builtin::Tmaze.model().unwrap();
    let history = Some(History { ticks: 20, ..History::default() });
    let settings = Settings { agents: 30, threads: 1, history, ..Settings::default() };
    let mut simulation = Simulation::new(&model, None, &settings, STEPS, false).unwrap();
    let run = Run::new("", &model, &settings, STEPS);
    let fault = Arc::new(Fault::default());
    let mut writer = CheckpointWriter::create_with(&path, &run, writer_under(&fault)).unwrap();
    for (errno, reason) in FAULTS {
        let mut call = 0;
        loop {
            call += 1;
            let (before, old) = (simulation.ticks(), simulation.trajectory_hash());
            simulation.tick().unwrap();
            fault.arm(call, errno);
            let committed = writer.commit(&mut simulation);
            let failed = fault.disarm();
            match committed {
                Ok(()) => assert!(!failed || call > 1, "a failure was not told"),
                Err(error) => {
                    assert!(failed, "{error}");
                    assert_eq!(error.kind(), ErrorKind::System);
                    let path = path.display().to_string();
                    let text = error.to_string();
                    assert!(text.starts_with(&path) && text.ends_with(reason), "{text}");
                    let there = Checkpoint::open(&path).unwrap().unwrap();
                    let (tick, hash) = (there.ticks(), there.header.hash);
                    // The call that failed may have been the last: then all of it is there.
                    let now = (simulation.ticks(), simulation.trajectory_hash());
                    assert!((tick, hash) == (before, old) || (tick, hash) == now, "call {call}");
                    drop(there);
                    writer.commit(&mut simulation).unwrap();
                }
            }
            if !failed {
                break;
            }
        }
        assert!(call > 5, "only {call} calls");
    }
    drop(writer);
    let there = Checkpoint::open(&path).unwrap().unwrap();
    assert_eq!(there.ticks(), simulation.ticks());
    let again = there.resume(&settings).unwrap();
    assert_eq!(again.trajectory_hash(), simulation.trajectory_hash());
    assert_eq!(again.history_totals(), simulation.history_totals());
}

#[test]
fn a_checkpoint_that_cannot_be_begun_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let model = Builtin::Tmaze.model().unwrap();
    let settings = Settings { agents: 30, threads: 1, ..Settings::default() };
    let run = Run::new("", &model, &settings, STEPS);
    for (errno, reason) in FAULTS {
        for call in 1..=6 {
            let fault = Arc::new(Fault::default());
            fault.arm(call, errno);
            let error = CheckpointWriter::create_with(&path, &run, writer_under(&fault));
            let text = error.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.ends_with(reason), "call {call}: {text}");
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "call {call}");
        }
    }
}
