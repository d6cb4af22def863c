//! A population driven from outside is the population that a simulation drives.

#![allow(clippy::unwrap_used)] // tests' helpers

use std::sync::Arc;

use populace_agent::models::{Builtin, GridOptions, TmazeForm, TmazeOptions, grid, tmaze};
use populace_agent::{
    Dialect, InferenceAlgorithm, Model, Observations, Planner, Precision, Reals, Recording, Tensor,
};
use populace_pool::{Pages, SharedResource};
use populace_population::{
    Belief, Crowd, Environment, Generative, Inference, Moment, Settings, Simulation, infer,
};

const AGENTS: u64 = 333;
const STEPS: u64 = 12;

fn models() -> Vec<Model> {
    let small = grid(&GridOptions { side: 9, ..GridOptions::default() }).unwrap();
    vec![small, Builtin::Tmaze.model().unwrap()]
}

fn settings(belief: Belief) -> Settings {
    Settings { agents: AGENTS, budget_bytes: 64 << 20, threads: 2, belief, ..Settings::default() }
}

/// Drives a crowd through the world of its model; answers it and its last actions.
fn driven(model: &Model, settings: &Settings) -> (Crowd, Vec<i32>) {
    let memory: SharedResource = Arc::new(Pages);
    let world = Generative::new(model, &memory).unwrap();
    let mut crowd = Crowd::new(model, settings).unwrap();
    let mut states = vec![0; AGENTS as usize * world.state_bytes()];
    let mut observations = vec![0; AGENTS as usize * model.modalities()];
    let mut actions = vec![0; AGENTS as usize * model.factors()];
    world.begin(settings.seed, 0..AGENTS, &mut states);
    for tick in 0..STEPS {
        let moment = Moment { seed: settings.seed, tick };
        world.observe(moment, 0..AGENTS, &mut states, &mut observations);
        crowd.step(&observations, &mut actions).unwrap();
        world.act(moment, 0..AGENTS, &mut states, &mut actions.clone());
    }
    (crowd, actions)
}

#[test]
fn its_trajectory_is_the_simulations() {
    for model in models() {
        for belief in [Belief::Auto, Belief::Dense, Belief::Sparse] {
            let settings = settings(belief);
            let mut simulation = Simulation::new(&model, None, &settings, STEPS, true).unwrap();
            for _ in 0..STEPS {
                simulation.tick().unwrap();
            }
            let (crowd, actions) = driven(&model, &settings);
            assert_eq!(crowd.trajectory_hash(), simulation.trajectory_hash());
            assert_eq!(actions, simulation.actions());
        }
    }
}

#[test]
fn beliefs_do_not_depend_on_how_they_are_stored_or_asked_for() {
    for model in models() {
        let (mut dense, _) = driven(&model, &settings(Belief::Dense));
        let (mut sparse, _) = driven(&model, &settings(Belief::Sparse));
        let everyone: Vec<u64> = (0..AGENTS).collect();
        let some = [332, 0, 17, 17, 16];
        let whole = dense.beliefs(&everyone).unwrap();
        let picked = sparse.beliefs(&some).unwrap();
        for (f, &states) in model.num_states().iter().enumerate() {
            for (row, &id) in some.iter().enumerate() {
                for s in 0..states {
                    let (a, b) =
                        (picked[f].get(row * states + s), whole[f].get(id as usize * states + s));
                    assert!((a - b).abs() <= 1e-5, "factor {f}, agent {id}, state {s}: {a} {b}");
                }
            }
        }
        let weighed = sparse.policies(&some).unwrap();
        assert_eq!(weighed.q_pi.len(), some.len() * weighed.policies);
        for row in 0..some.len() {
            let range = row * weighed.policies..(row + 1) * weighed.policies;
            let total: f64 = range.map(|policy| weighed.q_pi.get(policy)).sum();
            assert!((total - 1.0).abs() < 1e-5, "{total}");
        }
    }
}

#[test]
fn actions_taken_replace_those_chosen() {
    let model = grid(&GridOptions { side: 5, noise: 0.0, ..GridOptions::default() }).unwrap();
    let settings = Settings { agents: 2, budget_bytes: 8 << 20, ..Settings::default() };
    let mut crowd = Crowd::new(&model, &settings).unwrap();
    let mut actions = [0; 2];
    assert!(crowd.took(&[0, 0]).is_err(), "nobody was stepped yet");
    crowd.step(&[7, 7], &mut actions).unwrap();
    crowd.took(&[0, 2]).unwrap();
    crowd.step(&[-1, -1], &mut actions).unwrap();
    let place = |crowd: &mut Crowd, id| {
        let belief = &crowd.beliefs(&[id]).unwrap()[0];
        (0..25).max_by(|&a, &b| belief.get(a).total_cmp(&belief.get(b)))
    };
    assert_eq!(place(&mut crowd, 0), Some(7));
    assert!([Some(7), Some(12)].contains(&place(&mut crowd, 1)), "down, or a wall");
}

