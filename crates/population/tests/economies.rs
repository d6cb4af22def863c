//! What keeps a population within its budget: equal beliefs stored once, beliefs that go down a tier, a
//! population's part of a budget, an agent's limit.

#![allow(clippy::unwrap_used)] // tests' helpers

mod budgets;

use std::sync::Arc;

use populace_agent::models::{Builtin, GridOptions, grid};
use populace_agent::{ActionSelection, Model};
use populace_pool::{Budget, Pages, SharedResource};
use populace_population::{
    Belief, Crowd, Environment, ErrorKind, Generative, History, Moment, Schedule, Settings,
    Simulation, most_bytes_per_agent,
};

const STEPS: u64 = 20;

fn drawing(builtin: Builtin) -> Model {
    let mut model = builtin.model().unwrap();
    model.arguments.action_selection = ActionSelection::Stochastic;
    model
}

fn slipping() -> Model {
    grid(&GridOptions { side: 12, slip: 0.1, ..GridOptions::default() }).unwrap()
}

fn settings(agents: u64) -> Settings {
    Settings { agents, threads: 2, budget_bytes: 64 << 20, ..Settings::default() }
}

fn simulation(model: &Model, settings: &Settings) -> Simulation {
    Simulation::new(model, None, settings, STEPS, false).unwrap()
}

/// Runs it, every byte accounted for.
fn run(simulation: &mut Simulation, settings: &Settings) -> u64 {
    for _ in 0..STEPS {
        simulation.tick().unwrap();
        assert_eq!(simulation.memory().total(), simulation.engine_bytes());
        assert!(simulation.peak().total() <= settings.budget_bytes);
    }
    simulation.trajectory_hash()
}

/// The same agents in a crowd of whom each is asked what it believes, so that none is stepped for
/// another.
fn each_its_own(model: &Model, settings: &Settings) -> u64 {
    let memory: SharedResource = Arc::new(Pages);
    let world = Generative::new(model, &memory).unwrap();
    let history = Some(History { ticks: 1, beliefs: true, ..History::default() });
    let mut crowd = Crowd::new(model, &Settings { history, ..settings.clone() }).unwrap();
    let agents = settings.agents as usize;
    let mut states = vec![0; agents * world.state_bytes()];
    let mut observations = vec![0; agents * model.modalities()];
    let mut actions = vec![0; agents * model.factors()];
    world.begin(settings.seed, 0..settings.agents, &mut states);
    for tick in 0..STEPS {
        let moment = Moment { seed: settings.seed, tick };
        world.observe(moment, 0..settings.agents, &mut states, &mut observations);
        crowd.step(&observations, &mut actions).unwrap();
        world.act(moment, 0..settings.agents, &mut states, &mut actions);
    }
    assert_eq!(crowd.economies().sharing_agents, 0);
    crowd.trajectory_hash()
}

#[test]
fn equal_beliefs_are_stored_once_and_nothing_else_changes() {
    for belief in [Belief::Auto, Belief::Dense, Belief::F16, Belief::Log8] {
        for builtin in [Builtin::Tmaze, Builtin::CueChaining] {
            let model = drawing(builtin);
            let settings = Settings { belief, ..settings(2000) };
            let mut sharing = simulation(&model, &settings);
            let hash = run(&mut sharing, &settings);
            assert_eq!(hash, each_its_own(&model, &settings), "{builtin:?} {belief:?}");
            let economies = sharing.economies();
            let (agents, records) = (economies.sharing_agents, economies.shared_records);
            println!("{builtin:?} {belief:?}: {economies:?}, {:.1}", sharing.bytes_per_agent());
            if builtin == Builtin::Tmaze {
                assert_eq!(agents, 2000, "{belief:?}");
                assert!(10 * records < agents, "{belief:?}: {economies:?}");
            }
        }
    }
}

#[test]
fn agents_that_come_and_go_share_and_nothing_else_changes() {
    let model = drawing(Builtin::Tmaze);
    let folder = tempfile::tempdir().unwrap();
    for belief in [Belief::Auto, Belief::Log8] {
        let mut seen = Vec::new();
        for (number, (asked, threads, chunk, spills)) in [
            (true, 2, None, false),
            (false, 2, None, false),
            (false, 1, Some(48), false),
            (false, 2, Some(500), true),
        ]
        .into_iter()
        .enumerate()
        {
            let schedule = Schedule {
                every: 2,
                spawn: 150,
                retire: 0.02,
                lifetime: Some(15),
                hibernate: 0.05,
                wake: 0.3,
                store: Some(folder.path().join(format!("{belief:?}-{number}"))),
            };
            let history = asked.then(|| History { ticks: 1, beliefs: true, ..History::default() });
            let spill = spills.then(|| folder.path().join("spill"));
            let plenty = Settings { belief, threads, chunk, spill, history, ..settings(3000) };
            let living = |budget_bytes| {
                let settings = Settings { budget_bytes, ..plenty.clone() };
                let made = Simulation::living(&model, None, &settings, STEPS, &schedule);
                if made.is_err() {
                    let _ = std::fs::remove_file(schedule.store.as_ref().unwrap());
                }
                made
            };
            let tight = || {
                budgets::least_budget(plenty.budget_bytes, |bytes| {
                    let made = living(bytes).is_ok();
                    let _ = std::fs::remove_file(schedule.store.as_ref().unwrap());
                    made
                })
            };
            let budget = if spills { tight() } else { plenty.budget_bytes };
            let mut run = living(budget).unwrap();
            let mut most = 0;
            for _ in 0..STEPS {
                run.tick().unwrap();
                assert_eq!(run.memory().total(), run.engine_bytes());
                assert!(run.peak().total() <= budget);
                let economies = run.economies();
                assert!(economies.shared_records <= economies.sharing_agents);
                most = most.max(economies.sharing_agents);
            }
            assert_eq!(most > 2000, !asked, "{belief:?} {number}: {most}");
            seen.push((run.trajectory_hash(), run.lifecycle_counts(), run.tiers()));
        }
        assert!(seen.iter().all(|it| *it == seen[0]), "{belief:?}: {seen:?}");
    }
}

