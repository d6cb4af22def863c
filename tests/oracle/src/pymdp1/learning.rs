//! Learning A and B: Dirichlet counts, and the expected arrays that follow from them.

use super::EPSILON;
use crate::array::Array;
use crate::problem::{Algorithm, Problem};

/// pA_m += lr · o ⊗ q of the factors that the modality depends on.
pub(super) fn update_a(problem: &mut Problem, weights: &[Vec<f64>], qs: &[Vec<f64>]) {
    let rate = problem.arguments.lr_pa;
    for (m, counts) in problem.p_a.iter_mut().enumerate() {
        let mut updated = counts.clone();
        let mut position = 0;
        counts.each(|index, count| {
            let mut term = weights[m][index[0]];
            for (axis, &f) in problem.a_dependencies[m].iter().enumerate() {
                term *= qs[f][index[axis + 1]];
            }
            updated.data[position] = count + rate * term;
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
    let rate = problem.arguments.lr_pb;
    for f in 0..problem.p_b.len() {
        let joint = joint(problem, f, qs, before, action);
        let counts = &problem.p_b[f];
        let last = counts.shape.len() - 1;
        let mut updated = counts.clone();
        let mut position = 0;
        counts.each(|index, count| {
            if index[last] == action[f] {
                updated.data[position] = count + rate * joint.at(&index[..last]);
            }
            position += 1;
        });
        problem.b[f] = expected(&updated);
        problem.p_b[f] = updated;
    }
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
