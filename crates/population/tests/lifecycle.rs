//! Agents that come and go: against twins that never do, within the budget, every byte with a name.

#![allow(clippy::unwrap_used)] // tests' helpers

mod budgets;
mod scripted;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use populace_agent::models::{Builtin, GridOptions, grid};
use populace_agent::{Model, Precision};
use populace_pool::{Event, EventSink, Owner, Stage};
use populace_population::{Belief, Crowd, ErrorKind, Lifecycle, LifecyclePolicy, Settings};

use budgets::least_budget;
use scripted::{Dice, drawing, learning};

const PLENTY: u64 = 64 << 20;

impl Dice {
    /// Mostly `few`, many now and then.
    fn most(&mut self, few: u64) -> u64 {
        if self.roll(4) == 0 { 60 } else { few }
    }

    /// Some of these, in any order, at most `most`.
    fn some(&mut self, from: &[u64], most: u64) -> Vec<u64> {
        let mut from = from.to_vec();
        let count = self.roll(most + 1).min(from.len() as u64);
        let mut take = || {
            let place = self.roll(from.len() as u64);
            from.swap_remove(place as usize)
        };
        (0..count).map(|_| take()).collect()
    }
}

fn small_grid(slip: f64) -> Model {
    grid(&GridOptions { side: 9, slip, ..GridOptions::default() }).unwrap()
}

fn crowd(model: &Model, agents: u64, settings: &Settings) -> Crowd {
    Crowd::new(model, &Settings { agents, ..settings.clone() }).unwrap()
}

fn observations(model: &Model, rows: usize, dice: &mut Dice) -> Vec<i32> {
    let outcomes = model.num_obs();
    let row = |dice: &mut Dice| {
        let draw = |&count: &usize| dice.roll(count as u64 + 1) as i32 - 1;
        outcomes.iter().map(draw).collect::<Vec<_>>()
    };
    (0..rows).flat_map(|_| row(dice)).collect()
}

/// The naive twin: every agent in a crowd of its own in which nobody comes or goes, as the last of as
/// many agents as it takes to have its id.
struct Twins<'a> {
    model: &'a Model,
    settings: &'a Settings,
    agents: BTreeMap<u64, Crowd>,
}

impl Twins<'_> {
    fn of(&mut self, id: u64) -> &mut Crowd {
        let (model, settings) = (self.model, self.settings);
        let settings = Settings { spill: None, ..settings.clone() };
        self.agents.entry(id).or_insert_with(|| crowd(model, id + 1, &settings))
    }

    /// Steps an agent's twin at a tick.
    fn step(&mut self, id: u64, tick: u64, observed: &[i32]) -> Vec<i32> {
        let factors = self.model.factors();
        let twin = self.of(id);
        while twin.ticks() < tick {
            twin.step_subset(&[], &[], &mut []).unwrap();
        }
        let rows = id as usize + 1;
        let mut actions = vec![0; rows * factors];
        twin.step(&observed.repeat(rows), &mut actions).unwrap();
        actions[(rows - 1) * factors..].to_vec()
    }
}

/// What a script believes to be true.
#[derive(Default)]
struct Believed {
    awake: BTreeSet<u64>,
    asleep: BTreeSet<u64>,
    gone: BTreeSet<u64>,
    next: u64,
    ticks: u64,
}

impl Believed {
    fn born(&mut self, count: u64) -> std::ops::Range<u64> {
        let born = self.next..self.next + count;
        self.awake.extend(born.clone());
        self.next += count;
        born
    }
}

fn check(crowd: &mut Crowd, believed: &Believed, budget: u64) {
    let memory = crowd.memory();
    assert_eq!(memory.total(), crowd.engine_bytes(), "a byte without a name");
    assert!(crowd.engine_bytes() <= budget && crowd.peak().total() <= budget);
    assert_eq!(crowd.ids(), believed.awake.iter().copied().collect::<Vec<_>>());
    assert_eq!(crowd.ticks(), believed.ticks);
    let counts = crowd.lifecycle_counts();
    let awake = counts.initialising + counts.active + counts.idle;
    assert_eq!(awake, believed.awake.len() as u64);
    assert_eq!(counts.hibernated, believed.asleep.len() as u64);
    assert_eq!(counts.retired + counts.recycled, believed.gone.len() as u64);
}

