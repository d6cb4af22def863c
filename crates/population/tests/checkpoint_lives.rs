//! A run whose agents come and go, or whose past is kept, is resumed as if nobody had stopped it.
#![allow(clippy::unwrap_used)] // tests' helpers

mod budgets;

use std::path::{Path, PathBuf};

use populace_agent::models::{Builtin, GridOptions, grid};
use populace_agent::{ActionSelection, Model, Precision};
use populace_population::history::Codec;
use populace_population::{
    Belief, Checkpoint, CheckpointWriter, Crowd, ErrorKind, History, HistoryTotals,
    LifecycleCounts, LifecyclePolicy, Past, Run, Schedule, Settings, Simulation, Tiers,
};

const STEPS: u64 = 24;
const AGENTS: u64 = 150;

fn slipping() -> Model {
    grid(&GridOptions { side: 9, slip: 0.1, ..GridOptions::default() }).unwrap()
}

fn learning() -> Model {
    let mut model = Builtin::Tmaze.model().unwrap();
    model.p_a = model.a.clone();
    model.arguments.learn_a = true;
    model.arguments.action_selection = ActionSelection::Stochastic;
    model
}

fn settings() -> Settings {
    let history = Some(History { ticks: 9, beliefs: true, ..History::default() });
    Settings {
        agents: AGENTS,
        threads: 2,
        budget_bytes: 32 << 20,
        chunk: Some(16),
        checkpoint: true,
        history,
        ..Settings::default()
    }
}

fn schedule(store: PathBuf) -> Schedule {
    Schedule {
        every: 3,
        spawn: 7,
        retire: 0.1,
        lifetime: Some(15),
        hibernate: 0.2,
        wake: 0.3,
        store: Some(store),
    }
}

/// All that can be asked of a run.
#[derive(Debug, PartialEq)]
struct Seen {
    hash: u64,
    agent_steps: u64,
    agents: u64,
    counts: LifecycleCounts,
    tiers: Tiers,
    totals: Option<HistoryTotals>,
    pasts: Vec<Past>,
}

fn seen(run: &mut Simulation) -> Seen {
    let counts = run.lifecycle_counts();
    let ever = run.agents() + counts.hibernated + counts.retired;
    Seen {
        hash: run.trajectory_hash(),
        agent_steps: run.agent_steps(),
        agents: run.agents(),
        counts,
        tiers: run.tiers(),
        totals: run.history_totals(),
        pasts: (0..ever).filter_map(|id| run.history(id, 0..u64::MAX).ok()).collect(),
    }
}

fn finish(run: &mut Simulation) -> Seen {
    while run.ticks() < STEPS {
        run.tick().unwrap();
        assert_eq!(run.memory().total(), run.engine_bytes(), "a byte without a name");
    }
    seen(run)
}

fn open(path: &Path) -> Checkpoint {
    Checkpoint::open(path).unwrap().unwrap()
}

#[test]
fn who_comes_and_goes_is_resumed_from_any_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rest");
    let codecs = [Codec::Zstd, Codec::Lz4];
    let models =
        [(slipping(), Belief::Auto), (slipping(), Belief::Dense), (learning(), Belief::F16)];
    for (number, (model, belief)) in models.into_iter().enumerate() {
        let path = folder.path().join(format!("run-{number}"));
        let precision = if number == 1 { Precision::F64 } else { Precision::F32 };
        let history = Some(History { codec: codecs[number % 2], ..settings().history.unwrap() });
        let settings = Settings { belief, precision, history, ..settings() };
        let schedule = schedule(store.clone());
        let run = Run { schedule: Some(&schedule), ..Run::new("", &model, &settings, STEPS) };
        let mut whole = Simulation::living(&model, None, &settings, STEPS, &schedule).unwrap();
        let mut writer = CheckpointWriter::create(&path, &run).unwrap();
        let copy = |tick: u64| folder.path().join(format!("at-{tick}"));
        // The first is there before anything was committed.
        std::fs::copy(&path, copy(0)).unwrap();
        for tick in 1..=STEPS {
            whole.tick().unwrap();
            writer.commit(&mut whole).unwrap();
            std::fs::copy(&path, copy(tick)).unwrap();
        }
        let expected = seen(&mut whole);
        assert!(expected.counts.hibernated > 0 && expected.counts.retired > 0, "{expected:?}");
        drop((whole, writer));
        // The file of agents at rest is where the last run left it, ahead or behind.
        for tick in [STEPS, 0, 7, 1, 3, 14, 2, STEPS - 1] {
            let checkpoint = open(&copy(tick));
            assert_eq!(checkpoint.schedule(), Some(&schedule));
            let mut other = Settings {
                threads: 1,
                chunk: (tick % 2 == 0).then_some(50),
                budget_bytes: 40 << 20,
                ..Settings::default()
            };
            if tick % 3 == 2 {
                // With less memory than it takes, and what the past takes of it.
                other.spill = Some(folder.path().join("spill"));
                other.budget_bytes = budgets::least_budget(other.budget_bytes, |budget_bytes| {
                    checkpoint.resume(&Settings { budget_bytes, ..other.clone() }).is_ok()
                }) + (64 << 10);
            }
            let mut again = checkpoint.resume(&other).unwrap();
            assert_eq!(again.ticks(), tick);
            assert_eq!(finish(&mut again), expected, "model {number} from tick {tick}");
        }
        std::fs::remove_file(&store).unwrap();
    }
}

