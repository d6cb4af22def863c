//! The worth of policies: −EFE of predicted beliefs.

use super::{EPSILON, ln};
use crate::array::{Array, each_index};
use crate::numbers::{dot, softmax};
use crate::problem::{Policy, Problem};

/// −EFE of a policy whose beliefs, step by step, are `beliefs`, but for the information gain about B.
pub(super) fn neg_efe(problem: &Problem, beliefs: &[Vec<Vec<f64>>]) -> f64 {
    let arguments = &problem.arguments;
    let mut sum = 0.0;
    for (t, qs) in beliefs.iter().enumerate() {
        if arguments.use_utility {
            sum += utility(problem, qs, t);
        }
        if arguments.use_states_info_gain {
            sum += state_info_gain(&problem.a, qs);
        }
        if arguments.use_param_info_gain {
            sum -= novelty_a(problem, qs);
        }
    }
    sum
}

/// softmax(gamma · G − F + ln E); F is 0 without message passing.
pub(super) fn posterior(problem: &Problem, neg_efe: &[f64], free_energy: &[f64]) -> Vec<f64> {
    let uniform = vec![1.0 / neg_efe.len() as f64; neg_efe.len()];
    let prior = problem.e.as_ref().unwrap_or(&uniform);
    let worth = |p: usize| {
        let f = free_energy.get(p).copied().unwrap_or(0.0);
        problem.arguments.gamma * neg_efe[p] - f + ln(prior[p])
    };
    softmax(&(0..neg_efe.len()).map(worth).collect::<Vec<_>>())
}

/// Σ_m q_o · ln(softmax(C_m(t)) + 1e-16).
fn utility(problem: &Problem, qs: &[Vec<f64>], t: usize) -> f64 {
    let mut sum = 0.0;
    for (a, c) in problem.a.iter().zip(&problem.c) {
        let column = if c.shape.len() == 2 { c.select_last(t).data } else { c.data.clone() };
        let ln_c: Vec<f64> = softmax(&column).into_iter().map(ln).collect();
        sum += dot(&predicted_outcomes(a, qs), &ln_c);
    }
    sum
}

fn predicted_outcomes(a: &Array, qs: &[Vec<f64>]) -> Vec<f64> {
    a.contract(&over_states(qs)).data
}

/// Weights that keep the first axis and sum over all factors.
fn over_states(qs: &[Vec<f64>]) -> Vec<Option<&[f64]>> {
    let mut weights = vec![None];
    weights.extend(qs.iter().map(|q| Some(&q[..])));
    weights
}

/// Information gain about states from all modalities jointly, so that redundant ones count once:
/// Σ_s q(s) Σ_o p · ln(p + e⁻¹⁶) − Σ_o q_o · ln(q_o + 1e-16), p = Π_m A_m[o_m, s]; states with
/// q(s) ≤ e⁻¹⁶ are skipped, in q_o too.
fn state_info_gain(a: &[Array], qs: &[Vec<f64>]) -> f64 {
    let negligible = (-16.0_f64).exp();
    let num_obs: Vec<usize> = a.iter().map(|a| a.shape[0]).collect();
    let mut q_o = Array::zeros(&num_obs);
    let mut sum = 0.0;
    each_index(&a[0].shape[1..], |state| {
        let q: f64 = state.iter().zip(qs).map(|(&s, q)| q[s]).product();
        if q > negligible {
            let mut position = 0;
            each_index(&num_obs, |outcomes| {
                let mut p = 1.0;
                for (m, &o) in outcomes.iter().enumerate() {
                    let mut index = vec![o];
                    index.extend(state);
                    p *= a[m].at(&index);
                }
                q_o.data[position] += q * p;
                sum += q * p * (p + negligible).ln();
                position += 1;
            });
        }
    });
    sum - q_o.data.iter().map(|&q| q * ln(q)).sum::<f64>()
}

/// Minus the information gain about A.
fn novelty_a(problem: &Problem, qs: &[Vec<f64>]) -> f64 {
    let modality = |(a, counts): (&Array, &Array)| {
        let weights = novelty_weights(counts).contract(&over_states(qs)).data;
        dot(&predicted_outcomes(a, qs), &weights)
    };
    problem.a.iter().zip(&problem.p_a).map(modality).sum()
}

/// Minus the information gain about B of a policy that leads along `path`, the present first.
pub(super) fn novelty_b(problem: &Problem, path: &[Vec<Vec<f64>>], policy: &Policy) -> f64 {
    if !problem.arguments.use_param_info_gain {
        return 0.0;
    }
    let mut sum = 0.0;
    for (step, action) in path.windows(2).zip(policy) {
        for (f, counts) in problem.p_b.iter().enumerate() {
            let weights = novelty_weights(&counts.select_last(action[f]));
            sum += dot(&step[1][f], &weights.contract(&[None, Some(&step[0][f])]).data);
        }
    }
    sum
}

/// w = 1/Σ(α + 1e-16) − 1/(α + 1e-16) where α > 0, else 0.
fn novelty_weights(counts: &Array) -> Array {
    let columns = counts.data.len() / counts.shape[0];
    let mut weights = Array::zeros(&counts.shape);
    for column in 0..columns {
        let entries = || (0..counts.shape[0]).map(|row| row * columns + column);
        let total: f64 = entries().map(|i| counts.data[i] + EPSILON).sum();
        for i in entries() {
            if counts.data[i] > 0.0 {
                weights.data[i] = 1.0 / total - 1.0 / (counts.data[i] + EPSILON);
            }
        }
    }
    weights
}
