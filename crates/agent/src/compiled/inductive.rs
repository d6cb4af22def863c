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
    /// H.
    goal: Array<T>,
    depth: usize,
    threshold: T,
    /// ln ε_ind.
    cost: T,
}

/// The rows of I, (depth, S), from the goal and the moves (from, to) above the threshold.
///
/// Agents that learn B have their own: [`Paths::worth_learnt`].
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
            goal: Array::copied(memory, &goal.iter().map(|&h| T::from_f64(h)).collect::<Vec<_>>())?,
            depth: rows.len(),
            threshold: T::from_f64(arguments.inductive_threshold),
            cost: T::from_f64(cost),
        })
    }

    /// How many rows I has.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// What each predicted state is worth to every lane, from its most probable present state.
    pub(crate) fn worth(&self, present: &[Lane<T>], out: &mut [Lane<T>]) {
        let states = self.targets.len();
        for lane in 0..LANES {
            let here = likeliest(present, lane);
            let costs = &self.costs[self.targets[here] as usize * states..][..states];
            for (out, &cost) in out.iter_mut().zip(costs) {
                out[lane] = self.available[here] * cost;
            }
        }
    }

    /// As [`Paths::worth`], where every lane has its own B, (U, S', S): the rows of I are found anew,
    /// in `out` behind the worth of the states.
    pub(crate) fn worth_learnt(&self, present: &[Lane<T>], b: &[Lane<T>], out: &mut [Lane<T>]) {
        let states = self.targets.len();
        let (out, rows) = out.split_at_mut(states);
        for (row, &goal) in rows.iter_mut().zip(self.goal.iter()) {
            *row = Lane([goal; LANES]);
        }
        for level in 1..self.depth {
            let (before, now) = rows.split_at_mut(level * states);
            let (before, now) = (&before[(level - 1) * states..], &mut now[..states]);
            now.fill(Lane([T::ZERO; LANES]));
            for (place, from) in b.chunks_exact(states).enumerate() {
                let reached = &before[place % states];
                for (now, p) in now.iter_mut().zip(from) {
                    for lane in 0..LANES {
                        if reached[lane] > T::ZERO && p[lane] > self.threshold {
                            now[lane] = T::ONE;
                        }
                    }
                }
            }
        }
        for lane in 0..LANES {
            let here = likeliest(present, lane);
            let (mut first, mut sum) = (0, T::ZERO);
            for level in 0..self.depth {
                let held = rows[level * states + here][lane];
                sum += held;
                if held > rows[first * states + here][lane] {
                    first = level;
                }
            }
            let available = if sum > T::ONE { T::ONE } else { sum };
            let target = first.saturating_sub(1) * states;
            for (out, held) in out.iter_mut().zip(&rows[target..target + states]) {
                out[lane] = available * (self.cost * (T::ONE - held[lane]));
            }
        }
    }
}

/// The most probable state of a lane, the lowest of equals: where moves are certain, states are often
/// equally probable but for rounding.
fn likeliest<T: Real>(present: &[Lane<T>], lane: usize) -> usize {
    let margin = T::from_f64(if T::SINGLE { 1.0 + 1e-6 } else { 1.0 + 1e-12 });
    let mut here = 0;
    for (state, q) in present.iter().enumerate() {
        if q[lane] > present[here][lane] * margin {
            here = state;
        }
    }
    here
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