#[test]
fn agents_at_rest_may_go_elsewhere_and_never_over_those_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let (path, store) = (folder.path().join("run"), folder.path().join("rest"));
    let (model, settings, schedule) = (slipping(), settings(), schedule(store.clone()));
    let run = Run { schedule: Some(&schedule), ..Run::new("", &model, &settings, STEPS) };
    let mut whole = Simulation::living(&model, None, &settings, STEPS, &schedule).unwrap();
    let mut writer = CheckpointWriter::create(&path, &run).unwrap();
    (0..10).for_each(|_| whole.tick().unwrap());
    writer.commit(&mut whole).unwrap();
    let expected = finish(&mut whole);
    drop((whole, writer));

    // The file was lost, or is elsewhere.
    std::fs::remove_file(&store).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    let mut again = open(&path).rest_in(&elsewhere).resume(&settings).unwrap();
    assert_eq!(finish(&mut again), expected);
    assert!(elsewhere.exists() && !store.exists());
    drop(again);
    let mut again = open(&path).resume(&settings).unwrap();
    assert_eq!(finish(&mut again), expected);
    drop(again);

    // Agents of a run with another seed are nobody's to overwrite.
    let theirs = folder.path().join("theirs");
    let other = Settings { seed: 2, ..settings.clone() };
    let by = Schedule { store: Some(theirs.clone()), ..schedule.clone() };
    let mut run = Simulation::living(&model, None, &other, STEPS, &by).unwrap();
    let held = finish(&mut run).counts.hibernated;
    drop(run);
    let error = open(&path).rest_in(&theirs).resume(&settings).err().unwrap();
    let text = error.to_string();
    assert!(text.contains(&format!("holds {held} agents of another run")), "{text}");
    let mut crowd = Crowd::new(&model, &Settings { agents: 0, ..other }).unwrap();
    let error = crowd.hibernate_in(&theirs).unwrap_err().to_string();
    assert!(error.contains("of another model, other settings"), "{error}");
}

#[test]
fn the_past_of_agents_that_stay_is_resumed_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    for codec in Codec::ALL {
        let history = Some(History { ticks: 11, codec, ..History::default() });
        let settings = Settings { history, ..settings() };
        let model = slipping();
        let mut whole = Simulation::new(&model, None, &settings, STEPS, false).unwrap();
        let run = Run::new("", &model, &settings, STEPS);
        let mut writer = CheckpointWriter::create(&path, &run).unwrap();
        let expected = {
            let mut twin = Simulation::new(&model, None, &settings, STEPS, false).unwrap();
            finish(&mut twin)
        };
        for tick in 1..=STEPS {
            whole.tick().unwrap();
            writer.commit(&mut whole).unwrap();
            if tick % 5 > 0 {
                continue;
            }
            drop(writer);
            let checkpoint = open(&path);
            assert_eq!(checkpoint.history(), settings.history.as_ref());
            let mut again =
                checkpoint.resume(&Settings { threads: 1, ..Settings::default() }).unwrap();
            assert_eq!(seen(&mut again), seen(&mut whole), "{codec:?} at tick {tick}");
            assert_eq!(finish(&mut again), expected, "{codec:?} from tick {tick}");
            writer = checkpoint.into_writer().unwrap();
        }
    }
}

#[test]
fn where_less_room_is_left_the_oldest_past_stays_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let model = slipping();
    let kept = History { ticks: STEPS, codec: Codec::None, ..History::default() };
    let history = Some(kept.clone());
    let settings = Settings { agents: 20_000, chunk: None, history, ..settings() };
    let mut whole = Simulation::new(&model, None, &settings, 2 * STEPS, false).unwrap();
    let mut writer =
        CheckpointWriter::create(&path, &Run::new("", &model, &settings, 2 * STEPS)).unwrap();
    (0..STEPS).for_each(|_| whole.tick().unwrap());
    writer.commit(&mut whole).unwrap();
    drop(writer);
    let totals = whole.history_totals().unwrap();
    assert_eq!((totals.ticks, totals.dropped), (STEPS, 0));
    // There are three blocks and open rows; this is enough for two and these.
    let less = History { bytes: Some(totals.stored_bytes * 7 / 6), ..kept };
    let mut again = open(&path).resume(&Settings { history: Some(less), ..settings }).unwrap();
    let left = again.history_totals().unwrap();
    assert!(left.ticks < STEPS && left.ticks > 0 && left.dropped > 0, "{left:?}");
    for id in [0, 12_345, 19_999] {
        let recent = STEPS - left.ticks..STEPS;
        let past = again.history(id, recent.clone()).unwrap();
        assert_eq!(past.ticks.len() as u64, left.ticks);
        assert_eq!(past, whole.history(id, recent).unwrap());
    }
    again.tick().unwrap();
    assert_eq!(again.memory().total(), again.engine_bytes());
    // Who asks for a past that was not kept has it from then on, and no more is claimed.
    let settings = Settings { history: None, ..self::settings() };
    let mut bare = Simulation::new(&model, None, &settings, STEPS, false).unwrap();
    let mut writer =
        CheckpointWriter::create(&path, &Run::new("", &model, &settings, STEPS)).unwrap();
    (0..5).for_each(|_| bare.tick().unwrap());
    writer.commit(&mut bare).unwrap();
    drop(writer);
    let asked = Settings { history: Some(History::default()), ..settings };
    let mut again = open(&path).resume(&asked).unwrap();
    assert_eq!(again.history_totals().unwrap().ticks, 0);
    (0..3).for_each(|_| again.tick().unwrap());
    assert_eq!(again.history_totals().unwrap().ticks, 3);
    assert_eq!(again.history(7, 0..9).unwrap().ticks, [5, 6, 7]);
}

