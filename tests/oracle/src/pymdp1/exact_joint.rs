//! The true posterior over the joint states of all factors, and its marginals: Populace's own.

use super::filter::evidence;
use super::ln;
use crate::array::{Array, each_index};
use crate::numbers::softmax;

/// q(s) ∝ Π_f max(prior_f, ε) · exp Σ_m L_m(s), summed over all factors but one.
pub(super) fn infer(
    a: &[Array],
    a_dependencies: &[Vec<usize>],
    weights: &[Vec<f64>],
    prior: &[Vec<f64>],
) -> Vec<Vec<f64>> {
    let said: Vec<Array> = a.iter().zip(weights).map(|(a, w)| evidence(a, w)).collect();
    let shape: Vec<usize> = prior.iter().map(Vec::len).collect();
    let mut ln_q = Vec::new();
    each_index(&shape, |state| {
        let mut sum: f64 = state.iter().zip(prior).map(|(&s, prior)| ln(prior[s])).sum();
        for (said, dependencies) in said.iter().zip(a_dependencies) {
            let own: Vec<usize> = dependencies.iter().map(|&f| state[f]).collect();
            sum += said.at(&own);
        }
        ln_q.push(sum);
    });
    let joint = Array::new(shape.clone(), softmax(&ln_q));
    let mut marginals: Vec<Vec<f64>> = shape.iter().map(|&states| vec![0.0; states]).collect();
    joint.each(|state, q| {
        for (marginal, &s) in marginals.iter_mut().zip(state) {
            marginal[s] += q;
        }
    });
    marginals
}
