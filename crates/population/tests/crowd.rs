//! A population driven from outside is the population that a simulation drives.

#![allow(clippy::unwrap_used)] // tests' helpers

use std::sync::Arc;

use populace_agent::models::{Builtin, GridOptions, TmazeForm, TmazeOptions, grid, tmaze};
use populace_agent::{Dialect, InferenceAlgorithm, Model};
use populace_pool::{Pages, SharedResource};
use populace_population::{Belief, Crowd, Environment, Generative, Moment, Settings, Simulation};

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
