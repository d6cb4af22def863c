//! Bayesian model reduction against numbers of inferactively-pymdp 0.0.7.1.

use populace_oracle::{Array, log_evidence, prune_a, prune_b};

fn close(x: &[f64], y: &[f64]) -> bool {
    x.len() == y.len() && x.iter().zip(y).all(|(x, y)| (x - y).abs() <= 1e-12 * y.abs().max(1.0))
}

/// Checks F and the reduced posterior's counts.
fn check(posterior: &[f64], prior: &[f64], reduced: &[f64], evidence: f64, counts: &[f64]) {
    let (f, s) = log_evidence(posterior, prior, reduced);
    assert!(close(&[f], &[evidence]), "{f} is not {evidence}");
    assert!(close(&s, counts), "{s:?} is not {counts:?}");
}

#[test]
fn log_evidence_of_reduced_priors() {
    check(
        &[3.5, 1.25, 0.75, 7.0],
        &[0.5, 1.25, 0.75, 2.0],
        &[0.5, 0.25, 0.75, 2.0],
        -1.189584066873838,
        &[3.5, 0.25, 0.75, 7.0],
    );
    let (f, counts) = (0.3949856292518561, [11.0, 9.0, 16.0]);
    check(&[4.0, 2.0, 9.0], &[1.0, 1.0, 1.0], &[8.0, 8.0, 8.0], f, &counts);
    let (f, counts) = (-0.4074589026598212, [120.25, 0.3125]);
    check(&[120.25, 0.5], &[0.25, 0.25], &[0.25, 0.0625], f, &counts);
}

#[test]
fn pruning_keeps_columns_normalised() {
    let counts = |shape: &[usize]| {
        let entries = shape.iter().product::<usize>();
        Array::new(shape.to_vec(), (0..entries).map(|i| i as f64 + 1.0).collect())
    };
    let a = prune_a(&counts(&[3, 2, 2]).normalise_columns(), &[1], &[vec![0], vec![]]);
    assert_eq!(a.shape, [2, 1, 2]);
    assert!(close(&a.data, &[0.214285714285714, 0.25, 0.785714285714286, 0.75]));
    let b = prune_b(&counts(&[3, 3, 2]).normalise_columns(), &[1], &[0]);
    assert_eq!(b.shape, [2, 2, 1]);
    assert!(close(&b.data, &[0.125, 0.25, 0.875, 0.75]));
}
