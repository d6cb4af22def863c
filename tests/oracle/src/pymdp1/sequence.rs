//! Inference over a window of steps: marginal (`mmp`) and variational (`vmp`) message passing.
//!
//! Every iteration updates all steps and factors at once, q ← softmax(ln A + past + future), from
//! the beliefs of the iteration before; step size 1 makes the old ln q cancel.

use super::filter::{evidence, expected_evidence};
use super::{EPSILON, ln};
use crate::array::Array;
use crate::numbers::softmax;
use crate::problem::{Algorithm, Problem};

/// Beliefs of every step of the window, by step and factor. `actions[t]` leads from t to t + 1.
pub(super) fn infer(
    problem: &Problem,
    window: &[Vec<Vec<f64>>],
    actions: &[Vec<usize>],
) -> Vec<Vec<Vec<f64>>> {
    let steps = window.len();
    let likelihoods: Vec<Vec<Array>> = window
        .iter()
        .map(|weights| problem.a.iter().zip(weights).map(|(a, w)| evidence(a, w)).collect())
        .collect();
    let uniform: Vec<Vec<f64>> =
        problem.d.iter().map(|d| vec![1.0 / d.data.len() as f64; d.data.len()]).collect();
    let mut qs = vec![uniform; steps];
    for _ in 0..problem.arguments.num_iter {
        let mut updated = qs.clone();
        for (t, step) in updated.iter_mut().enumerate() {
            for (f, q) in step.iter_mut().enumerate() {
                let expected =
                    expected_evidence(f, &qs[t], &likelihoods[t], &problem.a_dependencies);
                let past = past(problem, &qs, actions, t, f);
                let future = future(problem, &qs, actions, t, f);
                let ln_q: Vec<f64> =
                    (0..q.len()).map(|s| expected[s] + past[s] + future[s]).collect();
                *q = softmax(&ln_q);
            }
        }
        qs = updated;
    }
    qs
}

/// The message to factor f at step t from the step before; the prior at t = 0.
fn past(
    problem: &Problem,
    qs: &[Vec<Vec<f64>>],
    actions: &[Vec<usize>],
    t: usize,
    f: usize,
) -> Vec<f64> {
    let marginal = problem.arguments.inference_algo == Algorithm::Mmp;
    let message: Vec<f64> = if t == 0 {
        problem.d[f].data.iter().map(|&p| ln(p)).collect()
    } else {
        let mut b = problem.b[f].select_last(actions[t - 1][f]);
        let mut weights = vec![None];
        weights.extend(problem.b_dependencies[f].iter().map(|&g| Some(&qs[t - 1][g][..])));
        if marginal {
            b.contract(&weights).data.iter().map(|&x| ln(x)).collect()
        } else {
            b = b.map(ln);
            b.contract(&weights).data
        }
    };
    let weight = if marginal && t + 1 < qs.len() { 0.5 } else { 1.0 };
    message.iter().map(|x| weight * x).collect()
}

/// The message to factor f at step t from every factor of step t + 1 that depends on it; nothing
/// at the last step.
fn future(
    problem: &Problem,
    qs: &[Vec<Vec<f64>>],
    actions: &[Vec<usize>],
    t: usize,
    f: usize,
) -> Vec<f64> {
    let states = problem.d[f].data.len();
    let mut sum = vec![0.0; states];
    if t + 1 == qs.len() {
        return sum;
    }
    for (g, dependencies) in problem.b_dependencies.iter().enumerate() {
        if !dependencies.contains(&f) {
            continue;
        }
        let marginal = problem.arguments.inference_algo == Algorithm::Mmp;
        let b = problem.b[g].select_last(actions[t][g]);
        let b = if marginal { b } else { b.map(ln) };
        // (S_g at t + 1, S_f at t)
        let mut weights = vec![None];
        weights.extend(dependencies.iter().map(|&h| (h != f).then_some(&qs[t][h][..])));
        let mut b = b.contract(&weights);
        if marginal {
            for row in b.data.chunks_mut(states) {
                let norm = row.iter().sum::<f64>().max(EPSILON);
                row.iter_mut().for_each(|x| *x /= norm);
            }
        }
        let message = b.contract(&[Some(&qs[t + 1][g]), None]).data;
        for (sum, x) in sum.iter_mut().zip(message) {
            *sum += if marginal { 0.5 * ln(x) } else { x };
        }
    }
    sum
}