#[test]
fn who_is_stepped_shares_with_who_is_not() {
    let model = drawing(Builtin::Tmaze);
    let history = |asked: bool| asked.then(|| History { beliefs: true, ..History::default() });
    let mut crowds = [true, false, false].map(|asked| {
        let settings = Settings { history: history(asked), ..settings(0) };
        Crowd::new(&model, &settings).unwrap()
    });
    // The last one's agents are on disk, but for whom a few pages hold.
    let folder = tempfile::tempdir().unwrap();
    let spill = Some(folder.path().to_owned());
    let one = Settings { spill, chunk: Some(16), ..settings(1) };
    let least = budgets::least_budget(one.budget_bytes, |budget_bytes| {
        Crowd::new(&model, &Settings { budget_bytes, ..one.clone() }).is_ok()
    });
    let tight = Settings { agents: 0, budget_bytes: least + (104 << 10), ..one };
    crowds[2] = Crowd::new(&model, &tight).unwrap();
    for crowd in &mut crowds {
        crowd.spawn(400).unwrap();
    }
    let mut shared = [0; 2];
    for tick in 0..12_u64 {
        // Some of them, some born since; what they observe hardly differs.
        let ids: Vec<u64> = (0..400 + 10 * tick).filter(|id| id % 3 != tick % 3).collect();
        let seen: Vec<i32> = ids.iter().flat_map(|id| [0, (id % 2) as i32, 0]).collect();
        let mut chosen = Vec::new();
        for crowd in &mut crowds {
            let mut actions = vec![0; 2 * ids.len()];
            crowd.step_subset(&ids, &seen, &mut actions).unwrap();
            chosen.push(actions);
            crowd.spawn(10).unwrap();
        }
        let all: Vec<u64> = crowds[0].ids();
        let [asked, sharing, spilling] = &mut crowds;
        let expected = asked.beliefs(&all).unwrap();
        assert_eq!(asked.economies().sharing_agents, 0);
        for (number, crowd) in [sharing, spilling].into_iter().enumerate() {
            assert_eq!(chosen[number + 1], chosen[0], "tick {tick}");
            assert_eq!(crowd.beliefs(&all).unwrap(), expected, "tick {tick}");
            shared[number] = crowd.economies().sharing_agents.max(shared[number]);
        }
    }
    assert!(shared.iter().all(|&shared| shared > 200), "{shared:?}");
    assert!(crowds[2].spilled().read_bytes > 0 && crowds[2].peak().total() <= tight.budget_bytes);
}

#[test]
fn a_grid_finds_that_sharing_does_not_pay() {
    let mut grid = simulation(&slipping(), &settings(2000));
    run(&mut grid, &settings(2000));
    assert_eq!(grid.economies().sharing_agents, 0);
}

/// The least budget that a run is accepted with.
fn least_budget(model: &Model, settings: &Settings) -> u64 {
    budgets::least_budget(settings.budget_bytes, |budget_bytes| {
        let settings = Settings { budget_bytes, ..settings.clone() };
        Simulation::new(model, None, &settings, STEPS, false).is_ok()
    })
}

