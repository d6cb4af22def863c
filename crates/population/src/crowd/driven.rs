//! The worlds of a crowd: none at all between its steps, and what the caller says during one.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::{Environment, Moment};

/// No world at all: what an agent observes comes with the step.
pub(super) struct Outside {
    /// Whether that will be distributions.
    pub(super) soft: bool,
}

impl Environment for Outside {
    fn state_bytes(&self) -> usize {
        0
    }

    fn begin(&self, _seed: u64, _agents: Range<u64>, _states: &mut [u8]) {}

    fn observe(&self, _: Moment, _: Range<u64>, _states: &mut [u8], observations: &mut [i32]) {
        observations.fill(-1);
    }

    fn is_soft(&self) -> bool {
        self.soft
    }

    fn act(&self, _: Moment, _: Range<u64>, _states: &mut [u8], _actions: &mut [i32]) {}
}

/// What all agents observe in a step, row-major, `width` numbers an agent.
#[derive(Clone, Copy)]
pub(super) enum Observed<'a> {
    Outcomes { rows: &'a [i32], width: usize },
    Soft { rows: &'a [f64], width: usize },
}

/// The world of one step: what the caller says, and where it wants the answer.
pub(super) struct Driven<'a> {
    observed: Observed<'a>,
    /// Held for the copy of one chunk's actions.
    actions: Mutex<&'a mut [i32]>,
    factors: usize,
}

impl<'a> Driven<'a> {
    pub(super) fn new(observed: Observed<'a>, actions: &'a mut [i32], factors: usize) -> Self {
        Self { observed, actions: Mutex::new(actions), factors }
    }
}

impl Environment for Driven<'_> {
    fn state_bytes(&self) -> usize {
        0
    }

    fn begin(&self, _seed: u64, _agents: Range<u64>, _states: &mut [u8]) {}

    fn observe(&self, _: Moment, agents: Range<u64>, _: &mut [u8], observations: &mut [i32]) {
        if let Observed::Outcomes { rows, width } = self.observed {
            let start = agents.start as usize * width;
            observations.copy_from_slice(&rows[start..start + observations.len()]);
        }
    }

    fn observe_soft(&self, _: Moment, agents: Range<u64>, observations: &mut [f64]) -> bool {
        let Observed::Soft { rows, width } = self.observed else { return false };
        let rows = &rows[agents.start as usize * width..agents.end as usize * width];
        observations[..rows.len()].copy_from_slice(rows);
        true
    }

    fn is_soft(&self) -> bool {
        matches!(self.observed, Observed::Soft { .. })
    }

    fn act(&self, _: Moment, agents: Range<u64>, _states: &mut [u8], actions: &mut [i32]) {
        let start = agents.start as usize * self.factors;
        let mut chosen = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        chosen[start..start + actions.len()].copy_from_slice(actions);
    }
}
