//! One step of inference from a prior: `fpi`, `exact` and `ovf`, which differ in learning only.

use super::ln;
use crate::array::Array;
use crate::numbers::softmax;

/// Evidence of one modality: L(s …) = Σ_o weight[o] · ln max(A[o, s …], ε).
pub(super) fn evidence(a: &Array, weights: &[f64]) -> Array {
    let mut sum = Array::zeros(&a.shape[1..]);
    let states = sum.data.len();
    for (o, &weight) in weights.iter().enumerate() {
        if weight != 0.0 {
            for s in 0..states {
                sum.data[s] += weight * ln(a.data[o * states + s]);
            }
        }
    }
    sum
}

/// Σ over the modalities that depend on `factor` of E[L] under the beliefs of its other factors.
pub(super) fn expected_evidence(
    factor: usize,
    qs: &[Vec<f64>],
    evidence: &[Array],
    a_dependencies: &[Vec<usize>],
) -> Vec<f64> {
    let mut sum = vec![0.0; qs[factor].len()];
    for (l, dependencies) in evidence.iter().zip(a_dependencies) {
        if dependencies.contains(&factor) {
            let others: Vec<Option<&[f64]>> =
                dependencies.iter().map(|&g| (g != factor).then_some(&qs[g][..])).collect();
            for (sum, term) in sum.iter_mut().zip(l.contract(&others).data) {
                *sum += term;
            }
        }
    }
    sum
}

/// Beliefs after an observation: exact for one factor, else `num_iter` parallel updates of
/// ln q_f = ln max(prior_f, ε) + Σ_m E[L_m], begun at uniform beliefs.
pub(super) fn infer(
    a: &[Array],
    a_dependencies: &[Vec<usize>],
    weights: &[Vec<f64>],
    prior: &[Vec<f64>],
    num_iter: usize,
) -> Vec<Vec<f64>> {
    let evidence: Vec<Array> = a.iter().zip(weights).map(|(a, w)| evidence(a, w)).collect();
    let mut qs: Vec<Vec<f64>> = prior.iter().map(|p| vec![1.0 / p.len() as f64; p.len()]).collect();
    let passes = if prior.len() == 1 { 1 } else { num_iter };
    for _ in 0..passes {
        let updated = (0..prior.len()).map(|factor| {
            let expected = expected_evidence(factor, &qs, &evidence, a_dependencies);
            let ln_q: Vec<f64> =
                expected.iter().zip(&prior[factor]).map(|(l, &p)| l + ln(p)).collect();
            softmax(&ln_q)
        });
        qs = updated.collect();
    }
    qs
}

/// Beliefs one step on: B_f at its action, contracted with the beliefs that it depends on.
pub(super) fn predict(
    b: &[Array],
    b_dependencies: &[Vec<usize>],
    qs: &[Vec<f64>],
    action: &[usize],
) -> Vec<Vec<f64>> {
    let factor = |f: usize| {
        let mut weights = vec![None];
        weights.extend(b_dependencies[f].iter().map(|&g| Some(&qs[g][..])));
        b[f].select_last(action[f]).contract(&weights).data
    };
    (0..b.len()).map(factor).collect()
}
