//! Inductive inference: how far the goal is, and what a predicted belief is worth on the way.

use super::ln;
use crate::array::Array;
use crate::numbers::argmax;
use crate::problem::Problem;

/// (depth, S_f) for every factor: row 0 is the goal H; row k + 1 marks the states from which some
/// action leads into row k with a probability above the threshold.
pub(super) fn reachability(problem: &Problem) -> Vec<Array> {
    let arguments = &problem.arguments;
    let factor = |(h, b): (&Array, &Array)| {
        let states = h.data.len();
        let actions = b.shape[b.shape.len() - 1];
        let mut rows = vec![h.data.clone()];
        while rows.len() < arguments.inductive_depth {
            let last = &rows[rows.len() - 1];
            let leads = |s: usize| {
                (0..states).any(|next| {
                    last[next] > 0.0
                        && (0..actions).any(|u| b.at(&[next, s, u]) > arguments.inductive_threshold)
                })
            };
            let row = (0..states).map(|s| f64::from(u8::from(leads(s)))).collect();
            rows.push(row);
        }
        Array::new(vec![rows.len(), states], rows.concat())
    };
    problem.h.iter().zip(&problem.b).map(factor).collect()
}

/// Σ_f [a path exists] · ln ε_ind · Σ_s (1 − I[m, s]) q'(s), m one before the first row that holds
/// the most probable present state, floored at 0.
pub(super) fn value(reach: &[Array], present: &[Vec<f64>], next: &[Vec<f64>], epsilon: f64) -> f64 {
    let mut sum = 0.0;
    for (f, rows) in reach.iter().enumerate() {
        let here = argmax(&present[f]);
        let column: Vec<f64> = (0..rows.shape[0]).map(|k| rows.at(&[k, here])).collect();
        let available = column.iter().sum::<f64>().clamp(0.0, 1.0);
        let target = argmax(&column).saturating_sub(1);
        for (s, &q) in next[f].iter().enumerate() {
            sum += available * ln(epsilon) * (1.0 - rows.at(&[target, s])) * q;
        }
    }
    sum
}
