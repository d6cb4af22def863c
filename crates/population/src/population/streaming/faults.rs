//! Spilling to disks that fail: the tick fails, no agent is lost, and it is finished once the disk is
//! well.

use std::sync::Arc;

use populace_agent::Model;
use populace_agent::models::{GridOptions, grid};

use crate::fault::{FAULTS, Failing, Fault};
use crate::population::{Population, Source};
use crate::{ErrorKind, Schedule, Settings, Simulation};

const STEPS: u64 = 6;

fn population(model: &Model, settings: &Settings) -> Population<f32> {
    let made = Simulation::in_world(model, None, STEPS, false, |source| {
        Population::<f32>::new(source, settings)
    });
    made.unwrap()
}

#[test]
fn whichever_write_fails_the_tick_can_be_finished() {
    let directory = tempfile::tempdir().unwrap();
    // Beliefs that spread: chunks grow, and are evicted in the middle of a tick.
    let options = GridOptions { side: 8, slip: 0.1, ..GridOptions::default() };
    let model = grid(&options).unwrap();
    for threads in [1, 2] {
        let settings = Settings { agents: 600, threads, chunk: Some(32), ..Settings::default() };
        let mut whole = population(&model, &settings);
        (0..STEPS).for_each(|_| whole.tick(None).unwrap());
        let least = whole.fixed.total();
        let settings = Settings {
            budget_bytes: least + (whole.peak().total() - least) * 2 / 3,
            spill: Some(directory.path().to_owned()),
            ..settings
        };
        let mut failures = 0;
        for call in (1..40).chain((40..).step_by(37)) {
            let (errno, reason) = FAULTS[call as usize % FAULTS.len()];
            let mut run = population(&model, &settings);
            let fault = Arc::new(Fault::default());
            if let Some(spill) = &mut run.spill {
                let fault = fault.clone();
                spill.replace_file(|file| Box::new(Failing { file: file.into(), fault }));
            }
            fault.arm(call, errno);
            let mut failed = false;
            while run.ticks() < STEPS {
                let before = run.ticks();
                if let Err(error) = run.tick(None) {
                    assert_eq!(error.kind(), ErrorKind::System);
                    let text = error.to_string();
                    assert!(text.starts_with(&directory.path().display().to_string()), "{text}");
                    assert!(text.ends_with(reason), "{text}");
                    assert_eq!(run.ticks(), before);
                    // As long as the disk fails the tick does, and nothing is shown half done.
                    assert!(run.tick(None).is_err());
                    assert!(run.each_chunk(&mut |_, _, _| Ok(())).is_err());
                    assert!(fault.disarm());
                    failed = true;
                }
                assert_eq!(run.memory().total(), run.engine_bytes());
                assert!(run.engine_bytes() <= settings.budget_bytes);
            }
            assert_eq!(run.trajectory_hash(), whole.trajectory_hash(), "call {call}");
            if !failed {
                break;
            }
            failures += 1;
        }
        assert!(failures > 10, "only {failures} failures");
    }
}

/// Agents that come and go by a schedule, and rest.
fn living(model: &Model, settings: &Settings, store: &std::path::Path) -> Population<f32> {
    let schedule = Schedule {
        every: 2,
        spawn: 100,
        retire: 0.1,
        lifetime: Some(7),
        hibernate: 0.2,
        wake: 0.4,
        store: Some(store.to_owned()),
    };
    let _ = std::fs::remove_file(store);
    let made = Simulation::in_world(model, None, LIVES, false, |source| {
        let mut population =
            Population::<f32>::new(&Source { changes: true, ..*source }, settings)?;
        population.live(&schedule, LIVES, 1, false)?;
        Ok(population)
    });
    made.unwrap()
}

const LIVES: u64 = 10;

/// One tick, and what comes before it.
fn live(run: &mut Population<f32>) -> crate::Result<()> {
    run.change()?;
    run.tick(None)
}

#[test]
fn whichever_write_fails_who_comes_and_goes_is_where_they_should_be() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("rest");
    let model = grid(&GridOptions { side: 8, slip: 0.1, ..GridOptions::default() }).unwrap();
    let long = std::env::var_os("POPULACE_LONG").is_some();
    let (first, step) = if long { (200, 31) } else { (24, 211) };
    for threads in [1, 2] {
        let settings = Settings { agents: 1200, threads, chunk: Some(600), ..Settings::default() };
        let mut whole = living(&model, &settings, &store);
        (0..LIVES).for_each(|_| live(&mut whole).unwrap());
        let expected = (whole.trajectory_hash(), whole.lifecycle_counts(), whole.ids());
        drop(whole);
        let spill = Some(directory.path().to_owned());
        let roomy = Settings { spill, ..settings };
        // 1200 and as many as may come; hardly any of them are in memory.
        let least = living(&model, &roomy, &store).asked_of(1700, true, false);
        let settings = Settings { budget_bytes: least as u64 + (16 << 10), ..roomy };
        let mut failures = 0;
        for call in (1..first).chain((first..).step_by(step)) {
            let mut run = living(&model, &settings, &store);
            let fault = Arc::new(Fault::default());
            if let Some(spill) = &mut run.spill {
                let fault = fault.clone();
                spill.replace_file(|file| Box::new(Failing { file: file.into(), fault }));
            }
            fault.arm(call, FAULTS[call as usize % FAULTS.len()].0);
            let mut failed = false;
            while run.ticks() < LIVES {
                let before = run.ticks();
                if let Err(error) = live(&mut run) {
                    assert_eq!(error.kind(), ErrorKind::System, "{error}");
                    assert_eq!(run.ticks(), before);
                    assert!(live(&mut run).is_err(), "the disk fails still");
                    assert!(fault.disarm());
                    failed = true;
                }
                assert_eq!(run.memory().total(), run.engine_bytes());
                assert!(run.engine_bytes() <= settings.budget_bytes);
            }
            let found = (run.trajectory_hash(), run.lifecycle_counts(), run.ids());
            assert!(found == expected, "call {call}: {:?} for {:?}", found.1, expected.1);
            if !failed {
                break;
            }
            failures += 1;
        }
        assert!(failures > 20, "only {failures} failures");
    }
}
