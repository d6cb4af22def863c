//! Agents that memory cannot hold: the same run, within the budget, and nothing left behind.
#![allow(clippy::unwrap_used)] // tests' helpers

mod budgets;

use populace_agent::models::{Builtin, GridOptions, grid};
use populace_agent::{Model, Precision};
use populace_population::{
    Belief, Checkpoint, CheckpointWriter, Crowd, ErrorKind, History, Lifecycle, LifecyclePolicy,
    Run, Settings, Simulation,
};

const STEPS: u64 = 10;
const AGENTS: u64 = 3000;

fn models() -> Vec<(&'static str, Model)> {
    let options = GridOptions { side: 12, ..GridOptions::default() };
    let slip = grid(&GridOptions { slip: 0.1, ..options.clone() }).unwrap();
    let mut learning = Builtin::Tmaze.model().unwrap();
    learning.p_a = learning.a.clone();
    learning.arguments.learn_a = true;
    vec![("grid", grid(&options).unwrap()), ("slip", slip), ("learning", learning)]
}

fn settings(budget_bytes: u64) -> Settings {
    // Small chunks, so that even small populations are many.
    Settings { agents: AGENTS, threads: 2, chunk: Some(64), budget_bytes, ..Settings::default() }
}

/// What the run takes without spilling, and its hash.
fn in_memory(model: &Model, settings: &Settings) -> (u64, u64) {
    let settings = Settings { budget_bytes: 1 << 30, spill: None, ..settings.clone() };
    let mut run = Simulation::new(model, None, &settings, STEPS, false).unwrap();
    (0..STEPS).for_each(|_| run.tick().unwrap());
    (run.peak().total(), run.trajectory_hash())
}

#[test]
fn a_run_that_spills_is_the_same_run_within_its_budget() {
    let directory = tempfile::tempdir().unwrap();
    for (name, model) in models() {
        for (belief, precision) in [
            (Belief::Auto, Precision::F32),
            (Belief::Dense, Precision::F32),
            (Belief::Sparse, Precision::F64),
        ] {
            let spill = Some(directory.path().join("made"));
            let settings = Settings { belief, precision, spill, ..settings(0) };
            let (peak, expected) = in_memory(&model, &settings);
            let mut least = 0;
            for part in [0, 1, 2, 3] {
                // From as little as can be to as much as is needed.
                let budget_bytes = if part == 0 { 1 } else { least + (peak - least) * part / 3 };
                let settings = Settings { budget_bytes, ..settings.clone() };
                let case = format!("{name} {belief:?} {precision:?} in {budget_bytes}");
                let run = Simulation::new(&model, None, &settings, STEPS, false);
                let mut run = match run {
                    Ok(run) => run,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Budget, "{case}: {error}");
                        assert_eq!(part, 0, "{case}: {error}");
                        least = least_budget(&model, &settings);
                        continue;
                    }
                };
                for _ in 0..STEPS {
                    run.tick().unwrap();
                    assert_eq!(run.memory().total(), run.engine_bytes(), "{case}");
                    assert!(run.engine_bytes() <= budget_bytes, "{case}");
                }
                assert_eq!(run.trajectory_hash(), expected, "{case}");
                let tiers = run.tiers();
                assert!(tiers.dense + tiers.sparse >= AGENTS, "{case}: {tiers:?}");
                let spilled = run.spilled();
                if part == 1 {
                    assert!(spilled.agents > 0 && spilled.written_bytes > 0, "{case}: {spilled:?}");
                }
            }
        }
    }
    assert_eq!(std::fs::read_dir(directory.path().join("made")).unwrap().count(), 0);
}

/// The smallest budget that is accepted.
fn least_budget(model: &Model, settings: &Settings) -> u64 {
    budgets::least_budget(1 << 30, |budget_bytes| {
        let settings = Settings { budget_bytes, ..settings.clone() };
        Simulation::new(model, None, &settings, STEPS, false).is_ok()
    })
}

#[test]
fn the_least_budget_is_enough_for_any_number_of_agents() {
    let directory = tempfile::tempdir().unwrap();
    let (_, model) = &models()[1];
    let few = Settings { spill: Some(directory.path().to_owned()), ..settings(0) };
    let budget_bytes = least_budget(model, &few);
    let (_, expected) = in_memory(model, &few);
    let mut run =
        Simulation::new(model, None, &Settings { budget_bytes, ..few }, STEPS, false).unwrap();
    for _ in 0..STEPS {
        run.tick().unwrap();
        assert!(run.engine_bytes() <= budget_bytes);
    }
    assert_eq!(run.trajectory_hash(), expected);
    assert_eq!(run.spilled().agents, AGENTS);
}

