//! History against a list of everything, its bounds, and its bytes.
#![allow(clippy::unwrap_used)] // tests' helpers

use std::collections::HashMap;

use populace_agent::models::{Builtin, GridOptions, grid};
use populace_agent::{Model, Reals};
use populace_population::history::Codec;
use populace_population::{Crowd, ErrorKind, History, Past, Settings, Simulation};

fn slip(side: usize) -> Model {
    grid(&GridOptions { side, slip: 0.1, ..GridOptions::default() }).unwrap()
}

fn models() -> Vec<(&'static str, Model)> {
    vec![
        ("grid", grid(&GridOptions { side: 12, ..GridOptions::default() }).unwrap()),
        ("slip", slip(12)),
        ("tmaze", Builtin::Tmaze.model().unwrap()),
    ]
}

/// Numbers that look random, the same in every run.
fn noise(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Everything that ever happened, by tick.
struct Everything {
    modalities: usize,
    factors: usize,
    observations: Vec<Vec<i32>>,
    actions: Vec<Vec<i32>>,
}

impl Everything {
    fn past(&self, id: usize, ticks: std::ops::Range<u64>, kept: u64) -> Past {
        let now = self.actions.len() as u64;
        let mut past = Past::default();
        for tick in ticks.start.max(now.saturating_sub(kept))..ticks.end.min(now) {
            let row = |all: &[Vec<i32>], width: usize| {
                all[tick as usize][id * width..(id + 1) * width].to_vec()
            };
            past.ticks.push(tick);
            past.observations.extend(row(&self.observations, self.modalities));
            past.actions.extend(row(&self.actions, self.factors));
        }
        past
    }
}

/// Runs with history beside a list of everything; at every tick the bytes must add up, and some
/// agents' pasts be the same. The hash of the run.
fn against_everything(model: &Model, settings: &Settings, steps: u64, what: &str) -> u64 {
    let kept = settings.history.as_ref().unwrap().ticks;
    let mut run = Simulation::new(model, None, settings, steps, true).unwrap();
    let (modalities, factors) = (model.modalities(), model.factors());
    let mut all = Everything { modalities, factors, observations: vec![], actions: vec![] };
    let mut seed = 1;
    for tick in 0..steps {
        run.tick().unwrap();
        all.observations.push(run.observations().to_vec());
        all.actions.push(run.actions().to_vec());
        assert_eq!(run.memory().total(), run.engine_bytes(), "{what}: a byte without a name");
        assert!(run.peak().total() <= settings.budget_bytes, "{what}");
        for _ in 0..3 {
            let id = noise(&mut seed) % settings.agents;
            let from = noise(&mut seed) % (tick + 2);
            let ticks = from..from + noise(&mut seed) % (tick + 2);
            let expected = all.past(id as usize, ticks.clone(), kept);
            assert_eq!(run.history(id, ticks.clone()).unwrap(), expected, "{what}: {id} {ticks:?}");
        }
    }
    for id in 0..settings.agents {
        let expected = all.past(id as usize, 0..steps, kept);
        assert_eq!(run.history(id, 0..u64::MAX).unwrap(), expected, "{what}: {id}");
    }
    let totals = run.history_totals().unwrap();
    assert_eq!((totals.ticks, totals.dropped), (kept.min(steps), 0), "{what}");
    run.trajectory_hash()
}

#[test]
fn history_is_the_last_ticks_of_everything() {
    for (name, model) in models() {
        for (codec, agents, chunk, ticks) in [
            (Codec::Zstd, 1, None, 5),
            (Codec::Zstd, 700, Some(16), 40),
            (Codec::Zlib, 333, Some(333), 17),
            (Codec::Lz4, 130, Some(7), 1),
            (Codec::None, 257, None, u64::MAX),
        ] {
            let history = Some(History { ticks, codec, ..History::default() });
            let settings = Settings { agents, chunk, history, threads: 2, ..Settings::default() };
            let what = format!("{name} {codec:?} {agents} agents");
            let hash = against_everything(&model, &settings, 60, &what);
            let settings = Settings { history: None, ..settings };
            let mut without = Simulation::new(&model, None, &settings, 60, false).unwrap();
            (0..60).for_each(|_| without.tick().unwrap());
            assert_eq!(without.trajectory_hash(), hash, "{what}");
            assert_eq!(without.history_totals(), None);
        }
    }
}

#[test]
fn a_simulation_with_history_keeps_within_the_smallest_budget_that_takes_it() {
    let model = slip(12);
    let settings = |budget_bytes| Settings {
        agents: 3000,
        threads: 2,
        budget_bytes,
        history: Some(History { ticks: 50, ..History::default() }),
        ..Settings::default()
    };
    let accepts = |bytes| match Simulation::new(&model, None, &settings(bytes), 60, false) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Budget, "{error}");
            false
        }
    };
    let (mut low, mut high) = (0, 64 << 20);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if accepts(middle) { high = middle } else { low = middle }
    }
    let mut run = Simulation::new(&model, None, &settings(high), 60, false).unwrap();
    let mut shortest = u64::MAX;
    for tick in 1..=60 {
        run.tick().unwrap();
        assert_eq!(run.memory().total(), run.engine_bytes());
        assert!(run.peak().total() <= high);
        let totals = run.history_totals().unwrap();
        assert!(totals.ticks >= 1 && totals.ticks <= tick, "{totals:?}");
        if tick > 20 {
            shortest = shortest.min(totals.ticks);
        }
    }
    // Two blocks a chunk are less than 50 ticks, and are there.
    let totals = run.history_totals().unwrap();
    assert!(totals.dropped > 0 && shortest >= 3, "{totals:?}, {shortest}");
}