/// Runs a random script; answers how many operations were refused for want of memory.
fn script(model: &Model, settings: &Settings, file: &Path, steps: usize, seed: u64) -> u64 {
    const STORE: u64 = 2 << 20 | 260 << 10;
    let mut dice = Dice(seed);
    // Where agents may go to disk, memory for hardly anybody lets many come.
    let spills = settings.spill.is_some();
    let (most, spare) = if spills { (1, 8 << 10) } else { (24 + dice.roll(60), 64 << 10) };
    let twice = Settings { agents: most, ..settings.clone() };
    let accepts =
        |budget_bytes| Crowd::new(model, &Settings { budget_bytes, ..twice.clone() }).is_ok();
    let budget = least_budget(PLENTY, accepts) + STORE + dice.roll(spare);
    let first = dice.roll(if spills { 2 } else { 12 });
    let tight = Settings { budget_bytes: budget, ..settings.clone() };
    let mut crowd = crowd(model, first, &tight);
    crowd.hibernate_in(file).unwrap();
    let mut twins = Twins { model, settings, agents: BTreeMap::new() };
    let mut believed = Believed::default();
    believed.born(first);
    let mut refused = 0;
    let factors = model.factors();
    for _ in 0..steps {
        let awake: Vec<u64> = believed.awake.iter().copied().collect();
        let asleep: Vec<u64> = believed.asleep.iter().copied().collect();
        let mut accept = |result: Result<(), populace_population::Error>| match result {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Budget, "{error}");
                refused += 1;
                false
            }
        };
        match dice.roll(16) {
            0..6 => {
                let ids = if dice.roll(3) == 0 { awake.clone() } else { dice.some(&awake, 20) };
                let observed = observations(model, ids.len(), &mut dice);
                let mut actions = vec![0; ids.len() * factors];
                if ids == awake {
                    crowd.step(&observed, &mut actions).unwrap();
                } else {
                    crowd.step_subset(&ids, &observed, &mut actions).unwrap();
                }
                for (row, &id) in ids.iter().enumerate() {
                    let modalities = model.modalities();
                    let observed = &observed[row * modalities..(row + 1) * modalities];
                    let expected = twins.step(id, believed.ticks, observed);
                    assert_eq!(actions[row * factors..(row + 1) * factors], expected, "agent {id}");
                }
                believed.ticks += 1;
            }
            6..8 => {
                let most = dice.most(4);
                let count = dice.roll(most);
                match crowd.spawn(count) {
                    Ok(born) => assert_eq!(born, believed.born(count)),
                    Err(error) => assert!(!accept(Err(error))),
                }
            }
            8..10 => {
                let everyone: Vec<u64> = awake.iter().chain(&asleep).copied().collect();
                let most = dice.most(4);
                let ids = dice.some(&everyone, most);
                crowd.retire(&ids).unwrap();
                for id in ids {
                    assert!(believed.awake.remove(&id) || believed.asleep.remove(&id));
                    believed.gone.insert(id);
                    twins.agents.remove(&id);
                }
            }
            10 => {
                let everyone: Vec<u64> = awake.iter().chain(&asleep).copied().collect();
                let ids = dice.some(&everyone, 4);
                match crowd.recycle(&ids) {
                    Ok(born) => {
                        assert_eq!(born, believed.born(ids.len() as u64));
                        for id in ids {
                            assert!(believed.awake.remove(&id) || believed.asleep.remove(&id));
                            believed.gone.insert(id);
                            twins.agents.remove(&id);
                        }
                    }
                    Err(error) => assert!(!accept(Err(error))),
                }
            }
            11..13 => {
                let most = dice.most(8);
                let ids = dice.some(&awake, most);
                crowd.hibernate(&ids).unwrap();
                for id in ids {
                    believed.awake.remove(&id);
                    believed.asleep.insert(id);
                }
            }
            13..15 => {
                let most = dice.most(8);
                let ids = dice.some(&asleep, most);
                if accept(crowd.wake(&ids)) {
                    for id in ids {
                        believed.asleep.remove(&id);
                        believed.awake.insert(id);
                    }
                }
            }
            _ => {
                let ids = dice.some(&awake, 5);
                let beliefs = crowd.beliefs(&ids).unwrap();
                for (row, &id) in ids.iter().enumerate() {
                    let expected = twins.of(id).beliefs(&[id]).unwrap();
                    for (f, &states) in model.num_states().iter().enumerate() {
                        for s in 0..states {
                            let found = beliefs[f].get(row * states + s);
                            assert_eq!(found, expected[f].get(s), "agent {id}, factor {f}");
                        }
                    }
                }
                if let Some(&id) = ids.first() {
                    let ours = crowd.policies(&[id]);
                    let theirs = twins.of(id).policies(&[id]).unwrap();
                    match ours {
                        Ok(ours) => assert_eq!(ours, theirs, "agent {id}"),
                        Err(error) => assert!(!accept(Err(error))),
                    }
                }
            }
        }
        check(&mut crowd, &believed, budget);
    }
    assert_eq!(crowd.spilled().read_bytes > 0, settings.spill.is_some());
    refused
}

