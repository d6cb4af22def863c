//! Sophisticated inference: a tree of policies and outcomes, grown one depth at a time.

use super::filter::{infer, predict};
use super::planning::{predicted_outcomes, state_info_gain, utility};
use super::x_ln_x;
use crate::array::each_index;
use crate::numbers::{dot, softmax};
use crate::problem::{Algorithm, Policy, Problem, Sophisticated};

/// Root −EFE from which the search stops.
const NEG_EFE_STOP: f64 = 1e10;

/// A belief that may be held at some depth, and what follows from it.
#[derive(Clone)]
struct Belief {
    qs: Vec<Vec<f64>>,
    /// Worth of acting on from here; 0 while nothing is known.
    value: f64,
    /// π, a slot a policy and the padding up to `max_branching`; empty before the expansion.
    q_pi: Vec<f64>,
    /// What each slot leads to; None: pruned, or padding.
    branches: Vec<Option<Branch>>,
}

/// A policy under a belief.
#[derive(Clone)]
struct Branch {
    neg_efe: f64,
    /// Each kept combination of outcomes: its probability and the belief after it.
    outcomes: Vec<(f64, Belief)>,
}

impl Belief {
    fn new(qs: Vec<Vec<f64>>) -> Self {
        Belief { qs, value: 0.0, q_pi: Vec::new(), branches: Vec::new() }
    }

    /// Nodes of the tree from here: beliefs and branches.
    fn nodes(&self) -> usize {
        let branch =
            |b: &Branch| 1 + b.outcomes.iter().map(|(_, after)| after.nodes()).sum::<usize>();
        1 + self.branches.iter().flatten().map(branch).sum::<usize>()
    }
}

/// The search's constants.
struct Search<'a> {
    problem: &'a Problem,
    arguments: &'a Sophisticated,
    policies: &'a [Policy],
}

/// The root's posterior over policies.
pub(super) fn search(
    problem: &Problem,
    arguments: &Sophisticated,
    policies: &[Policy],
    qs: &[Vec<f64>],
) -> Vec<f64> {
    let search = Search { problem, arguments, policies };
    let mut root = Belief::new(qs.to_vec());
    for depth in 0..arguments.horizon {
        let mut grown = root.clone();
        // Outcomes beyond `max_branching` are made, counted, and left unlinked.
        let unlinked = search.expand(&mut grown, depth);
        if grown.nodes() + unlinked >= arguments.max_nodes - 1 {
            break;
        }
        search.back_up(&mut grown);
        root = grown;
        let entropy = -root.q_pi.iter().map(|&q| x_ln_x(q)).sum::<f64>();
        if entropy <= arguments.entropy_stop_threshold || root.value >= NEG_EFE_STOP {
            break;
        }
    }
    root.q_pi.resize(arguments.max_branching, 0.0);
    root.q_pi.truncate(policies.len());
    root.q_pi
}

impl Search<'_> {
    /// Expands every live belief `depth` below; returns how many outcomes were left unlinked.
    fn expand(&self, belief: &mut Belief, depth: usize) -> usize {
        if depth > 0 {
            let branches = belief.branches.iter_mut().flatten();
            let below = branches.flat_map(|branch| branch.outcomes.iter_mut());
            return below.map(|(_, after)| self.expand(after, depth - 1)).sum();
        }
        let problem = self.problem;
        let mut unlinked = 0;
        let nexts: Vec<Vec<Vec<f64>>> = self
            .policies
            .iter()
            .map(|policy| predict(&problem.b, &problem.b_dependencies, &belief.qs, &policy[0]))
            .collect();
        let worth =
            |next: &Vec<Vec<f64>>| utility(problem, next, 0) + state_info_gain(problem, next);
        let neg_efe: Vec<f64> = nexts.iter().map(worth).collect();
        let scaled: Vec<f64> = neg_efe.iter().map(|g| self.arguments.gamma * g).collect();
        for (i, q) in softmax(&scaled).iter().enumerate() {
            belief.branches.push((*q > self.arguments.policy_prune_threshold).then(|| {
                let mut outcomes = self.outcomes(&nexts[i]);
                unlinked += outcomes.len().saturating_sub(self.arguments.max_branching);
                outcomes.truncate(self.arguments.max_branching);
                Branch { neg_efe: neg_efe[i], outcomes }
            }));
        }
        belief.branches.resize(self.arguments.max_branching, None);
        unlinked
    }

    /// Combinations of outcomes above the threshold and the beliefs after them: every modality's
    /// outcomes from the most probable down, the last modality fastest.
    fn outcomes(&self, predicted: &[Vec<f64>]) -> Vec<(f64, Belief)> {
        let problem = self.problem;
        let mut sorted: Vec<Vec<(usize, f64)>> = Vec::new();
        for q_o in predicted_outcomes(problem, predicted) {
            let total: f64 = q_o.iter().sum();
            let mut outcomes: Vec<(usize, f64)> =
                q_o.iter().map(|q| q / total).enumerate().collect();
            outcomes.sort_by(|x, y| y.1.total_cmp(&x.1));
            sorted.push(outcomes);
        }
        let shape: Vec<usize> = sorted.iter().map(Vec::len).collect();
        let mut kept = Vec::new();
        each_index(&shape, |index| {
            let chosen: Vec<(usize, f64)> = index.iter().zip(&sorted).map(|(&i, o)| o[i]).collect();
            let probability: f64 = chosen.iter().map(|(_, p)| p).product();
            if probability > self.arguments.observation_prune_threshold {
                let weights: Vec<Vec<f64>> = chosen
                    .iter()
                    .zip(&shape)
                    .map(|((outcome, _), &count)| {
                        (0..count).map(|o| f64::from(u8::from(o == *outcome))).collect()
                    })
                    .collect();
                kept.push((probability, Belief::new(self.posterior(&weights, predicted))));
            }
        });
        kept
    }

    /// The agent's own inference from a predicted belief. In the reference `vmp` is given no past
    /// here and so forgets the belief that it should start from.
    fn posterior(&self, weights: &[Vec<f64>], predicted: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let flat: Vec<Vec<f64>> = predicted.iter().map(|q| vec![1.0; q.len()]).collect();
        let arguments = &self.problem.arguments;
        let prior = if arguments.inference_algo == Algorithm::Vmp { &flat } else { predicted };
        let (a, dependencies) = (&self.problem.a, &self.problem.a_dependencies);
        infer(a, dependencies, weights, prior, arguments.num_iter)
    }

    /// Values from the leaves up; prunes what has become improbable.
    fn back_up(&self, belief: &mut Belief) {
        if belief.branches.is_empty() {
            return;
        }
        let mut worth = Vec::new();
        for branch in &mut belief.branches {
            worth.push(match branch {
                Some(branch) if !branch.outcomes.is_empty() => {
                    let mut sum = branch.neg_efe;
                    for (p, after) in &mut branch.outcomes {
                        self.back_up(after);
                        sum += *p * after.value;
                    }
                    sum
                }
                _ => -self.arguments.prune_penalty,
            });
        }
        let scaled: Vec<f64> = worth.iter().map(|r| self.arguments.gamma * r).collect();
        belief.q_pi = softmax(&scaled);
        belief.value = dot(&belief.q_pi, &worth);
        for (branch, &q) in belief.branches.iter_mut().zip(&belief.q_pi) {
            if q < self.arguments.policy_prune_threshold {
                *branch = None;
            }
        }
    }
}