#[test]
fn beliefs_go_down_a_tier_only_where_the_budget_would_not_hold_them() {
    let model = slipping();
    for (belief, to) in [
        (Belief::Auto, Belief::F16),
        (Belief::Auto, Belief::Log8),
        (Belief::Dense, Belief::Log8),
        (Belief::F16, Belief::Log8),
    ] {
        let exact = Settings { belief, ..settings(1500) };
        let demoting = Settings { demote: Some(to), ..exact.clone() };
        let (whole, least) = (least_budget(&model, &exact), least_budget(&model, &demoting));
        assert!(10 * least < 9 * whole, "{belief:?} to {to:?}: {least} of {whole}");

        // With all the room that could be needed nothing is lost.
        let mut roomy = simulation(&model, &demoting);
        let hash = run(&mut roomy, &demoting);
        assert_eq!(hash, run(&mut simulation(&model, &exact), &exact));
        assert_eq!(roomy.economies().demotions, 0);
        assert!(belief == Belief::F16 || roomy.bounds().max == 0.0);

        // With less, as much as it takes; the more room, the less.
        let mut before = u64::MAX;
        for part in [0, 4, 8] {
            let budget_bytes = least + (whole - least) / 16 * part;
            let tight = Settings { budget_bytes, ..demoting.clone() };
            let mut first = simulation(&model, &tight);
            let hash = run(&mut first, &tight);
            let economies = first.economies();
            println!("{belief:?} to {to:?}, {part}/16: {economies:?} {:?}", first.tiers());
            assert!(economies.demotions <= before, "{economies:?}");
            assert!(part > 0 || economies.demotions > 0, "{belief:?} to {to:?}");
            before = economies.demotions;
            // It is the same every time, whatever the threads do.
            let mut again = simulation(&model, &tight);
            assert_eq!(run(&mut again, &tight), hash, "{belief:?} to {to:?}, {part}/16");
            assert_eq!(again.economies(), economies);
            assert_eq!(first.bounds().max > 0.0, economies.demotions > 0 || belief == Belief::F16);
        }
    }
}

#[test]
fn demotion_comes_before_the_disk() {
    let model = slipping();
    let exact = settings(1500);
    let demoting = Settings { demote: Some(Belief::Log8), ..exact.clone() };
    let folder = tempfile::tempdir().unwrap();
    let spilling = Settings { spill: Some(folder.path().to_owned()), ..demoting };
    let (whole, least) = (least_budget(&model, &exact), least_budget(&model, &spilling));
    for part in [0, 1, 2] {
        let budget_bytes = least + (whole - least) / 4 * part;
        let tight = Settings { budget_bytes, ..spilling.clone() };
        let mut run = simulation(&model, &tight);
        self::run(&mut run, &tight);
        let (economies, spilled) = (run.economies(), run.spilled());
        println!("{part}/4: {economies:?} {spilled:?}");
        assert!(spilled.agents == 0 || economies.demotions > 0);
        assert!(part > 0 || spilled.agents > 0);
    }
}

#[test]
fn who_cannot_be_demoted_is_not() {
    let refused = |settings: &Settings| {
        let model = slipping();
        Simulation::new(&model, None, settings, STEPS, false).err().unwrap()
    };
    for (belief, to, rule) in [
        (Belief::Auto, Belief::Dense, "demote: dense is not below auto"),
        (Belief::F16, Belief::F16, "demote: f16 is not below f16"),
        (Belief::Log8, Belief::F16, "demote: f16 is not below log8"),
    ] {
        let error = refused(&Settings { belief, demote: Some(to), ..settings(10) });
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().starts_with(rule), "{error}");
    }
}

#[test]
fn populations_share_a_budget_and_an_agent_has_a_limit() {
    let model = slipping();
    let run = Budget::new("run", 40 << 20);
    let part = |name: &str| Some(run.child(name, 32 << 20).unwrap());
    let first = Settings { within: part("foxes"), budget_bytes: 24 << 20, ..settings(100) };
    let foxes = Simulation::new(&model, None, &first, STEPS, false).unwrap();
    let second = Settings { within: part("hares"), budget_bytes: 20 << 20, ..settings(100) };
    let error = Simulation::new(&model, None, &second, STEPS, false).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Budget);
    for said in ["budget 'run'", "16.0 MiB", "largest holders: foxes 24.0 MiB"] {
        assert!(error.to_string().contains(said), "{said}: {error}");
    }
    drop(foxes);
    assert_eq!(run.used_bytes(), 0);
    Simulation::new(&model, None, &second, STEPS, false).unwrap();

    let too_many = Settings { agents: 10_000_000, ..settings(0) };
    let error = Simulation::new(&model, None, &too_many, STEPS, false).err().unwrap().to_string();
    assert!(error.contains("largest holders: agents "), "{error}");

    // A slipping agent may believe in all 144 cells: 4 bytes each.
    let most = most_bytes_per_agent(&model, &settings(1)).unwrap();
    let limited = |agent_bytes, demote| {
        let limited = Settings { agent_bytes: Some(agent_bytes), demote, ..settings(100) };
        Simulation::new(&model, None, &limited, STEPS, false)
    };
    // Besides, it has a place in the world.
    assert!(limited(most + 2, None).is_ok());
    let error = limited(most / 2, None).err().unwrap().to_string();
    let rule = "an agent needs 579 B in the worst case, and its limit is 289 B; largest holders: \
                belief of factor 0 576 B";
    assert!(error.starts_with(rule), "{error}");
    let mut small = limited(most / 2, Some(Belief::Log8)).unwrap();
    for _ in 0..STEPS {
        small.tick().unwrap();
    }
    assert!(small.economies().demotions > 0);
    assert_eq!(small.tiers().dense, 0, "{:?}", small.tiers());
}