#[test]
fn random_scripts_do_what_twins_do_within_the_budget() {
    let long = std::env::var_os("POPULACE_LONG").is_some();
    let (scripts, steps) = if long { (2000, 1000) } else { (4, 120) };
    let folder = tempfile::tempdir().unwrap();
    let models = [
        ("sparse", small_grid(0.0), Belief::Auto),
        ("slipping", drawing(small_grid(0.1)), Belief::Auto),
        ("dense", drawing(small_grid(0.1)), Belief::Dense),
        ("tmaze", drawing(Builtin::Tmaze.model().unwrap()), Belief::Auto),
        ("learning", learning(), Belief::Auto),
    ];
    let mut refused = 0;
    for seed in 0..scripts {
        for (name, model, belief) in &models {
            let precision = if seed % 2 == 0 { Precision::F32 } else { Precision::F64 };
            let settings = Settings {
                budget_bytes: PLENTY,
                threads: 1 + seed as usize % 2,
                chunk: (seed % 3 != 2 || seed % 4 > 1).then_some(4),
                belief: *belief,
                precision,
                // Hardly anybody stays in memory then.
                spill: (seed % 4 > 1).then(|| folder.path().join("spill")),
                ..Settings::default()
            };
            let file = folder.path().join(format!("{name}-{seed}"));
            refused += script(model, &settings, &file, steps, 1000 + seed);
            std::fs::remove_file(file).unwrap();
        }
    }
    assert!(refused > 0, "budgets were not tight");
}

#[test]
fn a_hundred_thousand_lives_leave_nothing() {
    for (model, belief) in [(small_grid(0.1), Belief::Auto), (small_grid(0.0), Belief::Dense)] {
        let settings = Settings { budget_bytes: PLENTY, threads: 1, belief, ..Settings::default() };
        let mut crowd = crowd(&model, 100, &settings);
        crowd.step(&[7; 100], &mut [0; 100]).unwrap();
        let mut actions = [0; 2];
        let mut before = None;
        for cycle in 0..25_000 {
            let born = crowd.spawn(2).unwrap();
            let ids = [born.start, born.start + 1];
            if cycle % 5 == 0 {
                crowd.step_subset(&ids, &[7, 8], &mut actions).unwrap();
            }
            crowd.retire(&ids).unwrap();
            assert_eq!(crowd.engine_bytes(), *before.get_or_insert(crowd.engine_bytes()));
        }
        assert_eq!(crowd.agents(), 100);
        assert_eq!(crowd.lifecycle_counts().retired, 50_000);
        // Whoever comes and goes in the middle, too.
        for cycle in 0..25_000 {
            let born = crowd.spawn(1).unwrap();
            let oldest = crowd.ids()[cycle % 50];
            crowd.retire(&[oldest]).unwrap();
            assert_eq!(crowd.agents(), 100);
            assert_eq!(crowd.ids().last(), Some(&born.start));
        }
        let most = before.unwrap() + 3 * 4096;
        assert!(crowd.engine_bytes() <= most, "{} > {most}", crowd.engine_bytes());
        assert_eq!(crowd.memory().total(), crowd.engine_bytes());
    }
}

