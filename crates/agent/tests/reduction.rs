//! Bayesian model reduction against the oracle, whose numbers are checked against pymdp's.

#![allow(clippy::unwrap_used)] // tests' helpers

use populace_agent::random::{Purpose, Stream};
use populace_agent::reduction::{log_evidence, prune_a, prune_b, prune_d};
use populace_agent::{Precision, Tensor};
use populace_oracle::Array;

/// Numbers in [0, 1), the same at every run.
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let stream = Stream::new(seed, 0, Purpose::Act);
    (0..count as u64).map(|place| stream.uniform(place)).collect()
}

fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= 1e-12 * want.abs().max(1.0), "{got:e} is not {want:e}");
    }
}

/// Indices below `n` with this chance, but never all of them.
fn some(numbers: &[f64], n: usize) -> Vec<usize> {
    (1..n).filter(|&i| numbers[i % numbers.len()] < 0.4).collect()
}

#[test]
fn log_evidence_is_the_oracles() {
    for seed in 0..200 {
        let n = 1 + seed as usize % 6;
        let draws = numbers(seed, 3 * n);
        let prior: Vec<f64> = draws[..n].iter().map(|x| 0.05 + 3.0 * x).collect();
        let posterior: Vec<f64> =
            prior.iter().zip(&draws[n..]).map(|(p, x)| p + 50.0 * x * x).collect();
        let reduced: Vec<f64> =
            prior.iter().zip(&draws[2 * n..]).map(|(p, x)| p * (0.1 + x)).collect();
        let (free_energy, counts) = populace_oracle::log_evidence(&posterior, &prior, &reduced);
        let got = log_evidence(&posterior, &prior, &reduced).unwrap();
        let scale = posterior.iter().sum::<f64>() * 10.0;
        assert!((got.free_energy - free_energy).abs() <= 1e-13 * scale, "seed {seed}");
        assert_eq!(got.posterior, counts);
    }
}

#[test]
fn what_is_in_no_distribution_changes_nothing() {
    let with = log_evidence(&[3.0, 0.0, 2.0], &[1.0, 0.0, 1.0], &[2.0, 0.0, 0.5]).unwrap();
    let without = log_evidence(&[3.0, 2.0], &[1.0, 1.0], &[2.0, 0.5]).unwrap();
    assert_eq!(with.free_energy, without.free_energy);
    assert_eq!(with.posterior, [4.0, 0.0, 1.5]);
}

#[test]
fn counts_that_are_none_are_refused_by_name() {
    let message = |posterior: &[f64], prior: &[f64], reduced: &[f64]| {
        log_evidence(posterior, prior, reduced).unwrap_err().to_string()
    };
    assert_eq!(
        message(&[1.0, 2.0], &[1.0], &[1.0, 1.0]),
        "prior: has 1 counts, but the posterior has 2"
    );
    assert_eq!(
        message(&[1.0, 2.0], &[1.0, 1.0], &[1.0, 0.0]),
        "reduced: [1] is 0, not a finite number above 0"
    );
    assert_eq!(
        message(&[1.0, 2.0], &[3.0, 1.0], &[1.0, 1.0]),
        "posterior + reduced - prior: [0] is -1, not a finite number above 0"
    );
}

#[test]
fn pruning_is_the_oracles_dense_and_sparse() {
    for seed in 0..100 {
        let draws = numbers(1000 + seed, 64);
        let size = |place: usize, most: usize| 2 + (draws[place] * (most - 1) as f64) as usize;
        let shape = [size(0, 5), size(1, 4), size(2, 4)];
        let entries: usize = shape.iter().product();
        let values: Vec<f64> = numbers(2000 + seed, entries).iter().map(|x| x + 0.01).collect();
        let array = Array::new(shape.to_vec(), values).normalise_columns();
        let tensor = Tensor::dense(shape, array.data.clone()).unwrap();
        let lists =
            [some(&draws, shape[0]), some(&draws[9..], shape[1]), some(&draws[20..], shape[2])];
        let want = populace_oracle::prune_a(&array, &lists[0], &lists[1..]);
        for tensor in [tensor.clone(), tensor.to_sparse()] {
            let got = prune_a(&tensor, &lists[0], &[&lists[1], &lists[2]]).unwrap();
            assert_eq!((got.shape(), got.is_sparse()), (&want.shape[..], tensor.is_sparse()));
            close(&got.to_f64(), &want.data);
        }
        let square = [shape[1], shape[1], shape[2]];
        let entries: usize = square.iter().product();
        let values: Vec<f64> = numbers(3000 + seed, entries).iter().map(|x| x + 0.01).collect();
        let array = Array::new(square.to_vec(), values).normalise_columns();
        let b = Tensor::dense(square, array.data.clone()).unwrap();
        let want = populace_oracle::prune_b(&array, &lists[1], &lists[2]);
        close(&prune_b(&b, &lists[1], &lists[2]).unwrap().to_f64(), &want.data);
    }
}

#[test]
fn pruning_keeps_the_precision_and_refuses_what_leaves_nothing() {
    let d = Tensor::dense([3], vec![0.5_f32, 0.25, 0.25]).unwrap();
    let pruned = prune_d(&d, &[0]).unwrap();
    assert_eq!((pruned.precision(), pruned.to_f64()), (Precision::F32, vec![0.5, 0.5]));
    let a = Tensor::dense([2, 2], vec![1.0, 0.5, 0.0, 0.5]).unwrap();
    let message = |outcomes: &[usize], states: &[&[usize]]| {
        prune_a(&a, outcomes, states).unwrap_err().to_string()
    };
    assert_eq!(message(&[0], &[&[]]), "A: nothing is left of column (0,)");
    assert_eq!(message(&[0, 1], &[&[]]), "A: nothing is left of axis 0");
    assert_eq!(message(&[2], &[&[]]), "A: axis 0 has 2 entries, but 2 is to be removed");
    assert_eq!(message(&[], &[]), "A: shape (2, 2) has 2 axes, but there are lists for 1");
}
