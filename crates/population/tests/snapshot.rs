//! A loaded crowd goes on as the one that was saved, and what is not a whole snapshot is refused.
#![allow(clippy::unwrap_used)] // tests' helpers

use std::fs;
use std::path::Path;

use populace_agent::models::{Builtin, GridOptions, grid};
use populace_agent::{ActionSelection, Model, Precision};
use populace_population::{Belief, Crowd, ErrorKind, LifecyclePolicy, Settings};

fn small_grid() -> Model {
    grid(&GridOptions { side: 9, slip: 0.1, ..GridOptions::default() }).unwrap()
}

/// Agents that learn where the T-maze's reward is, and draw their actions.
fn learning() -> Model {
    let mut model = Builtin::Tmaze.model().unwrap();
    model.arguments.action_selection = ActionSelection::Stochastic;
    model.p_a = model.a.clone();
    model.p_b = model.b.clone();
    model.arguments.learn_a = true;
    model.arguments.learn_b = true;
    model.check().unwrap();
    model
}

fn settings(belief: Belief, precision: Precision) -> Settings {
    let budget_bytes = 64 << 20;
    Settings {
        agents: 300,
        threads: 2,
        seed: 11,
        belief,
        precision,
        budget_bytes,
        ..Settings::default()
    }
}

/// What is observed at a tick, the same for whoever asks: outcomes and nothing, in turns.
fn observations(model: &Model, rows: usize, tick: u64) -> Vec<i32> {
    let outcomes = model.num_obs();
    let row = |row: usize| {
        let draw = move |(m, &count): (usize, &usize)| {
            ((row * 7 + m * 3 + tick as usize * 5) % (count + 1)) as i32 - 1
        };
        outcomes.iter().enumerate().map(draw).collect::<Vec<_>>()
    };
    (0..rows).flat_map(row).collect()
}

fn step(crowd: &mut Crowd, model: &Model, ids: Option<&[u64]>) -> Vec<i32> {
    let rows = ids.map_or(crowd.agents() as usize, <[u64]>::len);
    let seen = observations(model, rows, crowd.ticks());
    let mut actions = vec![0; rows * model.factors()];
    match ids {
        None => crowd.step(&seen, &mut actions).unwrap(),
        Some(ids) => crowd.step_subset(ids, &seen, &mut actions).unwrap(),
    }
    actions
}

/// A life with everything in it: steps of all and of some, births, deaths, and so gaps in the ids.
fn live(crowd: &mut Crowd, model: &Model) -> Vec<i32> {
    let mut done = step(crowd, model, None);
    let some: Vec<u64> = crowd.ids().into_iter().filter(|id| id % 3 == 1).collect();
    done.extend(step(crowd, model, Some(&some)));
    crowd.retire(&some[..some.len() / 2]).unwrap();
    crowd.spawn(40).unwrap();
    done.extend(step(crowd, model, None));
    let ids = crowd.ids();
    crowd.recycle(&[ids[0], ids[ids.len() - 1]]).unwrap();
    crowd.spawn(5).unwrap();
    done.extend(step(crowd, model, None));
    done
}

#[test]
fn a_loaded_crowd_goes_on_as_its_twin() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("crowd");
    for model in [small_grid(), learning()] {
        for belief in [Belief::Auto, Belief::Dense, Belief::Sparse, Belief::F16] {
            for precision in [Precision::F32, Precision::F64] {
                let settings = settings(belief, precision);
                let mut twin = Crowd::new(&model, &settings).unwrap();
                for life in 0..3 {
                    twin.save(&path, &model, &settings).unwrap();
                    let (threads, chunk) = [(1, None), (3, Some(16)), (1, Some(7))][life];
                    let other = Settings { threads, chunk, ..Settings::default() };
                    let saved = Crowd::load(&path, &other).unwrap();
                    let mut again = saved.crowd;
                    assert_eq!((saved.settings.belief, saved.settings.seed), (belief, 11));
                    assert_eq!((again.threads(), again.ids()), (threads, twin.ids()));
                    assert_eq!(again.lifecycle_counts(), twin.lifecycle_counts());
                    assert_eq!(again.memory().total(), again.engine_bytes());
                    let case = format!("{belief:?} {precision:?}, life {life}");
                    assert_eq!(live(&mut again, &saved.model), live(&mut twin, &model), "{case}");
                    let ids = twin.ids();
                    assert_eq!(again.ids(), ids, "{case}");
                    assert_eq!(again.beliefs(&ids).unwrap(), twin.beliefs(&ids).unwrap(), "{case}");
                    assert_eq!(again.trajectory_hash(), twin.trajectory_hash(), "{case}");
                    assert_eq!((again.ticks(), again.tiers()), (twin.ticks(), twin.tiers()));
                    assert_eq!(again.agent_steps(), twin.agent_steps());
                }
            }
        }
    }
}

