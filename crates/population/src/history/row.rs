//! What one agent has of one tick, as numbers of as few bits as they need.
//!
//! ```text
//! outcome + 1 of every modality (0: nothing) | joint action + 1 (0: not stepped)
//!     | summary of the belief in every factor, where asked for
//! ```
//!
//! An agent that was not stepped has zeros.

use crate::chunk::action_codes;
use crate::history::BeliefSummary;
use crate::history::summary::{NUMBERS, SHARE_BITS};

/// How rows are laid out; the same for all agents of a population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    actions: Vec<usize>,
    modalities: usize,
    /// States of every factor; empty where beliefs are not kept.
    states: Vec<usize>,
    /// Bits of every number.
    widths: Vec<u8>,
}

/// Bits that hold the numbers up to `most`.
fn bits_for(most: u64) -> u8 {
    (u64::BITS - most.leading_zeros()) as u8
}

impl Row {
    /// Rows of so many outcomes a modality, actions a factor, and states a factor, the last only where
    /// beliefs are kept. `None` where an outcome, an action or a state needs more than 32 bits.
    ///
    /// ```
    /// use populace_population::history::Row;
    ///
    /// let row = Row::new(&[400], &[5], None).unwrap();
    /// assert_eq!((row.bits(), row.raw_bytes()), (9 + 3, 4 + 4));
    /// ```
    pub fn new(outcomes: &[usize], actions: &[usize], states: Option<&[usize]>) -> Option<Self> {
        let states = states.unwrap_or_default();
        let observed = outcomes.iter().map(|&outcomes| outcomes as u64);
        let code = action_codes(actions)?.checked_sub(1)?;
        let believed = states.iter().flat_map(|&states| {
            let most = (states as u64).saturating_sub(1);
            [bits_for(most), SHARE_BITS, SHARE_BITS]
        });
        let widths: Vec<u8> = observed.chain([code]).map(bits_for).chain(believed).collect();
        widths.iter().all(|&width| width <= 32).then(|| Self {
            actions: actions.to_vec(),
            modalities: outcomes.len(),
            states: states.to_vec(),
            widths,
        })
    }

    /// Bits of a row.
    pub fn bits(&self) -> usize {
        self.widths.iter().map(|&width| usize::from(width)).sum()
    }

    /// What a row takes as numbers of 4 bytes, in bytes.
    pub fn raw_bytes(&self) -> usize {
        let summary = size_of::<BeliefSummary>() * self.states.len();
        size_of::<i32>() * (self.modalities + self.actions.len()) + summary
    }

    /// Whether beliefs are kept.
    pub fn keeps_beliefs(&self) -> bool {
        !self.states.is_empty()
    }

    /// How many modalities and factors an agent has.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.modalities, self.actions.len())
    }

    /// Bits of every number of a row.
    pub(super) fn widths(&self) -> impl Iterator<Item = usize> + '_ {
        self.widths.iter().map(|&width| usize::from(width))
    }

    /// How many numbers a summary of the beliefs has.
    pub(super) fn summary_numbers(&self) -> usize {
        NUMBERS * self.states.len()
    }

    /// States of every factor of which beliefs are kept.
    pub(super) fn states(&self) -> &[usize] {
        &self.states
    }

    /// The number of an action of every factor.
    pub(super) fn action_number(&self, actions: &[i32]) -> u32 {
        let flat = actions
            .iter()
            .zip(&self.actions)
            .fold(0, |code, (&action, &count)| code * count as u32 + action as u32);
        flat + 1
    }

    /// Appends the actions of a number to `actions`; whether it is one of an agent that was stepped.
    pub(super) fn push_actions(&self, number: u32, actions: &mut Vec<i32>) -> bool {
        let Some(mut flat) = number.checked_sub(1) else { return false };
        let start = actions.len();
        for &count in self.actions.iter().rev() {
            let count = (count as u32).max(1);
            actions.push((flat % count) as i32);
            flat /= count;
        }
        actions[start..].reverse();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_come_back_from_their_numbers() {
        let row = Row::new(&[3], &[2, 1, 3], None).unwrap();
        let mut numbers = Vec::new();
        for first in 0..2 {
            for last in 0..3 {
                let actions = [first, 0, last];
                let number = row.action_number(&actions);
                let mut back = vec![7];
                assert!(row.push_actions(number, &mut back));
                assert_eq!(back[1..], actions);
                numbers.push(number);
            }
        }
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
        assert!(!row.push_actions(0, &mut Vec::new()));
    }

    #[test]
    fn what_needs_more_than_32_bits_has_no_row() {
        assert!(Row::new(&[1], &[1 << 16, 1 << 16], None).is_none());
        assert!(Row::new(&[1], &[1 << 33, 1 << 33], None).is_none());
        assert_eq!(Row::new(&[1], &[1 << 16, (1 << 16) - 1], None).unwrap().bits(), 33);
    }
}
