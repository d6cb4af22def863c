//! The engine against the naive oracle, over random models: odd shapes, zeros, contradictions.

#![allow(clippy::unwrap_used)] // tests' helpers

use std::path::Path;

use populace_agent::{ModelFile, Precision};
use populace_oracle::random::{Features, case};
use populace_oracle::{Algorithm, Case, Dialect, answers, replay, write_case};
use populace_population::{Belief, Inference, Settings, infer};

const STEPS: usize = 6;

/// Models compared: more with `POPULACE_LONG=1`.
fn seeds(models: u64) -> u64 {
    if std::env::var_os("POPULACE_LONG").is_some() { 20 * models } else { models }
}

fn ours(file: &Path, precision: Precision, belief: Belief, agents: u64) -> Inference {
    let mut file = ModelFile::open(file).unwrap();
    let model = file.model().unwrap();
    let recording = file.recording(&model).unwrap().unwrap();
    let settings = Settings { agents, precision, belief, threads: 1, ..Settings::default() };
    infer(&model, &recording, &settings).unwrap()
}

/// The largest of |got − want| / allowed.
fn worst(got: &[f64], want: &[f64], precision: Precision) -> f64 {
    assert_eq!(got.len(), want.len());
    let allowed = |want: f64| match precision {
        Precision::F64 => (1e-9 * want.abs()).max(1e-12),
        Precision::F32 => 1e-4 * want.abs().max(1.0),
    };
    got.iter().zip(want).map(|(&got, &want)| (got - want).abs() / allowed(want)).fold(0.0, f64::max)
}

/// The engine's answers by the oracle's names; actions apart.
fn named(answer: &Inference) -> Vec<(String, &[f64])> {
    let mut named: Vec<(String, &[f64])> =
        vec![("neg_efe".into(), &answer.neg_efe), ("q_pi".into(), &answer.q_pi)];
    named.push(("free_energy".into(), &answer.free_energy));
    named.push(("pE_after".into(), &answer.p_e_after));
    let lists = [
        ("qs", &answer.qs),
        ("qs_policy", &answer.qs_policy),
        ("pA_after", &answer.p_a_after),
        ("pB_after", &answer.p_b_after),
        ("pD_after", &answer.p_d_after),
    ];
    for (family, list) in lists {
        let list = list.iter().enumerate();
        named.extend(list.map(|(index, values)| (format!("{family}.{index}"), &values[..])));
    }
    named
}

fn compare(seed: u64, case: &Case, answer: &Inference, precision: Precision) {
    let steps = replay(&case.problem, &case.observations, case.actions.as_deref());
    let expected = answers(&steps);
    let got = named(answer);
    for (name, want) in expected.iter().filter(|(name, _)| *name != "action") {
        let got = got.iter().find(|(got, _)| got == name);
        let got = got.unwrap_or_else(|| panic!("seed {seed}: there is no {name}")).1;
        let worst = worst(got, &want.data, precision);
        assert!(worst <= 1.0, "seed {seed} {precision:?}: {name} is off by {worst:.2} allowances");
    }
    let factors = answer.qs.len();
    let clear = if precision == Precision::F64 { 1e-6 } else { 1e-4 };
    for (t, step) in steps.iter().enumerate() {
        let taken = &answer.action[t * factors..(t + 1) * factors];
        let drawn = step.action_probabilities.iter().find(|(action, _)| action == taken);
        let possible = drawn.is_some_and(|&(_, p)| p > 0.0);
        assert!(possible || step.action_gap <= clear, "seed {seed}: step {t} took {taken:?}");
    }
}

/// Holds `models` random models of these features against the oracle.
fn agree(models: u64, features: &Features) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    for seed in 0..seeds(models) {
        let mut case = case(seed, features, STEPS);
        if case.problem.b_action_dependencies.is_some() {
            // Several controls on a factor are chosen by whole policies.
            case.problem.arguments.marginal = false;
        }
        if tied(&case) {
            continue;
        }
        write_case(&case, &file, populace_oracle::Precision::F64, seed % 2 == 0).unwrap();
        let belief = [Belief::Dense, Belief::Sparse, Belief::Auto][seed as usize % 3];
        let answer = ours(&file, Precision::F64, belief, if seed % 5 == 0 { 37 } else { 1 });
        compare(seed, &case, &answer, Precision::F64);
        // An iteration of many factors may amplify single precision's rounding without bound
        // (SEMANTICS: dense888), so f32 is compared where inference is exact.
        let learns = case.problem.arguments.learn_a || case.problem.arguments.learn_b;
        let arguments = &case.problem.arguments;
        let learns = learns || arguments.learn_d || arguments.learn_e;
        let exact = match arguments.inference_algo {
            Algorithm::Fpi => case.problem.b.len() == 1 && features.algorithms == [Algorithm::Fpi],
            algorithm => algorithm == Algorithm::ExactJoint,
        };
        if exact && !learns {
            let answer = ours(&file, Precision::F32, belief, 1);
            compare(seed, &case, &answer, Precision::F32);
        }
    }
}

/// Whether rounding decides which policy is begun, and so what is done until the next is weighed.
fn tied(case: &Case) -> bool {
    let interval = case.problem.arguments.planning_interval;
    let steps = replay(&case.problem, &case.observations, case.actions.as_deref());
    interval > 1
        && steps.iter().step_by(interval).any(|step| {
            let mut q_pi = step.q_pi.clone();
            q_pi.sort_by(|one, other| other.total_cmp(one));
            q_pi.len() > 1 && q_pi[0] - q_pi[1] < 1e-6
        })
}

#[test]
fn filtering() {
    agree(1000, &Features::base());
}

#[test]
fn learning_by_filtering() {
    let algorithms = vec![Algorithm::Fpi, Algorithm::Ovf, Algorithm::Exact];
    let features = Features { learning: true, algorithms, ..Features::base() };
    agree(600, &Features { novelty: true, inductive: true, ..features });
}

#[test]
fn sequences() {
    let algorithms = vec![Algorithm::Mmp, Algorithm::Vmp];
    let features = Features { learning: true, algorithms, ..Features::base() };
    agree(300, &Features { novelty: true, inductive: true, ..features });
}

#[test]
fn pymdp_0() {
    let algorithms = vec![Algorithm::Vanilla];
    agree(300, &Features { algorithms, ..Features::all(Dialect::Pymdp0) });
}

#[test]
fn pymdp_0_by_policy() {
    let algorithms = vec![Algorithm::Mmp];
    agree(200, &Features { algorithms, ..Features::all(Dialect::Pymdp0) });
}

#[test]
fn exact_joint() {
    let algorithms = vec![Algorithm::ExactJoint];
    let features = Features { algorithms, learning: true, beyond: true, ..Features::base() };
    agree(200, &Features { novelty: true, inductive: true, ..features });
}

#[test]
fn beyond_pymdp() {
    use Algorithm::{Exact, Fpi, Mmp, Ovf, Vmp};
    let algorithms = vec![Fpi, Fpi, Exact, Ovf, Mmp, Vmp];
    let features = Features { algorithms, learning: true, beyond: true, ..Features::base() };
    agree(500, &Features { novelty: true, inductive: true, ..features });
}

#[test]
fn forgetting_in_pymdp_0() {
    let algorithms = vec![Algorithm::Vanilla, Algorithm::Mmp];
    agree(150, &Features { algorithms, beyond: true, ..Features::all(Dialect::Pymdp0) });
}
