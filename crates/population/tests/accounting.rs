//! Every byte has a name, at every tick, and the budget holds.
#![allow(clippy::unwrap_used)] // tests' helpers

use populace_agent::models::{Builtin, GridOptions, grid};
use populace_agent::{Model, Precision};
use populace_population::{Belief, ErrorKind, Settings, Simulation};

const STEPS: u64 = 12;

const BELIEFS: [Belief; 5] =
    [Belief::Auto, Belief::Dense, Belief::Sparse, Belief::F16, Belief::Log8];

fn models() -> Vec<(&'static str, Model)> {
    let slip = grid(&GridOptions { side: 12, slip: 0.1, ..GridOptions::default() }).unwrap();
    vec![
        ("grid", grid(&GridOptions { side: 12, ..GridOptions::default() }).unwrap()),
        ("slip", slip),
        ("tmaze", Builtin::Tmaze.model().unwrap()),
    ]
}

/// The smallest budget that a run is accepted with, by bisection.
fn smallest_budget(model: &Model, settings: &Settings) -> u64 {
    let accepts = |budget_bytes| {
        let settings = Settings { budget_bytes, ..settings.clone() };
        match Simulation::new(model, None, &settings, STEPS, false) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Budget, "{error}");
                false
            }
        }
    };
    let (mut low, mut high) = (0, 64 << 20);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if accepts(middle) { high = middle } else { low = middle }
    }
    high
}

#[test]
fn classes_add_up_to_what_is_mapped_within_the_smallest_budget() {
    for (name, model) in models() {
        for belief in BELIEFS {
            for precision in [Precision::F32, Precision::F64] {
                let settings =
                    Settings { agents: 3000, threads: 2, belief, precision, ..Settings::default() };
                let budget_bytes = smallest_budget(&model, &settings);
                let settings = Settings { budget_bytes, ..settings };
                let what = format!("{name} {belief:?} {precision:?}");
                let mut run = Simulation::new(&model, None, &settings, STEPS, false).unwrap();
                for _ in 0..STEPS {
                    run.tick().unwrap();
                    assert_eq!(run.memory().total(), run.engine_bytes(), "{what}");
                    assert!(run.peak().total() <= budget_bytes, "{what}");
                }
            }
        }
    }
}

#[test]
fn a_trajectory_does_not_depend_on_threads_chunks_or_the_budget() {
    for (name, model) in models() {
        for belief in BELIEFS {
            let hash = |threads, chunk, budget_bytes| {
                let settings = Settings {
                    agents: 500,
                    threads,
                    chunk,
                    budget_bytes,
                    belief,
                    ..Settings::default()
                };
                let mut run = Simulation::new(&model, None, &settings, STEPS, false).unwrap();
                (0..STEPS).for_each(|_| run.tick().unwrap());
                run.trajectory_hash()
            };
            let expected = hash(1, None, 64 << 20);
            for threads in [1, 2, 3] {
                for chunk in [Some(1), Some(7), Some(96), Some(500), None] {
                    let got = hash(threads, chunk, 32 << 20);
                    assert_eq!(got, expected, "{name} {belief:?} {threads} threads {chunk:?}");
                }
            }
        }
    }
}
