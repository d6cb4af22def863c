//! Populations that learn: their memory, and that nothing but the model decides what they learn.

#![allow(clippy::unwrap_used)] // tests' helpers

use populace_agent::models::{TmazeForm, TmazeOptions, tmaze};
use populace_agent::{ActionSelection, Dialect, InferenceAlgorithm, Model};
use populace_population::{ErrorKind, Settings, Simulation};

/// A T-maze whose agents learn A and B.
fn learning_tmaze() -> Model {
    let mut model = tmaze(&TmazeOptions::default()).unwrap();
    model.p_a = model.a.clone();
    model.p_b = model.b.clone();
    model.arguments.learn_a = true;
    model.arguments.learn_b = true;
    model
}

/// The same, with all that is Populace's own.
fn beyond_tmaze() -> Model {
    let mut model = learning_tmaze();
    model.p_d = model.d.clone();
    model.p_e = vec![1.0; model.policy_count().unwrap()];
    let agent = &mut model.arguments;
    agent.inference_algo = InferenceAlgorithm::ExactJoint;
    (agent.learn_d, agent.learn_e, agent.keep_zeros) = (true, true, true);
    (agent.fr_pa, agent.fr_pb, agent.fr_pe) = (0.9, 0.8, 0.7);
    agent.planning_interval = 2;
    agent.action_selection = ActionSelection::Stochastic;
    model
}

/// Agents of `pymdp-0` that pass messages over `horizon` steps and the planned ones, and learn all they
/// can.
fn by_policy_tmaze(horizon: usize) -> Model {
    let options = TmazeOptions { form: TmazeForm::Simplified, ..TmazeOptions::default() };
    let maze = tmaze(&options).unwrap();
    let mut model = Model::new(Dialect::Pymdp0, maze.a, maze.b);
    (model.c, model.d) = (maze.c, maze.d);
    (model.p_a, model.p_b, model.p_d) = (model.a.clone(), model.b.clone(), model.d.clone());
    let agent = &mut model.arguments;
    agent.inference_algo = InferenceAlgorithm::Mmp;
    agent.inference_horizon = Some(horizon);
    agent.policy_len = 2;
    (agent.learn_a, agent.learn_b, agent.learn_d) = (true, true, true);
    agent.use_param_info_gain = true;
    agent.action_selection = ActionSelection::Stochastic;
    agent.alpha = 1.0;
    model
}

#[test]
fn ten_thousand_learning_agents_stay_in_64_mib() {
    let ticks = if std::env::var_os("POPULACE_LONG").is_some() { 1000 } else { 40 };
    let settings = Settings { agents: 10_000, budget_bytes: 64 << 20, ..Settings::default() };
    let mut simulation = Simulation::new(&learning_tmaze(), None, &settings, ticks, false).unwrap();
    let mut settled = 0;
    for tick in 0..ticks {
        simulation.tick().unwrap();
        let bytes = simulation.memory().total();
        assert!(bytes <= 64 << 20);
        if tick == ticks / 2 {
            settled = bytes;
        }
        // Blocks of counts are taken as agents come across them; then nothing grows.
        assert!(tick < ticks / 2 || bytes <= settled + settled / 50, "{bytes} after {settled}");
    }
}

#[test]
fn what_is_learnt_does_not_depend_on_threads_chunks_or_neighbours() {
    for model in [learning_tmaze(), beyond_tmaze(), by_policy_tmaze(1), by_policy_tmaze(3)] {
        let run = |agents, threads, chunk| {
            let settings = Settings { agents, threads, chunk, ..Settings::default() };
            let mut simulation = Simulation::new(&model, None, &settings, 12, true).unwrap();
            let mut actions = Vec::new();
            for _ in 0..12 {
                simulation.tick().unwrap();
                actions.push(simulation.actions().to_vec());
            }
            actions
        };
        let all = run(100, 1, None);
        assert_eq!(all, run(100, 2, None));
        assert_eq!(all, run(100, 2, Some(7)));
        let few = run(37, 1, Some(3));
        for (all, few) in all.iter().zip(&few) {
            assert_eq!(all[..few.len()], few[..]);
        }
    }
}

#[test]
fn counts_are_admitted_in_their_worst_case() {
    let settings = Settings { agents: 10_000, budget_bytes: 8 << 20, ..Settings::default() };
    let Err(error) = Simulation::new(&learning_tmaze(), None, &settings, 10, false) else {
        panic!("10,000 learning agents do not fit 8 MiB");
    };
    assert_eq!(error.kind(), ErrorKind::Budget);
    let mut fixed = learning_tmaze();
    fixed.arguments.learn_a = false;
    fixed.arguments.learn_b = false;
    assert!(Simulation::new(&fixed, None, &settings, 10, false).is_ok());
}