#[test]
fn a_run_that_spills_is_committed_and_resumed_with_or_without() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let spill = Some(directory.path().join("spill"));
    for (name, model) in models() {
        let settings = Settings { spill: spill.clone(), checkpoint: true, ..settings(0) };
        let (peak, expected) = in_memory(&model, &settings);
        let budget_bytes = least_budget(&model, &settings).midpoint(peak);
        let settings = Settings { budget_bytes, ..settings };
        let mut first = Simulation::new(&model, None, &settings, STEPS, false).unwrap();
        let run = Run::new(name, &model, &settings, STEPS);
        let mut writer = CheckpointWriter::create(&path, &run).unwrap();
        for tick in 1..=STEPS {
            first.tick().unwrap();
            writer.commit(&mut first).unwrap();
            assert_eq!(first.memory().total(), first.engine_bytes());
            if tick % 3 > 0 {
                continue;
            }
            drop(writer);
            let checkpoint = Checkpoint::open(&path).unwrap().unwrap();
            for other in [
                Settings { spill: None, budget_bytes: 1 << 30, ..settings.clone() },
                Settings { threads: 1, ..settings.clone() },
            ] {
                let mut again = checkpoint.resume(&other).unwrap();
                while again.ticks() < STEPS {
                    again.tick().unwrap();
                    assert!(again.engine_bytes() <= other.budget_bytes);
                }
                assert_eq!(again.trajectory_hash(), expected, "{name} from {tick}");
            }
            writer = checkpoint.into_writer().unwrap();
        }
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let model = Builtin::Tmaze.model().unwrap();
    let spill = Some(file.path().join("beneath"));
    let settings = Settings { spill, ..settings(32 << 20) };
    let error = Simulation::new(&model, None, &settings, STEPS, false).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::System);
    assert!(error.to_string().contains("beneath"), "{error}");
}

#[test]
fn a_crowd_on_disk_answers_as_one_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let (_, model) = &models()[1];
    let roomy = Settings { agents: 0, belief: Belief::Dense, chunk: None, ..settings(1 << 30) };
    let few = Settings { agents: 100, spill: Some(directory.path().to_owned()), ..roomy.clone() };
    let least = budgets::least_budget(1 << 30, |budget_bytes| {
        Crowd::new(model, &Settings { budget_bytes, ..few.clone() }).is_ok()
    });
    let tight = Settings { agents: 0, budget_bytes: least + (64 << 10), ..few };
    let mut crowds = [&roomy, &tight].map(|settings| Crowd::new(model, settings).unwrap());
    let all: Vec<u64> = (0..1000).collect();
    let some: Vec<u64> = (0..1000).rev().step_by(7).collect();
    let mut told = Vec::new();
    for crowd in &mut crowds {
        crowd.spawn(1000).unwrap();
        let policy = LifecyclePolicy { idle_after: Some(2), ..LifecyclePolicy::default() };
        crowd.set_policy(policy).unwrap();
        let mut chosen = vec![0; 1000];
        assert!(crowd.took(&chosen).is_err(), "nobody was stepped");
        let seen: Vec<i32> = (0..1000).map(|id| id % 144).collect();
        crowd.step(&seen, &mut chosen).unwrap();
        crowd.took(&vec![3; 1000]).unwrap();
        crowd.took_subset(&some, &vec![1; some.len()]).unwrap();
        for tick in 0..3 {
            let seen: Vec<i32> = some.iter().map(|id| (*id as i32 + tick) % 144).collect();
            let mut actions = vec![0; some.len()];
            crowd.step_subset(&some, &seen, &mut actions).unwrap();
            chosen.extend(actions);
        }
        let weighed = crowd.policies(&some).unwrap();
        let bounds = crowd.error_bounds(&all).unwrap();
        let lives = (crowd.lifecycles(&all).unwrap(), crowd.lifecycle_counts(), crowd.tiers());
        assert!(lives.0.contains(&Lifecycle::Idle) && lives.0.contains(&Lifecycle::Active));
        told.push((chosen, weighed, bounds, lives, crowd.beliefs(&all).unwrap()));
        assert_eq!(crowd.memory().total(), crowd.engine_bytes());
    }
    assert_eq!(told[0], told[1]);
    let [_, tight_one] = &crowds;
    assert!(tight_one.spilled().read_bytes > 0, "{:?}", tight_one.spilled());
    assert!(tight_one.peak().total() <= tight.budget_bytes);
}

#[test]
fn history_is_kept_beside_agents_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    for (name, model) in models() {
        let history = Some(History { ticks: 6, ..History::default() });
        let plenty = Settings { history: history.clone(), ..settings(1 << 30) };
        let mut whole = Simulation::new(&model, None, &plenty, STEPS, false).unwrap();
        (0..STEPS).for_each(|_| whole.tick().unwrap());
        let spill = Some(directory.path().to_owned());
        let spilling = Settings { spill, ..plenty };
        let least = least_budget(&model, &spilling);
        let budget_bytes = least + (whole.peak().total() - least) / 3;
        // As much as there is for both, and as much as is said.
        let bytes = whole.history_totals().unwrap().stored_bytes * 3;
        for bytes in [None, Some(bytes)] {
            let history = history.clone().map(|history| History { bytes, ..history });
            let settings = Settings { budget_bytes, history, ..spilling.clone() };
            let mut run = match Simulation::new(&model, None, &settings, STEPS, false) {
                Ok(run) => run,
                // It is less than is needed at least.
                Err(error) if bytes.is_some() => {
                    assert_eq!(error.kind(), ErrorKind::Budget, "{name}: {error}");
                    continue;
                }
                Err(error) => panic!("{name}: {error}"),
            };
            while run.ticks() < STEPS {
                run.tick().unwrap();
                assert_eq!(run.memory().total(), run.engine_bytes(), "{name}");
                assert!(run.engine_bytes() <= budget_bytes, "{name}");
            }
            assert_eq!(run.trajectory_hash(), whole.trajectory_hash(), "{name}");
            let (spilled, totals) = (run.spilled(), run.history_totals().unwrap());
            assert!(spilled.agents > 0 && totals.ticks > 0, "{name}: {spilled:?} {totals:?}");
            let there = STEPS - totals.ticks..STEPS;
            for id in (0..AGENTS).step_by(37) {
                let expected = whole.history(id, there.clone()).unwrap();
                assert_eq!(run.history(id, there.clone()).unwrap(), expected, "{name} agent {id}");
            }
        }
    }
}
