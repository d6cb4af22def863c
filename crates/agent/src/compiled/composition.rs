//! What a sequence of actions does to a belief, as one stochastic map.
//!
//! Where B is sparse, many sequences lead to the same map (north then east is east then north), so
//! that a belief reached by one is the belief reached by the other, whatever it was before. Maps are
//! compared entry by entry; their numbers are interned, those within [`ULPS`] of each other being
//! one. So two beliefs that are taken for one differ by rounding only: at most 2^-42 of each entry a
//! step.

use std::collections::{BTreeMap, HashMap};

use super::transition::moves;
use crate::Tensor;

/// How far two numbers may be apart to be one, in units in the last place.
const ULPS: u64 = 1 << 10;

/// The most entries that all maps together may keep; past it, beliefs are no longer compared.
const MOST_ENTRIES: usize = 1 << 23;

/// A stochastic map: for every state before, the states after with their (interned) probabilities.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Composition {
    /// Where each column ends.
    ends: Vec<u32>,
    /// (state after, number), states ascending within a column.
    entries: Vec<(u32, u32)>,
}

impl Composition {
    fn column(&self, state: usize) -> &[(u32, u32)] {
        let start = if state == 0 { 0 } else { self.ends[state - 1] };
        &self.entries[start as usize..self.ends[state] as usize]
    }
}

/// Makes compositions, and counts what they take.
#[derive(Debug, Default)]
pub(super) struct Composer {
    values: Vec<f64>,
    /// Numbers by their bits, which ascend as non-negative numbers do.
    known: BTreeMap<u64, u32>,
    /// What each action of a factor does.
    steps: HashMap<(usize, usize), Composition>,
    kept: usize,
}

impl Composer {
    /// The map that changes nothing.
    pub(super) fn identity(&mut self, states: usize) -> Composition {
        let one = self.number(1.0);
        Composition {
            ends: (1..=states as u32).collect(),
            entries: (0..states as u32).map(|state| (state, one)).collect(),
        }
    }

    /// `before`, and then `action` of a factor that depends on itself alone; `None` where the maps
    /// have become too large to keep.
    pub(super) fn then(
        &mut self,
        before: &Composition,
        b: &Tensor,
        factor: usize,
        action: usize,
        actions: usize,
    ) -> Option<Composition> {
        if self.kept > MOST_ENTRIES {
            return None;
        }
        if !self.steps.contains_key(&(factor, action)) {
            self.add_steps(b, factor, actions);
        }
        let states = before.ends.len();
        let step = &self.steps[&(factor, action)];
        let mut sums = vec![0.0; states];
        let mut composed = Vec::with_capacity(before.entries.len());
        let mut ends = Vec::with_capacity(states);
        let mut reached: Vec<u32> = Vec::new();
        for state in 0..states {
            for &(middle, p) in before.column(state) {
                for &(next, q) in step.column(middle as usize) {
                    let sum = &mut sums[next as usize];
                    if *sum == 0.0 {
                        reached.push(next);
                    }
                    *sum += self.values[p as usize] * self.values[q as usize];
                }
            }
            reached.sort_unstable();
            reached.dedup();
            composed.extend(
                reached.drain(..).map(|next| (next, std::mem::take(&mut sums[next as usize]))),
            );
            ends.push(composed.len() as u32);
        }
        let entries: Vec<(u32, u32)> =
            composed.into_iter().map(|(next, p)| (next, self.number(p))).collect();
        self.kept += entries.len();
        Some(Composition { ends, entries })
    }

    fn add_steps(&mut self, b: &Tensor, factor: usize, actions: usize) {
        let states = b.rows();
        let mut columns = vec![Vec::new(); actions * states];
        for (action, state, next, p) in moves(b, actions) {
            columns[action * states + state as usize].push((next as u32, self.number(p)));
        }
        for (action, columns) in columns.chunks_exact(states).enumerate() {
            let mut step = Composition { ends: Vec::new(), entries: Vec::new() };
            for column in columns {
                step.entries.extend(column);
                step.ends.push(step.entries.len() as u32);
            }
            self.steps.insert((factor, action), step);
        }
    }

    /// The number that stands for `value` ≥ 0.
    fn number(&mut self, value: f64) -> u32 {
        let bits = value.to_bits();
        let near = bits.saturating_sub(ULPS)..=bits.saturating_add(ULPS);
        if let Some((_, &number)) = self.known.range(near).next() {
            return number;
        }
        let number = self.values.len() as u32;
        self.values.push(value);
        self.known.insert(bits, number);
        number
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn moves_that_commute_compose_to_one_map_and_others_do_not() {
        // Two bits as one factor: an action flips one of them with probability 0.9 (or 0.7).
        let flips = [(1, 0.9), (2, 0.7)];
        let mut values = vec![0.0; 4 * 4 * 2];
        for (action, &(bit, p)) in flips.iter().enumerate() {
            for state in 0..4_usize {
                values[((state ^ bit) * 4 + state) * 2 + action] += p;
                values[(state * 4 + state) * 2 + action] += 1.0 - p;
            }
        }
        let b = Tensor::dense([4, 4, 2], values).unwrap();
        let mut composer = Composer::default();
        let start = composer.identity(4);
        let mut path = |actions: &[usize]| {
            let mut map = start.clone();
            for &action in actions {
                map = composer.then(&map, &b, 0, action, 2).unwrap();
            }
            map
        };
        assert_eq!(path(&[0, 1]), path(&[1, 0]));
        assert_eq!(path(&[0, 0, 1]), path(&[0, 1, 0]));
        assert_ne!(path(&[0, 0]), path(&[1, 1]));
        assert_ne!(path(&[0, 0]), path(&[]));
    }
}