#[test]
fn the_oldest_ticks_go_first_when_bytes_are_bounded() {
    let model = models().swap_remove(0).1;
    // One chunk, of many blocks.
    let chunk = Some(4000);
    let run = |bytes| {
        let history = Some(History { ticks: 200, bytes, ..History::default() });
        let settings = Settings { agents: 4000, threads: 1, chunk, history, ..Settings::default() };
        let mut run = Simulation::new(&model, None, &settings, 200, false).unwrap();
        (0..200).for_each(|_| run.tick().unwrap());
        run
    };
    let without = {
        let settings = Settings { agents: 4000, threads: 1, chunk, ..Settings::default() };
        let mut run = Simulation::new(&model, None, &settings, 200, false).unwrap();
        (0..200).for_each(|_| run.tick().unwrap());
        run.memory().agents
    };
    let whole = run(None);
    let totals = whole.history_totals().unwrap();
    assert_eq!((totals.ticks, totals.dropped), (200, 0));
    let bound = totals.stored_bytes * 2 / 3;
    let part = run(Some(bound));
    let totals = part.history_totals().unwrap();
    assert!(totals.dropped > 0 && (80..140).contains(&totals.ticks), "{totals:?}");
    let taken = part.memory().agents.saturating_sub(without);
    assert!(taken <= bound, "{taken} of {bound}");
    for id in [0, 1999, 3999] {
        let (all, some) = (whole.history(id, 0..200).unwrap(), part.history(id, 0..200).unwrap());
        let first = all.ticks.len() - some.ticks.len();
        assert_eq!(some.ticks, all.ticks[first..]);
        assert_eq!(some.observations, all.observations[first..]);
        assert_eq!(some.actions, all.actions[first..]);
        assert!(some.ticks.len() as u64 >= totals.ticks);
    }
}

