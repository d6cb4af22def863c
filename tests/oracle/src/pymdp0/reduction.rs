//! Bayesian model reduction: would the model be better without some of it?

use crate::array::{Array, each_index};
use crate::numbers::ln_gamma;

/// ln of the multivariate beta function: Σ ln Γ(z) − ln Γ(Σ z).
fn ln_beta(z: &[f64]) -> f64 {
    z.iter().map(|&z| ln_gamma(z)).sum::<f64>() - ln_gamma(z.iter().sum())
}

/// The change in free energy when a Dirichlet prior is replaced by a reduced one, and the counts
/// of the reduced posterior: F = ln B(q) + ln B(r) − ln B(p) − ln B(s), s = q + r − p.
///
/// `posterior` and `prior` are the full model's counts, `reduced` the reduced model's prior.
///
/// ```
/// let (f, counts) = populace_oracle::log_evidence(&[5.0, 1.0], &[1.0, 1.0], &[1.0, 1.0]);
/// assert_eq!((f, counts), (0.0, vec![5.0, 1.0]));
/// ```
pub fn log_evidence(posterior: &[f64], prior: &[f64], reduced: &[f64]) -> (f64, Vec<f64>) {
    let counts: Vec<f64> =
        posterior.iter().zip(prior).zip(reduced).map(|((q, p), r)| q + r - p).collect();
    let f = ln_beta(posterior) + ln_beta(reduced) - ln_beta(prior) - ln_beta(&counts);
    (f, counts)
}

/// A without the listed outcomes and states (a list a factor), its columns normalised again.
pub fn prune_a(a: &Array, outcomes: &[usize], states: &[Vec<usize>]) -> Array {
    let mut removed = vec![outcomes.to_vec()];
    removed.extend(states.iter().cloned());
    without(a, &removed).normalise_columns()
}

/// B of one factor without the listed states and actions, its columns normalised again.
pub fn prune_b(b: &Array, states: &[usize], actions: &[usize]) -> Array {
    without(b, &[states.to_vec(), states.to_vec(), actions.to_vec()]).normalise_columns()
}

/// The array without the listed indices of every axis.
fn without(array: &Array, removed: &[Vec<usize>]) -> Array {
    let axes = array.shape.iter().zip(removed);
    let kept: Vec<Vec<usize>> =
        axes.map(|(&n, removed)| (0..n).filter(|i| !removed.contains(i)).collect()).collect();
    let shape: Vec<usize> = kept.iter().map(Vec::len).collect();
    let mut data = Vec::new();
    each_index(&shape, |index| {
        let source: Vec<usize> = index.iter().zip(&kept).map(|(&i, kept)| kept[i]).collect();
        data.push(array.at(&source));
    });
    Array::new(shape, data)
}
