//! The worth of policies: −EFE, and the posterior over them.

use super::filter::predict;
use super::inductive;
use super::{EPSILON, ln, x_ln_x};
use crate::array::Array;
use crate::numbers::{digamma, dot, softmax};
use crate::problem::{Policy, Problem};

/// −EFE of every policy from the present belief; `reach` is the inductive reachability, if used.
pub(super) fn neg_efe(
    problem: &Problem,
    policies: &[Policy],
    qs: &[Vec<f64>],
    reach: &[Array],
) -> Vec<f64> {
    policies.iter().map(|policy| neg_efe_of(problem, policy, qs, reach)).collect()
}

/// softmax(gamma · G + ln max(E, ε)).
pub(super) fn posterior(problem: &Problem, neg_efe: &[f64]) -> Vec<f64> {
    let uniform = vec![1.0 / neg_efe.len() as f64; neg_efe.len()];
    let prior = problem.e.as_ref().unwrap_or(&uniform);
    let terms = neg_efe.iter().zip(prior);
    softmax(&terms.map(|(g, &e)| problem.arguments.gamma * g + ln(e)).collect::<Vec<_>>())
}

fn neg_efe_of(problem: &Problem, policy: &Policy, present: &[Vec<f64>], reach: &[Array]) -> f64 {
    let arguments = &problem.arguments;
    let mut sum = 0.0;
    let mut qs = present.to_vec();
    for (t, action) in policy.iter().enumerate() {
        let next = predict(&problem.b, &problem.b_dependencies, &qs, action);
        if arguments.use_utility {
            sum += utility(problem, &next, t);
        }
        if arguments.use_states_info_gain {
            sum += state_info_gain(problem, &next);
        }
        if arguments.use_param_info_gain {
            sum -= novelty_a(problem, &next) + novelty_b(problem, &next, &qs, action);
        }
        if arguments.use_inductive {
            sum += inductive::value(reach, present, &next, arguments.inductive_epsilon);
        }
        qs = next;
    }
    sum
}

/// Predicted outcomes of every modality.
pub(super) fn predicted_outcomes(problem: &Problem, qs: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let modality =
        |(a, dependencies): (&Array, &Vec<usize>)| a.contract(&over_states(dependencies, qs)).data;
    problem.a.iter().zip(&problem.a_dependencies).map(modality).collect()
}

/// Σ_m q_o · C_m(t); C is used raw.
pub(super) fn utility(problem: &Problem, qs: &[Vec<f64>], t: usize) -> f64 {
    let outcomes = predicted_outcomes(problem, qs);
    let modality = |(q_o, c): (&Vec<f64>, &Array)| {
        let start = if c.shape.len() == 2 { t * q_o.len() } else { 0 };
        dot(q_o, &c.data[start..start + q_o.len()])
    };
    outcomes.iter().zip(&problem.c).map(modality).sum()
}

/// Σ_m ( H[q_o] − E_q H[A_m] ).
pub(super) fn state_info_gain(problem: &Problem, qs: &[Vec<f64>]) -> f64 {
    let outcomes = predicted_outcomes(problem, qs);
    let mut sum = 0.0;
    for (m, q_o) in outcomes.iter().enumerate() {
        sum -= q_o.iter().map(|&q| x_ln_x(q)).sum::<f64>();
        let weights = over_states(&problem.a_dependencies[m], qs);
        sum += problem.a[m].map(x_ln_x).contract(&weights).data.iter().sum::<f64>();
    }
    sum
}

/// Σ_m q_o · (w(pA_m) contracted with q): minus the information gain about A.
fn novelty_a(problem: &Problem, qs: &[Vec<f64>]) -> f64 {
    let outcomes = predicted_outcomes(problem, qs);
    let mut sum = 0.0;
    for (m, counts) in problem.p_a.iter().enumerate() {
        let weights = over_states(&problem.a_dependencies[m], qs);
        sum += dot(&outcomes[m], &novelty_weights(counts).contract(&weights).data);
    }
    sum
}

/// Σ_f q'_f · (w(pB_f) at the action, contracted with the belief before).
fn novelty_b(problem: &Problem, next: &[Vec<f64>], qs: &[Vec<f64>], action: &[usize]) -> f64 {
    let mut sum = 0.0;
    for (f, counts) in problem.p_b.iter().enumerate() {
        let weights = over_states(&problem.b_dependencies[f], qs);
        let at_action = novelty_weights(&counts.select_last(action[f]));
        sum += dot(&next[f], &at_action.contract(&weights).data);
    }
    sum
}

/// w = −[ln S − ln a + ψ(a + 1) − ψ(S + 1)] where the count is above 0, else 0; a = max(count, ε),
/// S = Σ a over the column.
fn novelty_weights(counts: &Array) -> Array {
    let columns = counts.data.len() / counts.shape[0];
    let mut weights = Array::zeros(&counts.shape);
    for column in 0..columns {
        let entries = || (0..counts.shape[0]).map(|row| row * columns + column);
        let total: f64 = entries().map(|i| counts.data[i].max(EPSILON)).sum();
        for i in entries() {
            if counts.data[i] > 0.0 {
                let a = counts.data[i].max(EPSILON);
                weights.data[i] = -(total.ln() - a.ln() + digamma(a + 1.0) - digamma(total + 1.0));
            }
        }
    }
    weights
}

/// Weights that keep the first axis and sum over the states of the factors depended on.
fn over_states<'a>(dependencies: &[usize], qs: &'a [Vec<f64>]) -> Vec<Option<&'a [f64]>> {
    let mut weights = vec![None];
    weights.extend(dependencies.iter().map(|&f| Some(&qs[f][..])));
    weights
}