#[test]
fn who_retires_gives_back_what_they_took() {
    for (model, belief) in [(small_grid(0.1), Belief::Auto), (small_grid(0.0), Belief::Dense)] {
        let settings = Settings { budget_bytes: PLENTY, threads: 2, belief, ..Settings::default() };
        let mut crowd = crowd(&model, 1000, &settings);
        crowd.step(&[7; 1000], &mut [0; 1000]).unwrap();
        let before = crowd.engine_bytes();
        let born = crowd.spawn(20_000).unwrap();
        for _ in 0..3 {
            crowd.step(&[7; 21_000], &mut [0; 21_000]).unwrap();
        }
        let most = crowd.engine_bytes();
        crowd.retire(&born.collect::<Vec<_>>()).unwrap();
        let left = crowd.engine_bytes().saturating_sub(before) as f64;
        let taken = (most - before) as f64;
        assert!(left <= 0.001 * taken, "{left} of {taken} bytes are left");
    }
}

#[test]
fn a_subset_is_stepped_and_nobody_else() {
    let model = small_grid(0.1);
    let settings = Settings { budget_bytes: PLENTY, ..Settings::default() };
    let mut crowd = crowd(&model, 40, &settings);
    let everyone: Vec<u64> = (0..40).collect();
    let places: Vec<i32> = (0..40).collect();
    crowd.step(&places, &mut [0; 40]).unwrap();
    let before = crowd.beliefs(&everyone).unwrap();
    crowd.step_subset(&[31, 2, 17], &[30, 1, 16], &mut [0; 3]).unwrap();
    let after = crowd.beliefs(&everyone).unwrap();
    for id in everyone {
        let row = |beliefs: &populace_agent::Reals| {
            (0..81).map(|s| beliefs.get(id as usize * 81 + s)).collect::<Vec<_>>()
        };
        assert_eq!(row(&before[0]) != row(&after[0]), [2, 17, 31].contains(&id), "agent {id}");
    }
}

#[test]
fn ids_are_answered_for_by_name() {
    let model = Builtin::Tmaze.model().unwrap();
    let settings = Settings { budget_bytes: 16 << 20, ..Settings::default() };
    let mut crowd = crowd(&model, 6, &settings);
    let folder = tempfile::tempdir().unwrap();
    let says = |result: Result<(), populace_population::Error>| result.unwrap_err().to_string();
    assert_eq!(says(crowd.hibernate(&[1])), "hibernate: the population has no hibernation file");
    crowd.hibernate_in(folder.path().join("rest")).unwrap();
    crowd.retire(&[4]).unwrap();
    crowd.hibernate(&[2]).unwrap();
    let mut step = |ids: &[u64]| {
        says(crowd.step_subset(ids, &vec![0; 3 * ids.len()], &mut vec![0; 2 * ids.len()]))
    };
    assert_eq!(step(&[0, 2]), "ids[1]: 2 is hibernated; wake it first");
    assert_eq!(step(&[4]), "ids[0]: 4 is gone for good");
    assert_eq!(step(&[0, 1, 6]), "ids[2]: 6 is out of range, there were ever 6 agents");
    assert_eq!(step(&[3, 0, 3]), "ids[2]: 3 stands there twice, first as ids[0]");
    assert_eq!(says(crowd.wake(&[1])), "ids[0]: 1 is not hibernated");
    assert_eq!(says(crowd.wake(&[2, 2])), "ids[1]: 2 stands there twice, first as ids[0]");
    assert_eq!(says(crowd.retire(&[2, 4])), "ids[1]: 4 is gone for good");
    assert_eq!((crowd.ticks(), crowd.ids()), (0, vec![0, 1, 3, 5]));
    let error = says(crowd.took_subset(&[0], &[0, 0]));
    assert_eq!(error, "actions: no agent was stepped yet, so none has acted");
    crowd.step_subset(&[1], &[0; 3], &mut [0; 2]).unwrap();
    let error = says(crowd.took_subset(&[1, 0], &[0; 4]));
    assert_eq!(error, "actions[1]: agent 0 was not stepped yet, so it has not acted");
    use Lifecycle::{Active, Hibernated, Initialising, Retired};
    let lifecycles = crowd.lifecycles(&[0, 1, 2, 4]).unwrap();
    assert_eq!(lifecycles, [Initialising, Active, Hibernated, Retired]);
}

