//! The engine against the naive oracle, over random models: odd shapes, zeros, contradictions.

#![allow(clippy::unwrap_used)] // tests' helpers

use std::path::Path;

use populace_agent::{ModelFile, Precision};
use populace_oracle::random::{Features, case};
use populace_oracle::{Case, answers, replay, write_case};
use populace_population::{Belief, Inference, Settings, infer};

const STEPS: usize = 6;

/// Models compared: more with `POPULACE_LONG=1`.
fn seeds() -> u64 {
    if std::env::var_os("POPULACE_LONG").is_some() { 20_000 } else { 1_000 }
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

fn compare(seed: u64, case: &Case, answer: &Inference, precision: Precision) {
    let steps = replay(&case.problem, &case.observations, case.actions.as_deref());
    let expected = answers(&steps);
    let check = |name: &str, got: &[f64]| {
        let worst = worst(got, &expected[name].data, precision);
        assert!(worst <= 1.0, "seed {seed} {precision:?}: {name} is off by {worst:.2} allowances");
    };
    for (factor, qs) in answer.qs.iter().enumerate() {
        check(&format!("qs.{factor}"), qs);
    }
    check("neg_efe", &answer.neg_efe);
    check("q_pi", &answer.q_pi);
    let factors = answer.qs.len();
    let clear = if precision == Precision::F64 { 1e-6 } else { 1e-4 };
    for (t, step) in steps.iter().enumerate() {
        let taken = &answer.action[t * factors..(t + 1) * factors];
        let drawn = step.action_probabilities.iter().find(|(action, _)| action == taken);
        let possible = drawn.is_some_and(|&(_, p)| p > 0.0);
        assert!(possible || step.action_gap <= clear, "seed {seed}: step {t} took {taken:?}");
    }
}

#[test]
fn random_models_agree_with_the_oracle() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    for seed in 0..seeds() {
        let case = case(seed, &Features::base(), STEPS);
        write_case(&case, &file, populace_oracle::Precision::F64, seed % 2 == 0).unwrap();
        let belief = [Belief::Dense, Belief::Sparse, Belief::Auto][seed as usize % 3];
        let answer = ours(&file, Precision::F64, belief, if seed % 5 == 0 { 37 } else { 1 });
        compare(seed, &case, &answer, Precision::F64);
        // An iteration of many factors may amplify single precision's rounding without bound
        // (SEMANTICS: dense888), so f32 is compared where inference is exact.
        if case.problem.b.len() == 1 {
            let answer = ours(&file, Precision::F32, belief, 1);
            compare(seed, &case, &answer, Precision::F32);
        }
    }
}