#[test]
fn the_default_grid_is_five_times_smaller_and_nothing_is_ever_larger() {
    let default = grid(&GridOptions::default()).unwrap();
    for (name, model, agents) in
        [("default", &default, 4096), ("one", &default, 1), ("tmaze", &models()[2].1, 5)]
    {
        for codec in Codec::ALL {
            let history = Some(History { ticks: 2000, codec, ..History::default() });
            let settings = Settings { agents, chunk: Some(4096), history, ..Settings::default() };
            let steps = if agents > 100 { 50 } else { 1500 };
            let mut run = Simulation::new(model, None, &settings, steps, false).unwrap();
            (0..steps).for_each(|_| run.tick().unwrap());
            let totals = run.history_totals().unwrap();
            assert!(totals.blocks > 0, "{name} {codec:?}: {totals:?}");
            assert!(totals.stored_bytes * 100 <= totals.raw_bytes * 101, "{name} {codec:?}");
            let least = if codec == Codec::Zstd { 6.0 } else { 5.0 };
            if name == "default" {
                assert!(totals.ratio() >= least, "{codec:?}: {:.2}", totals.ratio());
            }
        }
    }
}

#[test]
fn a_crowd_remembers_what_it_was_shown_and_what_it_believed() {
    let model = slip(8);
    for chunk in [None, Some(16)] {
        let history = Some(History { ticks: 9, beliefs: true, ..History::default() });
        let settings = Settings { agents: 40, chunk, history, ..Settings::default() };
        let mut crowd = Crowd::new(&model, &settings).unwrap();
        let mut seed = 5;
        let mut seen: Vec<(Vec<i32>, Vec<i32>, Reals)> = Vec::new();
        for _ in 0..25 {
            // A third of the time they see nothing.
            let outcome =
                |noise: u64| if noise.is_multiple_of(3) { -1 } else { (noise % 64) as i32 };
            let observations: Vec<i32> = (0..40).map(|_| outcome(noise(&mut seed))).collect();
            let mut actions = vec![0; 40];
            crowd.step(&observations, &mut actions).unwrap();
            let beliefs = crowd.beliefs(&(0..40).collect::<Vec<_>>()).unwrap().swap_remove(0);
            seen.push((observations, actions, beliefs));
        }
        for id in 0..40 {
            let past = crowd.history(id, 0..25).unwrap();
            assert_eq!(past.ticks, (16..25).collect::<Vec<_>>());
            for (row, (observations, actions, beliefs)) in seen[16..].iter().enumerate() {
                assert_eq!(past.observations[row], observations[id as usize]);
                assert_eq!(past.actions[row], actions[id as usize]);
                let q: Vec<f64> = beliefs.iter().skip(id as usize * 64).take(64).collect();
                let summary = past.beliefs[row];
                let most = q.iter().copied().fold(0.0, f64::max);
                let entropy: f64 = q.iter().filter(|&&q| q > 0.0).map(|q| -q * q.ln()).sum();
                assert_eq!(q[summary.state as usize], most);
                assert!((f64::from(summary.probability) - most).abs() < 8e-6);
                assert!((f64::from(summary.entropy) - entropy).abs() < 8e-6 * 64_f64.ln() + 1e-5);
            }
        }
    }
}

