//! `infer` gives pymdp's answers, in both precisions, for one agent and for 37, dense and sparse.

use crate::choices::Choices;
use crate::populace::{Place, golden};
use crate::tensors::File;

/// What an answer may differ by.
#[derive(Clone, Copy)]
struct Tolerance {
    relative: f64,
    floor: f64,
    /// Choices closer than this are ties.
    gap: f64,
}

const F64: Tolerance = Tolerance { relative: 1e-9, floor: 1e-12, gap: 1e-6 };
const F32: Tolerance = Tolerance { relative: 1e-4, floor: 1e-4, gap: 1e-4 };
/// Learning and inference over windows carry rounding from step to step.
const F32_LONG: Tolerance = Tolerance { relative: 1e-3, floor: 1e-3, gap: 1e-3 };
/// Its iteration oscillates and amplifies rounding.
const F32_DENSE888: Tolerance = Tolerance { relative: 5e-2, floor: 5e-2, gap: 5e-2 };

/// What is allowed in double and in single precision.
fn tolerances(name: &str) -> [Tolerance; 2] {
    let long = ["learn", "mmp", "vmp", "ovf"].iter().any(|what| name.contains(what));
    match name {
        "dense888" => [F64, F32_DENSE888],
        // Searches were recorded in single precision.
        _ if name.starts_with("sophisticated") => [F32, F32],
        _ if long || name == "novelty" => [F64, F32_LONG],
        _ => [F64, F32],
    }
}

fn answers_as_pymdp(name: &str) {
    let path = golden(name);
    let reference = File::read(&path);
    let place = Place::new();
    for (precision, tolerance) in ["f64", "f32"].into_iter().zip(tolerances(name)) {
        for belief in ["dense", "sparse", "auto"] {
            for agents in ["1", "37"] {
                let case = format!("{name} {precision} {belief} × {agents}");
                let ran = place.run(&[
                    "infer",
                    path.to_str().unwrap(),
                    "-o",
                    "out.safetensors",
                    "--precision",
                    precision,
                    "--belief",
                    belief,
                    "--agents",
                    agents,
                ]);
                assert_eq!(ran.code, Some(0), "{case}: {}", ran.stderr);
                compare(&case, &File::read(&place.path("out.safetensors")), &reference, tolerance);
            }
        }
    }
}

fn compare(case: &str, ours: &File, reference: &File, tolerance: Tolerance) {
    for name in reference.tensors.keys() {
        let Some(answer) = name.strip_prefix("expect.").filter(|it| *it != "action") else {
            continue;
        };
        assert_eq!(ours.raw(answer).shape, reference.raw(name).shape, "{case}: {answer}");
        let pairs = ours.reals(answer).into_iter().zip(reference.reals(name));
        for (index, (got, expected)) in pairs.enumerate() {
            let allowed = (tolerance.relative * expected.abs()).max(tolerance.floor);
            assert!(
                (got - expected).abs() <= allowed,
                "{case}: {answer}[{index}] is {got:e}, pymdp has {expected:e}"
            );
        }
    }
    let choices = Choices::of(reference);
    let shape = reference.raw("expect.q_pi").shape.clone();
    let (policies, factors) = (shape[1], reference.raw("expect.action").shape[1]);
    let q_pi = reference.reals("expect.q_pi");
    let (got, expected) = (ours.integers("action"), reference.integers("expect.action"));
    for (step, q_pi) in q_pi.chunks(policies).enumerate() {
        for (factor, decided) in choices.decided(q_pi, tolerance.gap).into_iter().enumerate() {
            let at = step * factors + factor;
            assert!(
                !decided || got[at] == expected[at],
                "{case}: action of factor {factor} at step {step} is {}, pymdp has {}",
                got[at],
                expected[at]
            );
        }
    }
}

macro_rules! golden {
    ($($name:ident)*) => {$(
        #[test]
        #[allow(non_snake_case)] // the files' own names
        fn $name() {
            answers_as_pymdp(stringify!($name));
        }
    )*};
}

golden! {
    chain_missing walls_missing novelty_zeros inductive_tie
    cue_chaining dense888 edges_four_factors edges_four_factors_len2 edges_given_policies
    edges_two_goals exact_hmm exact_learn_B factored_fpi factored_habit factored_iter4
    factored_marginal factored_soft_observations factored_timed_C factored_zeros
    grid10_deterministic grid10_inductive grid20_len1 grid5_len1 grid5_len3 grid5_missing
    inductive_learn_B learn_A learn_AB_rates learn_B learn_soft learn_zeros_missing
    mmp_cross_factor mmp_full mmp_horizon3 mmp_missing multi_action multi_action_uncontrolled
    no_info_gain no_utility novelty ovf sophisticated_factored sophisticated_h1 sophisticated_h2
    sophisticated_h3 sophisticated_wide tmaze vmp_cross_factor vmp_full vmp_horizon3
    v0_factored v0_factored_full v0_grid5_len1 v0_grid5_len2 v0_grid8_deterministic v0_habit
    v0_learn_A v0_learn_AB_rates v0_learn_B v0_learn_D v0_mmp v0_mmp_len2 v0_no_info_gain
    v0_no_utility v0_redundant_modalities
}
