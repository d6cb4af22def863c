//! MMP: marginal message passing over a window of past and future steps, policy by policy.

use super::{EPSILON, expected_but, ln};
use crate::array::Array;
use crate::numbers::softmax;

/// Step size of the gradient descent.
const TAU: f64 = 0.25;

/// One policy's beliefs, by step of the window and factor, and its variational free energy.
///
/// `likelihoods[t]` is the joint likelihood (not logged) of past step t, the present last;
/// `actions[t]` leads from step t to t + 1: past actions, then the policy's. `ahead` is the length
/// of the policy.
pub(super) fn infer(
    b: &[Array],
    prior: &[Vec<f64>],
    likelihoods: &[Array],
    actions: &[Vec<usize>],
    ahead: usize,
    num_iter: usize,
) -> (Vec<Vec<Vec<f64>>>, f64) {
    let past_len = likelihoods.len();
    let steps = past_len + ahead;
    let cutoff = (past_len + ahead).saturating_sub(2);
    let factors = b.len();
    let backward: Vec<Array> = b.iter().map(transposed).collect();
    let uniform: Vec<Vec<f64>> =
        prior.iter().map(|p| vec![1.0 / p.len() as f64; p.len()]).collect();
    let mut qs = vec![uniform; steps];
    let mut free_energy = 0.0;
    for _ in 0..num_iter {
        free_energy = 0.0;
        for t in 0..steps {
            for f in 0..factors {
                let states = prior[f].len();
                let ln_a: Vec<f64> = if t < past_len {
                    expected_but(&likelihoods[t], f, &qs[t]).into_iter().map(ln).collect()
                } else {
                    vec![0.0; states]
                };
                let past: Vec<f64> = if t == 0 {
                    prior[f].clone()
                } else {
                    b[f].select_last(actions[t - 1][f]).contract(&[None, Some(&qs[t - 1][f])]).data
                };
                let future: Vec<f64> = if t >= cutoff {
                    vec![0.0; states]
                } else {
                    let back = backward[f].select_last(actions[t][f]);
                    back.contract(&[None, Some(&qs[t + 1][f])]).data.into_iter().map(ln).collect()
                };
                let weight = if t >= cutoff { 1.0 } else { 2.0 };
                let error: Vec<f64> = (0..states)
                    .map(|s| weight * ln_a[s] + ln(past[s]) + future[s] - weight * ln(qs[t][f][s]))
                    .collect();
                for s in 0..states {
                    let mut term = error[s];
                    if t > 0 && t < steps - 1 {
                        term -= (factors as f64 - 1.0) / factors as f64 * ln_a[s];
                    }
                    free_energy += qs[t][f][s] * 0.5 * term;
                }
                let mean = error.iter().sum::<f64>() / states as f64;
                let ln_q: Vec<f64> =
                    (0..states).map(|s| ln(qs[t][f][s]) + TAU * (error[s] - mean)).collect();
                qs[t][f] = softmax(&ln_q);
            }
        }
    }
    (qs, free_energy)
}

/// (s, s', u) from (s', s, u): Bᵀ + 1e-16, normalised over its first axis.
fn transposed(b: &Array) -> Array {
    let mut swapped = Array::zeros(&b.shape);
    b.each(|index, p| {
        let position = swapped.position(&[index[1], index[0], index[2]]);
        swapped.data[position] = p + EPSILON;
    });
    swapped.normalise_columns()
}