/// Agents come, rest, go and are stepped in turns: what each did stays with its id.
#[test]
fn a_changing_crowd_remembers_by_id() {
    let model = slip(8);
    let history = Some(History { ticks: 30, ..History::default() });
    let settings = Settings { agents: 1500, threads: 2, history, ..Settings::default() };
    let mut crowd = Crowd::new(&model, &settings).unwrap();
    let path = std::env::temp_dir().join(format!("populace-history-{}", std::process::id()));
    crowd.hibernate_in(&path).unwrap();
    let mut all: HashMap<u64, Past> = HashMap::new();
    let mut seed = 9;
    for tick in 0..70_u64 {
        match tick {
            10 => drop(crowd.spawn(900).unwrap()),
            20 => crowd.retire(&(100..1200).collect::<Vec<_>>()).unwrap(),
            30 => crowd.hibernate(&(1200..1400).collect::<Vec<_>>()).unwrap(),
            40 => crowd.wake(&(1200..1400).collect::<Vec<_>>()).unwrap(),
            50 => drop(crowd.recycle(&(1300..1310).collect::<Vec<_>>()).unwrap()),
            _ => {}
        }
        let keep = noise(&mut seed) % 4;
        let ids: Vec<u64> =
            crowd.ids().into_iter().filter(|_| noise(&mut seed) % 4 >= keep).collect();
        let observations: Vec<i32> = ids.iter().map(|_| (noise(&mut seed) % 64) as i32).collect();
        let mut actions = vec![0; ids.len()];
        crowd.step_subset(&ids, &observations, &mut actions).unwrap();
        assert_eq!(crowd.memory().total(), crowd.engine_bytes());
        for (row, id) in ids.into_iter().enumerate() {
            let past = all.entry(id).or_default();
            past.ticks.push(tick);
            past.observations.push(observations[row]);
            past.actions.push(actions[row]);
        }
        for id in (0..2410).step_by(if tick % 7 == 0 { 13 } else { 400 }) {
            let mut expected = all.get(&id).cloned().unwrap_or_default();
            let old = expected.ticks.partition_point(|&at| at + 30 <= tick);
            expected.ticks.drain(..old);
            expected.observations.drain(..old);
            expected.actions.drain(..old);
            match crowd.history(id, 0..100) {
                Ok(past) => assert_eq!(past, expected, "agent {id} after tick {tick}"),
                Err(error) => assert!(expected.ticks.is_empty(), "{error}"),
            }
        }
    }
    assert_eq!(crowd.history_totals().unwrap().dropped, 0);
    std::fs::remove_file(path).unwrap();
}

/// Whoever comes is refused no memory for the sake of the past.
#[test]
fn history_gives_way_to_agents() {
    let model = slip(8);
    let crowd = |budget_bytes, history| {
        let settings =
            Settings { agents: 1000, threads: 1, budget_bytes, history, ..Settings::default() };
        Crowd::new(&model, &settings).unwrap()
    };
    let history = History { ticks: 4000, codec: Codec::None, ..History::default() };
    let budget = 12 << 20;
    let mut with = crowd(budget, Some(history));
    let step = |crowd: &mut Crowd| {
        let agents = crowd.agents() as usize;
        crowd.step(&vec![1; agents], &mut vec![0; agents]).unwrap();
        assert!(crowd.engine_bytes() <= budget);
        assert_eq!(crowd.memory().total(), crowd.engine_bytes());
    };
    (0..200).for_each(|_| step(&mut with));
    let before = with.history_totals().unwrap();
    assert_eq!(before.ticks, 200);
    let held = with.memory().agents;
    let mut spawned = 0;
    while with.spawn(3000).is_ok() {
        spawned += 3000;
        step(&mut with);
    }
    let after = with.history_totals().unwrap();
    assert!(spawned >= 3000 && after.stored_bytes < before.stored_bytes, "{spawned}: {after:?}");
    assert!(after.dropped > 0, "{held}");
    (0..3).for_each(|_| step(&mut with));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let model = slip(8);
    let new = |history| {
        let settings = Settings { agents: 40, history: Some(history), ..Settings::default() };
        Simulation::new(&model, None, &settings, 5, false)
    };
    let message = |history| new(history).err().unwrap().to_string();
    assert_eq!(
        message(History { ticks: 0, ..History::default() }),
        "history: 0 ticks are nothing to keep"
    );
    let error = new(History { bytes: Some(100), ..History::default() }).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Budget);
    assert!(
        error.to_string().starts_with("history: 100 B is too little, 40 agents need "),
        "{error}"
    );
    let run = new(History::default()).unwrap();
    let error = run.history(40, 0..1).unwrap_err();
    assert_eq!(error.to_string(), "id: 40 is out of range, there were 40 agents ever");
    let none = Simulation::new(&model, None, &Settings::default(), 5, false).unwrap();
    let error = none.history(0, 0..1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "history: none is kept, because the settings did not ask for any"
    );
}