#[test]
fn a_crowd_is_resumed_with_who_rests() {
    let folder = tempfile::tempdir().unwrap();
    let (path, store) = (folder.path().join("crowd"), folder.path().join("rest"));
    for model in [slipping(), learning()] {
        let settings = Settings { agents: 40, ..settings() };
        let width = model.modalities();
        let step = |crowd: &mut Crowd, tick: u64| {
            let ids = crowd.ids();
            let ids: Vec<u64> =
                ids.into_iter().filter(|id| !(id + tick).is_multiple_of(3)).collect();
            let observed: Vec<i32> = (0..ids.len() * width).map(|k| (k % 2) as i32).collect();
            let mut actions = vec![0; ids.len() * model.factors()];
            crowd.step_subset(&ids, &observed, &mut actions).unwrap();
            actions
        };
        let mut crowd = Crowd::new(&model, &settings).unwrap();
        crowd.hibernate_in(&store).unwrap();
        let policy = LifecyclePolicy { idle_after: Some(4), sweeps: false, wakes: true };
        crowd.set_policy(policy).unwrap();
        let mut writer =
            CheckpointWriter::create(&path, &Run::of_crowd("", &model, &settings)).unwrap();
        crowd.retire(&[3, 17]).unwrap();
        (0..4).for_each(|tick| drop(step(&mut crowd, tick)));
        crowd.spawn(5).unwrap();
        crowd.hibernate(&[5, 9, 41]).unwrap();
        crowd.recycle(&[8]).unwrap();
        (4..7).for_each(|tick| drop(step(&mut crowd, tick)));
        writer.commit_crowd(&mut crowd).unwrap();
        let script = |crowd: &mut Crowd| {
            let mut out = Vec::new();
            for tick in 7..10 {
                out.push(step(crowd, tick));
            }
            crowd.wake(&[9, 41]).unwrap();
            crowd.hibernate(&[1, 2]).unwrap();
            assert_eq!(crowd.spawn(2).unwrap(), 46..48);
            out.push(step(crowd, 10));
            let ids = crowd.ids();
            let pasts: Vec<_> = (0..48).map(|id| crowd.history(id, 0..99).unwrap()).collect();
            (out, ids.clone(), crowd.beliefs(&ids).unwrap(), crowd.lifecycle_counts(), pasts)
        };
        let expected = script(&mut crowd);
        let steps = crowd.agent_steps();
        drop((crowd, writer));
        let checkpoint = open(&path);
        assert!(checkpoint.is_crowd());
        let error = checkpoint.resume(&settings).err().unwrap().to_string();
        assert!(error.ends_with("is of a crowd, whose world is its caller's"), "{error}");
        let mut again = checkpoint.resume_crowd(&Settings { threads: 1, ..settings }).unwrap();
        assert_eq!((again.ticks(), again.lifecycle_counts().hibernated), (7, 3));
        assert!(script(&mut again) == expected);
        assert_eq!(again.agent_steps(), steps);
        std::fs::remove_file(&store).unwrap();
    }
}

#[test]
fn what_does_not_fit_another_budget_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let model = slipping();
    let schedule = Schedule { spawn: 200, ..Schedule::default() };
    let settings = Settings { history: None, ..settings() };
    let run = Run { schedule: Some(&schedule), ..Run::new("", &model, &settings, STEPS) };
    let mut whole = Simulation::living(&model, None, &settings, STEPS, &schedule).unwrap();
    let mut writer = CheckpointWriter::create(&path, &run).unwrap();
    (0..20).for_each(|_| whole.tick().unwrap());
    writer.commit(&mut whole).unwrap();
    drop(writer);
    for budget_bytes in [1 << 20, 3 << 20, 4 << 20, 9 << 19] {
        match open(&path).resume(&Settings { budget_bytes, ..settings.clone() }) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Budget, "{error}"),
            Ok(again) => assert!(again.peak().total() <= budget_bytes),
        }
    }
}
