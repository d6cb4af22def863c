//! Random problems: they survive a file, and their answers are distributions.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use populace_oracle::random::{Features, case};
use populace_oracle::{Dialect, Precision, answers, load, replay, write_case};

#[test]
fn a_file_gives_back_the_same_problem() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("case.safetensors");
    for dialect in [Dialect::Pymdp1, Dialect::Pymdp0] {
        for seed in 0..60 {
            let mut case = case(seed, &Features::all(dialect), 3);
            let steps = replay(&case.problem, &case.observations, case.actions.as_deref());
            case.expect = answers(&steps);
            for sparse in [false, true] {
                write_case(&case, &path, Precision::F64, sparse).unwrap();
                let read = load(&path).unwrap();
                assert_eq!(read.problem, case.problem, "{dialect:?}, seed {seed}");
                assert_eq!(read.observations, case.observations, "{dialect:?}, seed {seed}");
                assert_eq!(read.actions, case.actions, "{dialect:?}, seed {seed}");
                assert_eq!(read.expect, case.expect, "{dialect:?}, seed {seed}");
            }
        }
    }
}

#[test]
fn beliefs_and_choices_are_distributions() {
    let whole =
        |p: &[f64]| (p.iter().sum::<f64>() - 1.0).abs() < 1e-9 && p.iter().all(|&p| p >= 0.0);
    for dialect in [Dialect::Pymdp1, Dialect::Pymdp0] {
        for seed in 0..200 {
            let case = case(seed, &Features::all(dialect), 4);
            // A search that ran out of nodes at its first depth has answered nothing: all zeros.
            let searches = case.problem.sophisticated.is_some();
            for step in replay(&case.problem, &case.observations, None) {
                assert!(step.qs.iter().all(|q| whole(q)), "{dialect:?}, seed {seed}");
                assert!(searches || whole(&step.q_pi), "{dialect:?}, seed {seed}");
                let drawn: Vec<f64> = step.action_probabilities.iter().map(|(_, p)| *p).collect();
                assert!(whole(&drawn), "{dialect:?}, seed {seed}");
                let distinct: BTreeSet<_> =
                    step.action_probabilities.iter().map(|(action, _)| action).collect();
                assert_eq!(distinct.len(), drawn.len(), "{dialect:?}, seed {seed}");
                assert!(step.action_gap >= 0.0, "{dialect:?}, seed {seed}");
            }
        }
    }
}
