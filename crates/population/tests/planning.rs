//! Novelty, inductive and sophisticated inference against the naive oracle, over random models, and
//! in populations.

#![allow(clippy::unwrap_used)] // tests' helpers

use std::collections::BTreeMap;

use populace_agent::models::Builtin;
use populace_agent::{ModelFile, Precision, Sophisticated};
use populace_oracle::random::{Features, case};
use populace_oracle::{Algorithm, Array, Case, Dialect, answers, replay, write_case};
use populace_population::{Belief, Inference, Settings, Simulation, infer};

const STEPS: usize = 5;

/// Models compared of each kind: more with `POPULACE_LONG=1`.
fn wanted() -> usize {
    if std::env::var_os("POPULACE_LONG").is_some() { 5_000 } else { 200 }
}

fn ours(case: &Case, seed: u64) -> Inference {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write_case(case, &path, populace_oracle::Precision::F64, seed.is_multiple_of(2)).unwrap();
    let mut file = ModelFile::open(&path).unwrap();
    let model = file.model().unwrap();
    let recording = file.recording(&model).unwrap().unwrap();
    let settings = Settings {
        agents: if seed.is_multiple_of(5) { 37 } else { 1 },
        precision: Precision::F64,
        belief: [Belief::Dense, Belief::Sparse, Belief::Auto][seed as usize % 3],
        threads: 1,
        ..Settings::default()
    };
    infer(&model, &recording, &settings).unwrap()
}

/// Compares as many random models as wanted of those that ask for something in particular.
fn compare(features: &Features, asks: fn(&Case) -> bool) {
    let mut compared = 0;
    for seed in 0.. {
        let case = case(seed, features, STEPS);
        if !asks(&case) {
            continue;
        }
        let expected = answers(&replay(&case.problem, &case.observations, case.actions.as_deref()));
        if case.problem.arguments.use_inductive && tied(&case, &expected) {
            continue;
        }
        let answer = ours(&case, seed);
        let check = |name: &str, got: &[f64]| {
            let want = &expected[name].data;
            assert_eq!(got.len(), want.len(), "seed {seed}: {name}");
            for (place, (&got, &want)) in got.iter().zip(want).enumerate() {
                let off = (got - want).abs();
                let allowed = (1e-9 * want.abs()).max(1e-12);
                assert!(off <= allowed, "seed {seed}: {name}[{place}] is {got}, not {want}");
            }
        };
        for (factor, qs) in answer.qs.iter().enumerate() {
            check(&format!("qs.{factor}"), qs);
        }
        check("q_pi", &answer.q_pi);
        if case.problem.sophisticated.is_none() {
            check("neg_efe", &answer.neg_efe);
        }
        compared += 1;
        if compared == wanted() {
            return;
        }
    }
}

/// Whether rounding decides which present state is the most probable, and so how far the goal is.
fn tied(case: &Case, expected: &BTreeMap<String, Array>) -> bool {
    case.problem.num_states().iter().enumerate().any(|(factor, &states)| {
        expected[&format!("qs.{factor}")].data.chunks_exact(states).any(|q| {
            let mut q = q.to_vec();
            q.sort_by(f64::total_cmp);
            states > 1 && q[states - 1] - q[states - 2] < 1e-9
        })
    })
}

#[test]
fn novelty_is_the_oracles() {
    let features = Features { novelty: true, ..Features::base() };
    compare(&features, |case| case.problem.arguments.use_param_info_gain);
}

#[test]
fn novelty_of_what_is_learnt_is_the_oracles() {
    for dialect in [Dialect::Pymdp1, Dialect::Pymdp0] {
        let algorithms = match dialect {
            Dialect::Pymdp1 => vec![Algorithm::Fpi, Algorithm::Ovf],
            Dialect::Pymdp0 => vec![Algorithm::Vanilla],
        };
        let features = Features {
            dialect,
            algorithms,
            novelty: true,
            learning: true,
            soft: false,
            ..Features::base()
        };
        compare(&features, |case| case.problem.arguments.use_param_info_gain);
    }
}

#[test]
fn induction_over_learnt_moves_is_the_oracles() {
    let features = Features { inductive: true, learning: true, ..Features::base() };
    let asks = |case: &Case| case.problem.arguments.use_inductive && case.problem.arguments.learn_b;
    compare(&features, asks);
}

#[test]
fn induction_is_the_oracles() {
    let features = Features { inductive: true, ..Features::base() };
    compare(&features, |case| case.problem.arguments.use_inductive);
}

#[test]
fn searches_are_the_oracles() {
    let features = Features { sophisticated: true, ..Features::base() };
    compare(&features, |case| case.problem.sophisticated.is_some());
}

#[test]
fn searches_of_agents_that_learn_are_the_oracles() {
    let features = Features { sophisticated: true, learning: true, ..Features::base() };
    compare(&features, |case| {
        let arguments = &case.problem.arguments;
        case.problem.sophisticated.is_some() && (arguments.learn_a || arguments.learn_b)
    });
}

#[test]
fn searches_do_not_depend_on_threads_or_chunks() {
    let mut model = Builtin::Tmaze.model().unwrap();
    model.arguments.policy_len = 1;
    model.policies = None;
    model.sophisticated = Some(Sophisticated { horizon: 3, ..Sophisticated::default() });
    let hash = |threads: usize, chunk: Option<usize>| {
        let settings =
            Settings { agents: 200, budget_bytes: 64 << 20, threads, chunk, ..Settings::default() };
        let mut simulation = Simulation::new(&model, None, &settings, 4, false).unwrap();
        for _ in 0..4 {
            simulation.tick().unwrap();
        }
        simulation.trajectory_hash()
    };
    let alone = hash(1, None);
    assert_eq!(alone, hash(2, None));
    assert_eq!(alone, hash(2, Some(7)));
}
