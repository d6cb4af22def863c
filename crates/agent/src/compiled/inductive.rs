//! Inductive inference: how far the goal is, by state.
//!
//! ```text
//! I\[0\] = H,   I\[k + 1\]\[s\] = 1 if an action leads from s into I\[k\] with more than the threshold, else 0
//! ```
//!
//! From a state s that any row holds, a path leads to the goal, and the next row to reach is that
//! before the first which holds s. What is predicted outside of it costs ln ε_ind a step.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::Real;

use super::transition::moves;
use crate::{EPSILON, Model, Result};

/// The paths of one factor to its goal.
#[derive(Debug)]
pub(crate) struct Paths<T> {
    /// cost\[k·S + s\] = ln ε_ind · (1 − I\[k\]\[s\]).
    costs: Array<T>,
    /// The row to reach next, from each state.
    targets: Array<u32>,
    /// Whether a path leads from each state (1 or 0; between, where H is between).
    available: Array<T>,
}

/// The rows of I, (depth, S), from the goal and the moves (from, to) above the threshold.
///
/// Only the moves come in: agents that learn B have their own.
pub(crate) fn reachability(goal: &[f64], depth: usize, moves: &[(usize, usize)]) -> Vec<Vec<f64>> {
    let mut rows = vec![goal.to_vec()];
    while rows.len() < depth {
        let last = &rows[rows.len() - 1];
        let mut row = vec![0.0; goal.len()];
        for &(from, to) in moves {
            if last[to] > 0.0 {
                row[from] = 1.0;
            }
        }
        rows.push(row);
    }
    rows
}

impl<T: Real> Paths<T> {
    /// The paths of every factor; none without inductive inference.
    pub(super) fn compile(model: &Model, memory: &SharedResource) -> Result<Vec<Self>> {
        if !model.arguments.use_inductive {
            return Ok(Vec::new());
        }
        (0..model.factors()).map(|factor| Self::of(model, factor, memory)).collect()
    }

    fn of(model: &Model, factor: usize, memory: &SharedResource) -> Result<Self> {
        let arguments = &model.arguments;
        let likely = |&(.., p): &(usize, u32, usize, f64)| p > arguments.inductive_threshold;
        let moves: Vec<(usize, usize)> = moves(&model.b[factor], model.actions_of(factor))
            .filter(likely)
            .map(|(_, from, to, _)| (from as usize, to))
            .collect();
        let goal = model.h[factor].to_f64();
        let states = goal.len();
        let rows = reachability(&goal, arguments.inductive_depth, &moves);
        let cost = arguments.inductive_epsilon.max(EPSILON).ln();
        let costs: Vec<T> =
            rows.iter().flatten().map(|&held| T::from_f64(cost * (1.0 - held))).collect();
        let (mut targets, mut available) = (vec![0_u32; states], vec![T::ZERO; states]);
        for state in 0..states {
            let column = || rows.iter().map(|row| row[state]);
            let most = column().fold(0.0, f64::max);
            let first = column().position(|held| held == most).unwrap_or(0);
            targets[state] = first.saturating_sub(1) as u32;
            available[state] = T::from_f64(column().sum::<f64>().clamp(0.0, 1.0));
        }
        Ok(Self {
            costs: Array::copied(memory, &costs)?,
            targets: Array::copied(memory, &targets)?,
            available: Array::copied(memory, &available)?,
        })
    }

    /// What each predicted state is worth to every lane, from its most probable present state.
    pub(crate) fn worth(&self, present: &[Lane<T>], out: &mut [Lane<T>]) {
        let states = self.targets.len();
        for lane in 0..LANES {
            let mut here = 0;
            for (state, q) in present.iter().enumerate() {
                if q[lane] > present[here][lane] {
                    here = state;
                }
            }
            let costs = &self.costs[self.targets[here] as usize * states..][..states];
            for (out, &cost) in out.iter_mut().zip(costs) {
                out[lane] = self.available[here] * cost;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_hold_what_leads_to_the_goal() {
        // A ring of four: 0 → 1 → 2 → 3 → 0, the goal at 2.
        let moves = [(0, 1), (1, 2), (2, 3), (3, 0)];
        let rows = reachability(&[0.0, 0.0, 1.0, 0.0], 3, &moves);
        assert_eq!(rows[1], [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(rows[2], [1.0, 0.0, 0.0, 0.0]);
    }
}
