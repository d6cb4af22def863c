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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Dialect;

    /// Policies of two factors and two steps; the first two begin alike.
    fn policies() -> Vec<Policy> {
        let policy = |first: [usize; 2], second: [usize; 2]| vec![first.to_vec(), second.to_vec()];
        vec![policy([0, 1], [0, 0]), policy([0, 1], [1, 1]), policy([1, 1], [0, 0])]
    }

    fn chosen(q_pi: &[f64], marginal: bool, stochastic: bool) -> Choice {
        let arguments =
            Arguments { marginal, stochastic, alpha: 2.0, ..Arguments::new(Dialect::Pymdp1) };
        choose(q_pi, &policies(), &[2, 2], &arguments, f64::ln)
    }

    #[test]
    fn full_takes_the_best_policy_and_marginal_the_best_sum() {
        let full = chosen(&[0.3, 0.3, 0.4], false, false);
        assert_eq!((full.action, full.probabilities.len()), (vec![1, 1], 1));
        assert!((full.gap - 0.1).abs() < 1e-15);
        let marginal = chosen(&[0.3, 0.3, 0.4], true, false);
        assert_eq!(marginal.action, [0, 1]);
        assert!((marginal.gap - 0.2).abs() < 1e-15);
    }

    #[test]
    fn drawn_actions_have_their_exact_probabilities() {
        let squares = 0.09 + 0.09 + 0.16;
        let full = chosen(&[0.3, 0.3, 0.4], false, true).probabilities;
        assert_eq!(full[0].0, [0, 1]);
        assert!((full[0].1 - 0.18 / squares).abs() < 1e-15);
        let marginal = chosen(&[0.3, 0.3, 0.4], true, true).probabilities;
        let p = |action: [i32; 2]| marginal.iter().find(|(a, _)| *a == action).map(|(_, p)| *p);
        assert!((p([0, 1]).unwrap_or(0.0) - 0.36 / 0.52).abs() < 1e-15);
        assert_eq!(p([0, 0]), Some(0.0));
    }
}
