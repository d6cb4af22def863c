//! Choosing an action from the posterior over policies.

use crate::numbers::{argmax, softmax};
use crate::problem::{Arguments, Policy};

/// An action, and how it was chosen.
pub(crate) struct Choice {
    /// The best action: its index of every factor.
    pub(crate) action: Vec<i32>,
    /// How far the best is from the best other choice: between whole first actions ("full"), or
    /// the narrowest of the factors ("marginal"). Infinite where there is no other.
    pub(crate) gap: f64,
    /// Every action that can be taken, with its probability.
    pub(crate) probabilities: Vec<(Vec<i32>, f64)>,
}

/// Chooses by `arguments`; `ln` is the dialect's.
pub(crate) fn choose(
    q_pi: &[f64],
    policies: &[Policy],
    num_actions: &[usize],
    arguments: &Arguments,
    ln: fn(f64) -> f64,
) -> Choice {
    let first = |p: usize| -> Vec<i32> { policies[p][0].iter().map(|&u| u as i32).collect() };
    let (action, gap, drawn) = if arguments.marginal {
        let mut action = Vec::new();
        let mut gap = f64::INFINITY;
        let mut drawn = vec![(Vec::new(), 1.0)];
        for (factor, &count) in num_actions.iter().enumerate() {
            let mut marginal = vec![0.0; count];
            for (policy, &q) in policies.iter().zip(q_pi) {
                marginal[policy[0][factor]] += q;
            }
            let best = argmax(&marginal);
            action.push(best as i32);
            for (u, &p) in marginal.iter().enumerate() {
                if u != best {
                    gap = gap.min(marginal[best] - p);
                }
            }
            let scaled: Vec<f64> = marginal.iter().map(|&p| arguments.alpha * ln(p)).collect();
            let mut longer = Vec::new();
            for (start, p) in &drawn {
                for (u, q) in softmax(&scaled).iter().enumerate() {
                    let mut next: Vec<i32> = start.clone();
                    next.push(u as i32);
                    longer.push((next, p * q));
                }
            }
            drawn = longer;
        }
        (action, gap, drawn)
    } else {
        let best = argmax(q_pi);
        let action = first(best);
        let others = (0..q_pi.len()).filter(|&p| first(p) != action);
        let gap = others.map(|p| q_pi[best] - q_pi[p]).fold(f64::INFINITY, f64::min);
        let scaled: Vec<f64> = q_pi.iter().map(|&q| arguments.alpha * ln(q)).collect();
        let mut drawn: Vec<(Vec<i32>, f64)> = Vec::new();
        for (p, q) in softmax(&scaled).iter().enumerate() {
            match drawn.iter_mut().find(|(action, _)| *action == first(p)) {
                Some((_, sum)) => *sum += q,
                None => drawn.push((first(p), *q)),
            }
        }
        (action, gap, drawn)
    };
    let probabilities = if arguments.stochastic { drawn } else { vec![(action.clone(), 1.0)] };
    Choice { action, gap, probabilities }
}
