//! Random models through the engine, against the naive oracle.

use std::path::Path;

use populace_agent::{ModelFile, Precision, Values};
use populace_oracle::random::{Features, case};
use populace_oracle::{Algorithm, Precision as FilePrecision, answers, replay, write_case};
use populace_population::{Belief, Inference, Settings, infer};

const STEPS: usize = 7;

/// What the engine answers, by the oracle's names; actions apart.
fn named(answer: &Inference) -> Vec<(String, &[f64])> {
    let mut named: Vec<(String, &[f64])> =
        vec![("neg_efe".into(), &answer.neg_efe), ("q_pi".into(), &answer.q_pi)];
    let lists = [
        ("qs", &answer.qs),
        ("pA_after", &answer.p_a_after),
        ("pB_after", &answer.p_b_after),
        ("pD_after", &answer.p_d_after),
    ];
    for (family, list) in lists {
        for (index, values) in list.iter().enumerate() {
            named.push((format!("{family}.{index}"), values));
        }
    }
    named
}

/// Holds one random problem against the oracle; whether the engine does what it asks for.
fn holds(seed: u64, features: &Features, file: &Path) -> bool {
    let mut case = case(seed, features, STEPS);
    if case.problem.b_action_dependencies.is_some() {
        // Several controls on a factor are chosen by whole policies.
        case.problem.arguments.marginal = false;
    }
    write_case(&case, file, FilePrecision::F64, false).unwrap();
    let mut opened = ModelFile::open(file).unwrap();
    let model = opened.model().unwrap();
    if model.supported().is_err() {
        return false;
    }
    let recording = opened.recording(&model).unwrap().unwrap();
    let steps = replay(&case.problem, &case.observations, case.actions.as_deref());
    let mut want = answers(&steps);
    let actions = want.remove("action").unwrap();
    let settings = Settings {
        agents: 18,
        precision: Precision::F64,
        belief: Belief::Dense,
        threads: 1,
        ..Settings::default()
    };
    let answer = infer(&model, &recording, &settings).unwrap();
    let got = named(&answer);
    for (name, want) in &want {
        let found = got.iter().find(|(got, _)| got == name);
        let got = found.unwrap_or_else(|| panic!("seed {seed}: no {name}")).1;
        assert_eq!(got.len(), want.data.len(), "seed {seed}: {name}");
        for (place, (got, want)) in got.iter().zip(&want.data).enumerate() {
            let close = (got - want).abs() <= (1e-9 * want.abs()).max(1e-12);
            assert!(close, "seed {seed}: {name}[{place}] is {got:e}, not {want:e}");
        }
    }
    let decided = !case.problem.arguments.stochastic;
    let width = actions.shape[1];
    let chosen: Vec<f64> = Values::I32(answer.action).to_f64();
    for (step, _) in steps.iter().enumerate().filter(|(_, s)| decided && s.action_gap > 1e-6) {
        let row = step * width..(step + 1) * width;
        assert_eq!(chosen[row.clone()], actions.data[row], "seed {seed}: step {step}");
    }
    true
}

fn all_hold(count: u64, features: &Features) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("case.safetensors");
    let count = if std::env::var_os("POPULACE_LONG").is_some() { 20 * count } else { count };
    let held = (0..count).filter(|&seed| holds(seed, features, &file)).count();
    assert_eq!(held as u64, count, "the engine refused some");
}

#[test]
fn learning_by_filtering() {
    let algorithms = vec![Algorithm::Fpi, Algorithm::Ovf, Algorithm::Exact];
    all_hold(600, &Features { learning: true, algorithms, ..Features::base() });
}

#[test]
fn sequences() {
    let algorithms = vec![Algorithm::Mmp, Algorithm::Vmp];
    all_hold(300, &Features { learning: true, algorithms, ..Features::base() });
}
