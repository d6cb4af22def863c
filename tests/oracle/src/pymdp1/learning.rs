//! Learning A and B: Dirichlet counts, and the expected arrays that follow from them.

use super::EPSILON;
use crate::array::Array;
use crate::forgetting;
use crate::problem::{Algorithm, Problem};

/// pA_m += lr · o ⊗ q of the factors that the modality depends on.
pub(super) fn update_a(problem: &mut Problem, weights: &[Vec<f64>], qs: &[Vec<f64>]) {
    let arguments = &problem.arguments;
    let rate = arguments.lr_pa;
    for (m, counts) in problem.p_a.iter_mut().enumerate() {
        // What was not observed changes nothing, by forgetting neither.
        let observed = weights[m].iter().any(|&weight| weight != 0.0);
        let forgetting = if observed { arguments.fr_pa } else { 1.0 };
        let mut updated = counts.clone();
        let mut position = 0;
        counts.each(|index, count| {
            let mut term = weights[m][index[0]];
            for (axis, &f) in problem.a_dependencies[m].iter().enumerate() {
                term *= qs[f][index[axis + 1]];
            }
            updated.data[position] =
                forgetting::updated(count, forgetting, rate * term, arguments.keep_zeros);
            position += 1;
        });
        *counts = updated;
        problem.a[m] = expected(counts);
    }
}

/// pB_f += lr · joint(q_t, q_{t−1}) at the action taken at t − 1.
pub(super) fn update_b(
    problem: &mut Problem,
    qs: &[Vec<f64>],
    before: &[Vec<f64>],
    action: &[usize],
) {
    let arguments = problem.arguments.clone();
    for f in 0..problem.p_b.len() {
        let joint = joint(problem, f, qs, before, action);
        let counts = &problem.p_b[f];
        let last = counts.shape.len() - 1;
        let mut updated = counts.clone();
        let mut position = 0;
        counts.each(|index, count| {
            if index[last] == action[f] {
                let added = arguments.lr_pb * joint.at(&index[..last]);
                updated.data[position] =
                    forgetting::updated(count, arguments.fr_pb, added, arguments.keep_zeros);
            }
            position += 1;
        });
        problem.b[f] = expected(&updated);
        problem.p_b[f] = updated;
    }
}

/// pD_f += lr · q; D = max(α, ε) / Σ max(α, ε). Populace's own.
pub(super) fn update_d(problem: &mut Problem, qs: &[Vec<f64>]) {
    let arguments = &problem.arguments;
    for (f, counts) in problem.p_d.iter_mut().enumerate() {
        for (count, q) in counts.data.iter_mut().zip(&qs[f]) {
            let added = arguments.lr_pd * q;
            *count = forgetting::updated(*count, arguments.fr_pd, added, arguments.keep_zeros);
        }
        problem.d[f] = expected(counts);
    }
}

/// pE += lr · q_π; E = max(α, ε) / Σ max(α, ε). Populace's own.
pub(super) fn update_e(problem: &mut Problem, q_pi: &[f64]) {
    let arguments = &problem.arguments;
    for (count, q) in problem.p_e.iter_mut().zip(q_pi) {
        let added = arguments.lr_pe * q;
        *count = forgetting::updated(*count, arguments.fr_pe, added, arguments.keep_zeros);
    }
    problem.e = Some(expected(&Array::vector(problem.p_e.clone())).data);
}

/// What factor f is believed to have done: q_t ⊗ q_{t−1} of its dependencies, or, for `ovf` and
/// `exact`, the smoothed joint q_t(s') · B[s', s] q_{t−1}(s) / Σ_s B[s', s] q_{t−1}(s).
fn joint(
    problem: &Problem,
    f: usize,
    qs: &[Vec<f64>],
    before: &[Vec<f64>],
    action: &[usize],
) -> Array {
    let b = problem.b[f].select_last(action[f]);
    let mut joint = Array::zeros(&b.shape);
    let mut position = 0;
    match problem.arguments.inference_algo {
        Algorithm::Ovf | Algorithm::Exact => {
            let predicted = b.contract(&[None, Some(&before[f])]).data;
            b.each(|index, b| {
                // The reference guards the division in two ways.
                let norm = predicted[index[0]];
                let norm = match problem.arguments.inference_algo {
                    Algorithm::Ovf if norm == 0.0 => EPSILON,
                    Algorithm::Ovf => norm,
                    _ => norm.max(EPSILON),
                };
                joint.data[position] = qs[f][index[0]] * b * before[f][index[1]] / norm;
                position += 1;
            });
        }
        _ => b.each(|index, _| {
            let mut term = qs[f][index[0]];
            for (axis, &g) in problem.b_dependencies[f].iter().enumerate() {
                term *= before[g][index[axis + 1]];
            }
            joint.data[position] = term;
            position += 1;
        }),
    }
    joint
}

/// max(α, ε) / Σ max(α, ε) over every column.
fn expected(counts: &Array) -> Array {
    counts.map(|count| count.max(EPSILON)).normalise_columns()
}
