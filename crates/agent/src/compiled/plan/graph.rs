//! First actions without enumeration: a graph of beliefs, weighed from its end.
//!
//! A node is (depth, beliefs of all factors); its edges are the joint actions of a step, in the
//! order of enumeration. What an edge is worth, g, depends on the beliefs at its ends and on its depth, so
//! with a prior over policies that is a product over steps, ln E(π) = Σ_t h_t(a_t), the policies
//! through a node weigh together what follows from the node alone:
//!
//! ```text
//! L(node) = ln Σ_edges exp(γ·g + h + L(end)),   L = 0 at the last depth
//! ```
//!
//! and exp(γ·g + h + L(end)) over the edges of the present node is, but for its sum, the marginal
//! of softmax(γ·G + ln E) over first actions. Where whole policies are chosen, the best policy's
//! first action comes of the same recursion with max for ln Σ exp, and that of a policy drawn from
//! softmax(α·ln q_π) of the same recursion with α·γ and α·h.

use std::collections::HashMap;

use populace_tensor::simd::Real;

use super::draft::{Draft, Place};
use super::{Answers, Drafted, Planner};
use crate::compiled::program::{Request, Value};
use crate::{ActionSelection, EPSILON, Error, Model, Result, SamplingMode};

/// Up to so many policies are enumerated, whatever is asked for: it costs nothing worth merging.
const FEW: usize = 128;

/// The most edges that a graph may have.
const MOST_EDGES: usize = 1 << 20;

/// How far ln E may be from a sum over steps.
const HABIT_TOLERANCE: f64 = 1e-12;

/// How much of the probability of a draw may come from policies below ε, which the definition lifts
/// to ε and the graph does not.
const CLIPPED_TOLERANCE: f64 = 1e-12;

/// ln E as a sum over steps, h\[step\]\[joint action\], where the graph is the planner to take.
pub(super) fn habits(model: &Model, answers: Answers) -> Option<Vec<Vec<f64>>> {
    let arguments = &model.arguments;
    if !model.has_first_actions() {
        return None;
    }
    let actions: usize = model.num_controls.iter().product();
    let uniform = || vec![vec![0.0; actions]; arguments.policy_len];
    let Ok(policies) = model.policy_count() else { return Some(uniform()) };
    match answers {
        Answers::Policies => return None,
        Answers::Actions if policies <= FEW => return None,
        Answers::Actions | Answers::FirstActions => {}
    }
    let whole = arguments.sampling_mode == SamplingMode::Full;
    if whole && arguments.action_selection == ActionSelection::Stochastic {
        // The best policy has at least 1/P, so those below ε have at most this share of the draw.
        let share = policies as f64 * (EPSILON * policies as f64).powf(arguments.alpha);
        if !(arguments.alpha > 0.0 && share <= CLIPPED_TOLERANCE) {
            return None;
        }
    }
    match &model.e {
        Some(e) => {
            let ln_e: Vec<f64> = e.iter().map(|&e| model.dialect.ln(e)).collect();
            factorised(&ln_e, actions, arguments.policy_len)
        }
        None => Some(uniform()),
    }
}

/// h with Σ_t h\[t\]\[a_t\] = ln E for every policy, or `None` where there is no such h.
fn factorised(ln_e: &[f64], actions: usize, steps: usize) -> Option<Vec<Vec<f64>>> {
    // A policy's index is a number of `steps` digits, the first step's the highest.
    let place = |step: usize| actions.pow((steps - 1 - step) as u32);
    let habits: Vec<Vec<f64>> = (0..steps)
        .map(|step| (0..actions).map(|action| ln_e[action * place(step)] - ln_e[0]).collect())
        .collect();
    let fits = ln_e.iter().enumerate().all(|(policy, &ln_e_of)| {
        let digits = habits.iter().enumerate();
        let sum: f64 = digits.map(|(t, h)| h[policy / place(t) % actions]).sum();
        (sum + ln_e[0] - ln_e_of).abs() <= HABIT_TOLERANCE * ln_e_of.abs().max(1.0)
    });
    fits.then_some(habits)
}

/// A step from a node: what it is worth, and the node it leads to.
#[derive(Clone, Copy)]
struct Edge {
    score: Value,
    to: usize,
}

/// The edges of every node of every depth.
type Edges = Vec<Vec<Vec<Edge>>>;