#[test]
fn idle_times_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("crowd");
    let (model, settings) = (small_grid(), settings(Belief::Auto, Precision::F32));
    let mut crowd = Crowd::new(&model, &settings).unwrap();
    let policy = LifecyclePolicy { idle_after: Some(2), wakes: true, sweeps: false };
    crowd.set_policy(policy).unwrap();
    step(&mut crowd, &model, None);
    step(&mut crowd, &model, Some(&[4, 9]));
    crowd.save(&path, &model, &settings).unwrap();
    let mut again = Crowd::load(&path, &settings).unwrap().crowd;
    for crowd in [&mut crowd, &mut again] {
        step(crowd, &model, Some(&[]));
        let counts = crowd.lifecycle_counts();
        assert_eq!((counts.active, counts.idle), (2, 298));
    }
}

#[test]
fn nobody_is_saved_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("crowd");
    let model = small_grid();
    let settings = Settings { agents: 0, ..settings(Belief::Auto, Precision::F32) };
    let mut crowd = Crowd::new(&model, &settings).unwrap();
    crowd.spawn(2).unwrap();
    crowd.retire(&[0, 1]).unwrap();
    crowd.save(&path, &model, &settings).unwrap();
    let mut again = Crowd::load(&path, &settings).unwrap().crowd;
    assert_eq!((again.agents(), again.lifecycle_counts().retired), (0, 2));
    assert_eq!(again.spawn(1).unwrap(), 2..3);
}

#[test]
fn any_change_of_a_file_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("crowd");
    let model = grid(&GridOptions { side: 4, ..GridOptions::default() }).unwrap();
    let settings = Settings { agents: 20, ..settings(Belief::Sparse, Precision::F32) };
    let mut crowd = Crowd::new(&model, &settings).unwrap();
    step(&mut crowd, &model, None);
    crowd.retire(&[3, 7]).unwrap();
    crowd.save(&path, &model, &settings).unwrap();
    let whole = fs::read(&path).unwrap();
    let refused = |bytes: &[u8], what: &dyn std::fmt::Display| {
        fs::write(&path, bytes).unwrap();
        let error = Crowd::load(&path, &Settings { threads: 1, ..settings.clone() });
        let Err(error) = error else { panic!("{what} was not found") };
        assert_eq!(error.kind(), ErrorKind::Invalid, "{what}: {error}");
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    };
    // Each refusal before the agents are read takes no threads; so those are cheap.
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        refused(&bytes, &format!("a flip in byte {at} of {}", whole.len()));
    }
    for at in (0..whole.len()).step_by(13) {
        refused(&whole[..at], &format!("a cut after {at} bytes"));
    }
    refused(&[&whole[..], b"\0"].concat(), &"a byte more");
    refused(b"PPLCROWDPPLCROWDPPLCROWD", &"a header of no length");
    fs::write(&path, &whole).unwrap();
    assert!(Crowd::load(&path, &settings).is_ok());
}

#[test]
fn a_file_is_whole_or_as_it_was_and_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("crowd");
    let (model, settings) = (small_grid(), settings(Belief::Auto, Precision::F32));
    let mut crowd = Crowd::new(&model, &settings).unwrap();
    crowd.save(&path, &model, &settings).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let before = fs::read(&path).unwrap();

    let other = small_grid_of(5);
    let error = crowd.save(&path, &other, &settings).unwrap_err();
    assert_eq!(error.to_string(), "save: the crowd is of another model or other settings");
    crowd.hibernate_in(directory.path().join("rest")).unwrap();
    crowd.hibernate(&[2, 5]).unwrap();
    let error = crowd.save(&path, &model, &settings).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().starts_with("save: 2 agents are hibernated"), "{error}");
    crowd.wake(&[2, 5]).unwrap();
    for nowhere in [directory.path().join("none/crowd"), directory.path().to_owned()] {
        let error = crowd.save(&nowhere, &model, &settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::System);
        let named = format!("{}: cannot be written", nowhere.display());
        assert!(error.to_string().starts_with(&named), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "the crowd and the hibernated, and nothing half-written: {left:?}");
}

#[test]
fn a_budget_that_is_too_small_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("crowd");
    let model = small_grid();
    let settings = Settings { agents: 20_000, ..settings(Belief::Dense, Precision::F32) };
    let mut crowd = Crowd::new(&model, &settings).unwrap();
    step(&mut crowd, &model, None);
    crowd.save(&path, &model, &settings).unwrap();
    let small = Settings { budget_bytes: 4 << 20, ..Settings::default() };
    let Err(error) = Crowd::load(&path, &small) else { panic!("4 MiB hold 6.5 MB") };
    assert_eq!(error.kind(), ErrorKind::Budget);
    assert!(error.to_string().starts_with("20000 agents need"), "{error}");
    let missing = Crowd::load(Path::new("/nonexistent/crowd"), &small);
    assert!(missing.is_err_and(|error| error.kind() == ErrorKind::System));
}

fn small_grid_of(side: usize) -> Model {
    grid(&GridOptions { side, ..GridOptions::default() }).unwrap()
}