#[test]
fn what_fits_is_told_and_fits() {
    for model in [Builtin::Tmaze.model().unwrap(), small_grid(0.1)] {
        let settings = Settings { budget_bytes: 8 << 20, threads: 1, ..Settings::default() };
        let mut crowd = crowd(&model, 10, &settings);
        let before = crowd.engine_bytes();
        let error = crowd.spawn(10_000_000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Budget);
        assert_eq!((crowd.agents(), crowd.engine_bytes()), (10, before));
        let message = error.to_string();
        let fits = message.rsplit(": ").next().unwrap().trim_end_matches(" fit");
        let fits: u64 = fits.parse().unwrap_or_else(|_| panic!("{message}"));
        assert!(crowd.spawn(fits + 1).is_err(), "{message}");
        crowd.spawn(fits).unwrap();
        let rows = crowd.agents() as usize;
        let (mut actions, seen) =
            (vec![0; rows * model.factors()], vec![0; rows * model.modalities()]);
        for _ in 0..4 {
            crowd.step(&seen, &mut actions).unwrap();
            assert!(crowd.engine_bytes() <= 8 << 20);
        }
    }
}

/// Writes down who passed from where to where.
#[derive(Default)]
struct Notes(Mutex<Vec<(u64, Option<Stage>, Stage)>>);

impl EventSink for Notes {
    fn note(&self, event: Event) {
        if let Event::Passed { owner: Owner(id), from, to } = event {
            self.0.lock().unwrap().push((id, from, to));
        }
    }
}

#[test]
fn every_passage_is_told() {
    use Lifecycle::{Active, Hibernated, Idle, Initialising, Recycled, Retired};
    let model = Builtin::Tmaze.model().unwrap();
    let settings = Settings { budget_bytes: 16 << 20, ..Settings::default() };
    let mut crowd = crowd(&model, 3, &settings);
    let folder = tempfile::tempdir().unwrap();
    crowd.hibernate_in(folder.path().join("rest")).unwrap();
    let notes = Arc::new(Notes::default());
    crowd.listen(notes.clone());
    let told = |expected: &[(u64, Option<Lifecycle>, Lifecycle)]| {
        let told = std::mem::take(&mut *notes.0.lock().unwrap());
        let stage = |&(id, from, to): &(u64, Option<Lifecycle>, Lifecycle)| {
            (id, from.map(Stage::from), to.into())
        };
        assert_eq!(told, expected.iter().map(stage).collect::<Vec<_>>());
    };
    crowd.step_subset(&[2, 0], &[0; 6], &mut [0; 4]).unwrap();
    told(&[(0, Some(Initialising), Active), (2, Some(Initialising), Active)]);
    crowd.spawn(1).unwrap();
    told(&[(3, None, Initialising)]);
    let policy = LifecyclePolicy { idle_after: Some(2), sweeps: false, wakes: true };
    crowd.set_policy(policy).unwrap();
    crowd.step_subset(&[0], &[0; 3], &mut [0; 2]).unwrap();
    told(&[]);
    assert_eq!(crowd.sweep().unwrap(), 0);
    crowd.step_subset(&[0, 1], &[0; 6], &mut [0; 4]).unwrap();
    told(&[(1, Some(Initialising), Active)]);
    assert_eq!(crowd.lifecycles(&[2, 3]).unwrap(), [Idle, Idle]);
    assert_eq!(crowd.sweep().unwrap(), 2);
    told(&[
        (2, Some(Active), Idle),
        (3, Some(Initialising), Idle),
        (2, Some(Idle), Hibernated),
        (3, Some(Idle), Hibernated),
    ]);
    crowd.step_subset(&[3], &[0; 3], &mut [0; 2]).unwrap();
    told(&[(3, Some(Hibernated), Initialising), (3, Some(Initialising), Active)]);
    crowd.retire(&[2, 0]).unwrap();
    told(&[(0, Some(Active), Retired), (2, Some(Hibernated), Retired)]);
    crowd.recycle(&[1]).unwrap();
    told(&[(1, Some(Active), Recycled), (4, None, Initialising)]);
    let policy = LifecyclePolicy { sweeps: true, ..policy };
    crowd.set_policy(policy).unwrap();
    for _ in 0..3 {
        crowd.step_subset(&[4], &[0; 3], &mut [0; 2]).unwrap();
    }
    assert_eq!((crowd.ids(), crowd.lifecycle_counts().hibernated), (vec![4], 1));
}

