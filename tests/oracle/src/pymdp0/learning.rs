//! Learning A, B and D: counts grow only where the present array allows it.

use crate::array::Array;
use crate::forgetting::kept;
use crate::problem::Problem;

/// pA_m += lr · o ⊗ q where A_m > 0; A = α / Σα.
pub(super) fn update_a(problem: &mut Problem, weights: &[Vec<f64>], qs: &[Vec<f64>]) {
    let (rate, forgetting) = (problem.arguments.lr_pa, problem.arguments.fr_pa);
    let chosen = &problem.arguments.modalities_to_learn;
    for (m, counts) in problem.p_a.iter_mut().enumerate() {
        let a = &mut problem.a[m];
        if !is_chosen(chosen, m) {
            *a = counts.normalise_columns();
            continue;
        }
        for count in &mut counts.data {
            *count = kept(forgetting, *count);
        }
        let mut position = 0;
        a.each(|index, p| {
            if p > 0.0 {
                let states = index[1..].iter().zip(qs).map(|(&s, q)| q[s]);
                counts.data[position] += rate * weights[m][index[0]] * states.product::<f64>();
            }
            position += 1;
        });
        *a = counts.normalise_columns();
    }
}

/// pB_f += lr · q_t ⊗ q_{t−1} at the action, where B_f > 0; B = α / Σα.
pub(super) fn update_b(
    problem: &mut Problem,
    qs: &[Vec<f64>],
    before: &[Vec<f64>],
    action: &[usize],
) {
    let (rate, forgetting) = (problem.arguments.lr_pb, problem.arguments.fr_pb);
    let chosen = &problem.arguments.factors_to_learn;
    for (f, counts) in problem.p_b.iter_mut().enumerate() {
        let b = &mut problem.b[f];
        if !is_chosen(chosen, f) {
            *b = counts.normalise_columns();
            continue;
        }
        let mut position = 0;
        b.each(|index, p| {
            if index[2] == action[f] {
                counts.data[position] = kept(forgetting, counts.data[position]);
            }
            if p > 0.0 && index[2] == action[f] {
                counts.data[position] += rate * qs[f][index[0]] * before[f][index[1]];
            }
            position += 1;
        });
        *b = counts.normalise_columns();
    }
}

/// pD_f += lr · q where pD_f > 0; D = α / Σα.
pub(super) fn update_d(problem: &mut Problem, qs: &[Vec<f64>]) {
    let (rate, forgetting) = (problem.arguments.lr_pd, problem.arguments.fr_pd);
    for (f, counts) in problem.p_d.iter_mut().enumerate() {
        for (count, q) in counts.data.iter_mut().zip(&qs[f]) {
            if *count > 0.0 && is_chosen(&problem.arguments.factors_to_learn, f) {
                *count = kept(forgetting, *count) + rate * q;
            }
        }
        problem.d[f] = Array::normalise_columns(counts);
    }
}

/// Whether one of these is among those that grow; the arrays of all follow their counts.
fn is_chosen(chosen: &Option<Vec<usize>>, index: usize) -> bool {
    chosen.as_ref().is_none_or(|chosen| chosen.contains(&index))
}
