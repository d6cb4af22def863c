//! VANILLA: fixed-point iteration with an early stop.

use super::{EPSILON, expected_but, joint_likelihood, ln};
use crate::array::Array;
use crate::numbers::{dot, softmax};

/// The iteration stops once the free energy changes by less.
const TOLERANCE: f64 = 1e-3;

/// Beliefs after an observation: exact for one factor, else at most `num_iter` parallel updates
/// from uniform beliefs.
pub(super) fn infer(
    a: &[Array],
    weights: &[Vec<f64>],
    prior: &[Vec<f64>],
    num_iter: usize,
) -> Vec<Vec<f64>> {
    let likelihood = joint_likelihood(a, weights).map(ln);
    let ln_prior: Vec<Vec<f64>> =
        prior.iter().map(|p| p.iter().map(|&p| ln(p)).collect()).collect();
    let mut qs: Vec<Vec<f64>> = prior.iter().map(|p| vec![1.0 / p.len() as f64; p.len()]).collect();
    // The first comparison is with a free energy that leaves the likelihood out.
    let mut last = complexity(&qs, &ln_prior);
    let passes = if prior.len() == 1 { 1 } else { num_iter };
    for _ in 0..passes {
        let updated = (0..prior.len()).map(|f| {
            let expected = expected_but(&likelihood, f, &qs);
            let terms = expected.iter().zip(&ln_prior[f]);
            softmax(&terms.map(|(l, p)| l + p).collect::<Vec<_>>())
        });
        qs = updated.collect();
        let weights: Vec<Option<&[f64]>> = qs.iter().map(|q| Some(&q[..])).collect();
        let free_energy = complexity(&qs, &ln_prior) - likelihood.contract(&weights).data[0];
        let change = (last - free_energy).abs();
        last = free_energy;
        if change < TOLERANCE {
            break;
        }
    }
    qs
}

/// Σ_f q · (ln(q + 1e-16) − ln prior).
fn complexity(qs: &[Vec<f64>], ln_prior: &[Vec<f64>]) -> f64 {
    let factor = |(q, ln_prior): (&Vec<f64>, &Vec<f64>)| {
        let negative_entropy: f64 = q.iter().map(|q| q * (q + EPSILON).ln()).sum();
        negative_entropy - dot(q, ln_prior)
    };
    qs.iter().zip(ln_prior).map(factor).sum()
}