#[test]
fn another_crowd_takes_over_what_rests() {
    let model = drawing(small_grid(0.1));
    let settings = Settings { budget_bytes: 16 << 20, ..Settings::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rest");
    let ids: Vec<u64> = (0..50).collect();
    let seen: Vec<i32> = (0..50).collect();
    let mut first = crowd(&model, 50, &settings);
    first.hibernate_in(&path).unwrap();
    first.step(&seen, &mut [0; 50]).unwrap();
    let before = first.beliefs(&ids).unwrap();
    first.hibernate(&ids).unwrap();
    let busy = crowd(&model, 0, &settings).hibernate_in(&path).unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::System, "{busy}");
    drop(first);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let error = crowd(&model, 3, &settings).hibernate_in(&path).unwrap_err().to_string();
    assert!(error.ends_with("agent 0 is in the file and in memory"), "{error}");
    let other = Settings { precision: Precision::F64, ..settings.clone() };
    let error = crowd(&model, 0, &other).hibernate_in(&path).unwrap_err().to_string();
    assert!(error.contains("of another model, other settings"), "{error}");
    let mut second = crowd(&model, 0, &settings);
    second.hibernate_in(&path).unwrap();
    second.wake(&ids).unwrap();
    assert_eq!(second.beliefs(&ids).unwrap(), before);
    assert_eq!(second.spawn(1).unwrap(), 50..51);
}

/// A process that was killed while it made the file leaves one beside it, which stands in nobody's way.
#[test]
fn a_file_that_was_never_finished_is_begun_anew() {
    let model = Builtin::Tmaze.model().unwrap();
    let settings = Settings { budget_bytes: 16 << 20, ..Settings::default() };
    let folder = tempfile::tempdir().unwrap();
    let (path, fresh) = (folder.path().join("rest"), folder.path().join("rest.new"));
    for left in [&[0; 10_000][..], b"redb", b""] {
        std::fs::write(&fresh, left).unwrap();
        std::fs::write(&path, b"").unwrap();
        let mut crowd = crowd(&model, 9, &settings);
        crowd.hibernate_in(&path).unwrap();
        crowd.hibernate(&[4]).unwrap();
        assert!(!fresh.exists());
        drop(crowd);
        std::fs::remove_file(&path).unwrap();
    }
    // What is something else is left alone.
    std::fs::write(&path, b"Dear agents").unwrap();
    assert!(crowd(&model, 9, &settings).hibernate_in(&path).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"Dear agents");
}

#[test]
fn a_changed_byte_of_an_agent_is_found() {
    let model = small_grid(0.1);
    let settings = Settings { budget_bytes: 16 << 20, ..Settings::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rest");
    let ids: Vec<u64> = (0..200).collect();
    let mut first = crowd(&model, 200, &settings);
    first.hibernate_in(&path).unwrap();
    first.step(&[7; 200], &mut [0; 200]).unwrap();
    let whole = first.beliefs(&ids).unwrap();
    first.hibernate(&ids).unwrap();
    drop(first);
    let bytes = std::fs::read(&path).unwrap();
    let flips = if std::env::var_os("POPULACE_LONG").is_some() { 100_000 } else { 300 };
    let mut dice = Dice(5);
    let mut found = 0;
    for _ in 0..flips {
        let mut flipped = bytes.clone();
        let bit = dice.roll(8 * bytes.len() as u64) as usize;
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &flipped).unwrap();
        // What a flip in free space leaves is the file itself; nothing else may pass for it.
        let mut crowd = crowd(&model, 0, &settings);
        let woken = crowd.hibernate_in(&path).and_then(|()| crowd.wake(&ids));
        match woken {
            Ok(()) => assert_eq!(crowd.beliefs(&ids).unwrap(), whole, "bit {bit}"),
            Err(error) => {
                assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
                found += 1;
            }
        }
    }
    assert!(found > flips / 20, "{found} of {flips} flips were found");
}
