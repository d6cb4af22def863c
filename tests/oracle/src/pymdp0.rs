//! The dialect `pymdp-0`: inferactively-pymdp 0.0.7.1.
//!
//! Every A depends on all factors and every B on its own; ln x means ln(x + 1e-16) throughout.

mod agent;
mod learning;
mod mmp;
mod planning;
mod reduction;
mod vanilla;

pub(crate) use agent::Agent;
pub use reduction::{log_evidence, prune_a, prune_b};

use crate::array::Array;

/// What keeps logarithms finite.
pub(crate) const EPSILON: f64 = 1e-16;

/// ln(x + 1e-16).
pub(crate) fn ln(x: f64) -> f64 {
    (x + EPSILON).ln()
}

/// Π_m A_m[o_m] over the joint states (S_0, S_1, …). An outcome is given as weights (one-hot).
fn joint_likelihood(a: &[Array], weights: &[Vec<f64>]) -> Array {
    let mut joint = Array::zeros(&a[0].shape[1..]).map(|_| 1.0);
    for (a, weights) in a.iter().zip(weights) {
        let mut of_outcome = vec![Some(&weights[..])];
        of_outcome.resize(a.shape.len(), None);
        for (product, p) in joint.data.iter_mut().zip(a.contract(&of_outcome).data) {
            *product *= p;
        }
    }
    joint
}

/// E of a joint array under the beliefs of all factors but one.
fn expected_but(joint: &Array, factor: usize, qs: &[Vec<f64>]) -> Vec<f64> {
    let others: Vec<Option<&[f64]>> =
        qs.iter().enumerate().map(|(f, q)| (f != factor).then_some(&q[..])).collect();
    joint.contract(&others).data
}

/// Beliefs one step on.
fn predict(b: &[Array], qs: &[Vec<f64>], action: &[usize]) -> Vec<Vec<f64>> {
    let factor = |f: usize| b[f].select_last(action[f]).contract(&[None, Some(&qs[f])]).data;
    (0..b.len()).map(factor).collect()
}