/// Drafts the weights of first actions; `steps` are the joint actions, `habits` their share of ln E.
pub(super) fn draft<T: Real>(
    draft: &mut Draft<'_, T>,
    model: &Model,
    steps: &[Vec<u32>],
    habits: &[Vec<f64>],
) -> Result<Drafted> {
    let edges = forward(draft, steps, habits.len())?;
    let (gamma, alpha) = (model.arguments.gamma, model.arguments.alpha);
    let mut constants = Constants::default();
    let mut weigh = |combine, power: f64| {
        backward(draft, &edges, habits, &mut constants, combine, gamma * power, power)
    };
    let scores = weigh(Combine::Sum, 1.0);
    let choice = match (model.arguments.sampling_mode, model.arguments.action_selection) {
        (SamplingMode::Marginal, _) => Vec::new(),
        (SamplingMode::Full, ActionSelection::Deterministic) => weigh(Combine::Best, 1.0),
        (SamplingMode::Full, ActionSelection::Stochastic) => weigh(Combine::Sum, alpha),
    };
    Ok(Drafted {
        planner: Planner::Graph,
        ln_habit: vec![0.0; scores.len()],
        scores,
        choice,
        constants: constants.values,
        first_actions: steps.concat(),
    })
}

/// Finds the nodes of every depth from those of the one before.
fn forward<T: Real>(
    draft: &mut Draft<'_, T>,
    steps: &[Vec<u32>],
    policy_len: usize,
) -> Result<Edges> {
    let mut edges: Edges = Vec::new();
    let mut level = vec![draft.roots()];
    let mut count = 0_usize;
    for depth in 0..policy_len {
        count = count.saturating_add(level.len().saturating_mul(steps.len()));
        if count > MOST_EDGES {
            return Err(Error::unsupported(format!(
                "agent.policy_len: {policy_len} steps lead to too many beliefs: more than \
                 {MOST_EDGES} moves between them by step {}",
                depth + 1
            )));
        }
        let place = Place { depth, last: depth + 1 == policy_len };
        let mut next: Vec<Vec<Value>> = Vec::new();
        let mut index: HashMap<Vec<Value>, usize> = HashMap::new();
        let mut leaving = Vec::with_capacity(level.len());
        for beliefs in &level {
            let mut edges = Vec::with_capacity(steps.len());
            for actions in steps {
                let step = draft.step(beliefs, actions, place)?;
                let score = draft.score(step.terms);
                let to = *index.entry(step.beliefs).or_insert_with_key(|beliefs| {
                    next.push(beliefs.clone());
                    next.len() - 1
                });
                edges.push(Edge { score, to });
            }
            leaving.push(edges);
        }
        edges.push(leaving);
        level = next;
    }
    Ok(edges)
}

/// What the edges of a node amount to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Combine {
    Sum,
    Best,
}

/// The logarithmic weights of the first edges, with G scaled by `scale` and ln E by `power`.
fn backward<T: Real>(
    draft: &mut Draft<'_, T>,
    edges: &Edges,
    habits: &[Vec<f64>],
    constants: &mut Constants,
    combine: Combine,
    scale: f64,
    power: f64,
) -> Vec<Value> {
    let scale = constants.index(scale);
    let mut futures: Vec<Value> = Vec::new();
    for (depth, (nodes, habits)) in edges.iter().zip(habits).enumerate().rev() {
        let habits: Vec<usize> = habits.iter().map(|h| constants.index(h * power)).collect();
        let mut now = Vec::with_capacity(nodes.len());
        for edges in nodes {
            let weights = edges.iter().zip(&habits).map(|(edge, &habit)| {
                let future = futures.get(edge.to).copied();
                draft.emitted(Request::Weight { scale, habit, score: edge.score, future })
            });
            let terms: Vec<Value> = weights.collect();
            if depth == 0 {
                return terms;
            }
            now.push(match (combine, &terms[..]) {
                (_, &[only]) => only,
                (Combine::Sum, _) => draft.emitted(Request::LogSumExp { terms }),
                (Combine::Best, _) => draft.emitted(Request::Max { terms }),
            });
        }
        futures = now;
    }
    Vec::new()
}

/// Numbers that a program names, each once.
#[derive(Default)]
struct Constants {
    values: Vec<f64>,
}

impl Constants {
    fn index(&mut self, value: f64) -> usize {
        let same = |known: &f64| known.to_bits() == value.to_bits();
        self.values.iter().position(same).unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_habit_is_factorised_where_it_is_a_product_and_only_there() {
        let (first, second) = ([0.2, 0.8], [0.5, 0.5]);
        let product: Vec<f64> = first.iter().flat_map(|a| second.map(|b| a * b)).collect();
        let habits = factorised(&product, 2, 2).unwrap();
        assert!((habits[0][1] - 4_f64.ln()).abs() < 1e-12);
        assert_eq!(habits[1], [0.0, 0.0]);
        assert_eq!(factorised(&[0.1, 0.2, 0.3, 0.4], 2, 2), None);
        assert_eq!(factorised(&[0.0, 0.5, 0.5, 0.0], 2, 2), None);
    }
}