#[test]
fn what_is_wrong_steps_nobody() {
    let model = Builtin::Tmaze.model().unwrap();
    let settings = Settings { agents: 2, budget_bytes: 8 << 20, ..Settings::default() };
    let mut crowd = Crowd::new(&model, &settings).unwrap();
    let mut actions = [0; 4];
    for (observations, says) in [
        (&[0, 0, 0][..], "observations: has 3 values, and 2 agents with 3 modalities need 6"),
        (&[0, 0, 0, 0, 3, 0][..], "observations[1, 1]: is 3, not between 0 and 2, nor -1 for none"),
        (&[0, 0, 0, -2, 0, 0][..], "observations[1, 0]: is -2, not between 0 and 4"),
    ] {
        let error = crowd.step(observations, &mut actions).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(crowd.ticks(), 0);
    crowd.step(&[0; 6], &mut actions).unwrap();
    let error = crowd.took(&[0, 0, 5, 0]).unwrap_err().to_string();
    assert_eq!(error, "actions[1, 0]: is 5, not between 0 and 4");
    let error = crowd.beliefs(&[0, 2]).unwrap_err().to_string();
    assert_eq!(error, "ids[1]: 2 is out of range, there are 2 agents");
}

#[test]
fn pymdp_0_observes_something_and_weighs_policies_as_it_observes() {
    let options = TmazeOptions { form: TmazeForm::Simplified, ..TmazeOptions::default() };
    let maze = tmaze(&options).unwrap();
    let mut model = Model::new(Dialect::Pymdp0, maze.a, maze.b);
    model.d = maze.d;
    model.arguments.inference_algo = InferenceAlgorithm::Mmp;
    model.arguments.inference_horizon = Some(2);
    let settings = Settings { agents: 2, budget_bytes: 8 << 20, ..Settings::default() };
    let mut crowd = Crowd::new(&model, &settings).unwrap();
    let mut actions = [0; 4];
    let error = crowd.step(&[0, 0, 0, -1], &mut actions).unwrap_err().to_string();
    let says =
        "observations[1, 1]: is -1, not between 0 and 2; pymdp-0 knows no missing observations";
    assert_eq!(error, says);
    crowd.step(&[0; 4], &mut actions).unwrap();
    // The centre of the maze, where agents begin.
    assert!(crowd.beliefs(&[1]).unwrap()[0].get(0) > 0.9);
    let error = crowd.policies(&[0]).unwrap_err().to_string();
    assert!(error.contains("beliefs by policy"), "{error}");
}

/// What an agent recorded of these observations computes, in f64.
fn inferred(model: &Model, seen: &[i32]) -> Inference {
    let steps = seen.len() / model.modalities();
    let observations = Observations::Discrete(seen.to_vec());
    let recording = Recording { steps, observations, actions: None };
    let settings =
        Settings { agents: 1, precision: Precision::F64, threads: 1, ..Settings::default() };
    infer(model, &recording, &settings).unwrap()
}

/// A crowd of one that has seen this.
fn alone(model: &Model, seen: &[i32]) -> Crowd {
    let settings =
        Settings { agents: 1, precision: Precision::F64, threads: 1, ..Settings::default() };
    let mut crowd = Crowd::new(model, &settings).unwrap();
    for observed in seen.chunks_exact(model.modalities()) {
        crowd.step(observed, &mut vec![0; model.factors()]).unwrap();
    }
    crowd
}

fn close(found: &Reals, expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (place, &expected) in expected.iter().enumerate() {
        let found = found.get(place);
        assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found} {expected}");
    }
}

#[test]
fn policies_are_enumerated_for_those_who_act_without() {
    let mut model = grid(&GridOptions { side: 5, slip: 0.1, ..GridOptions::default() }).unwrap();
    model.arguments.policy_len = 4;
    let seen = [7, 7, 12, 6];
    let mut crowd = alone(&model, &seen);
    assert_eq!(crowd.planner(), Planner::Graph, "there are few policies");
    let before = crowd.memory().shared;
    let weighed = crowd.policies(&[0]).unwrap();
    assert!(crowd.memory().shared > before && crowd.memory().total() == crowd.engine_bytes());
    let expected = inferred(&model, &seen);
    let last = expected.q_pi.len() - weighed.policies..;
    close(&weighed.q_pi, &expected.q_pi[last.clone()]);
    close(&weighed.neg_efe, &expected.neg_efe[last]);
}

#[test]
fn a_learner_weighs_policies_by_what_it_has_learnt() {
    let mut model = Builtin::Tmaze.model().unwrap();
    model.p_a = model.a.clone();
    model.arguments.learn_a = true;
    let seen = [0, 0, 0, 3, 1, 0, 4, 0, 1];
    let weighed = alone(&model, &seen).policies(&[0]).unwrap();
    // Another agent, who has not learnt: it was born with what the first one believes and counts.
    let learnt = inferred(&model, &seen);
    let mut born = model.clone();
    born.arguments.learn_a = false;
    born.p_a.clear();
    for (m, a) in born.a.iter_mut().enumerate() {
        let size = a.to_f64().len();
        let counts = &learnt.p_a_after[m];
        let counts = &counts[counts.len() - size..];
        let columns = size / a.rows();
        let sum = |column: usize| -> f64 { counts.iter().skip(column).step_by(columns).sum() };
        let expected: Vec<f64> = (0..size).map(|at| counts[at] / sum(at % columns)).collect();
        *a = Tensor::dense(a.shape().to_vec(), expected).unwrap();
    }
    for (f, d) in born.d.iter_mut().enumerate() {
        let states = d.rows();
        let qs = &learnt.qs[f];
        *d = Tensor::vector(qs[qs.len() - states..].to_vec());
    }
    let expected = alone(&born, &[]).policies(&[0]).unwrap();
    let all = |reals: &Reals| reals.iter().collect::<Vec<f64>>();
    close(&weighed.q_pi, &all(&expected.q_pi));
    close(&weighed.neg_efe, &all(&expected.neg_efe));
    let fresh = alone(&model, &[]).policies(&[0]).unwrap();
    assert_ne!(weighed, fresh);
}
