//! Beliefs of small support: what a step needs to touch their states only.
//!
//! A sparse belief drops q\[s\] ≤ [`Support::threshold`]; a dropped state reads as 0, so that its prior
//! is ε. With structured evidence (weights r ≥ 1 relative to the background) the normaliser is
//! Z ≥ Σ prior, so a state outside the support and without an exception for what was observed gets
//! at most ε/Z, below the threshold: it stays dropped. One with an exception gets ε·r/Z and is
//! brought back. So a step touches the support and the exceptions of the outcomes observed, and
//! answers as the dense one does.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::Real;

use super::likelihood::Structure;
use super::rows::Rows;
use super::transition::{Transition, moves};
use crate::{EPSILON, Model, Result};

/// A model of one factor whose tables are sparse.
#[derive(Debug)]
pub(crate) struct Support<T> {
    /// Row u·S + s holds where action u leads from state s, with what probability.
    pub(crate) columns: Rows<T>,
    /// The states of D, and their probabilities.
    pub(crate) initial_states: Array<u32>,
    pub(crate) initial_values: Array<T>,
    /// Every move leads to one state.
    pub(crate) certain: bool,
    /// The most states that one observation can bring back.
    brought_back: usize,
    pub(crate) states: usize,
}

/// The most entries a column of B may have on average for the sparse step to pay.
const MOST_ENTRIES_A_COLUMN: usize = 8;

/// A sparse belief in precision `T` drops what is at most this: 4ε in f64, 1e-12 in f32.
pub(crate) fn threshold<T: Real>() -> f64 {
    if size_of::<T>() == size_of::<f64>() { 4.0 * EPSILON } else { 1e-12 }
}

impl<T: Real> Support<T> {
    pub(super) fn compile(
        model: &Model,
        transitions: &[Transition<T>],
        structures: &[Option<Structure>],
        memory: &SharedResource,
    ) -> Result<Option<Self>> {
        let [transition] = transitions else { return Ok(None) };
        let structures: Option<Vec<&Structure>> = structures.iter().map(Option::as_ref).collect();
        let (Some(structures), Some(_)) = (structures, transition.sparse()) else {
            return Ok(None);
        };
        let b = &model.b[0];
        let (states, actions) = (transition.states, transition.actions);
        if moves(b, actions).count() > MOST_ENTRIES_A_COLUMN * b.columns() {
            return Ok(None);
        }
        let entries =
            moves(b, actions).map(|(u, s, next, p)| (u * states + s as usize, next as u32, p));
        let columns = Rows::new(memory, actions * states, entries)?;
        let initial = model.d[0].to_f64().into_iter().enumerate();
        let initial: Vec<(usize, f64)> = initial.filter(|&(_, p)| p > threshold::<T>()).collect();
        let initial_states: Vec<u32> = initial.iter().map(|&(s, _)| s as u32).collect();
        let initial_values: Vec<T> = initial.iter().map(|&(_, p)| T::from_f64(p)).collect();
        Ok(Some(Self {
            certain: (0..columns.len()).all(|row| columns.row(row).count() == 1),
            columns,
            initial_states: Array::copied(memory, &initial_states)?,
            initial_values: Array::copied(memory, &initial_values)?,
            brought_back: brought_back::<T>(&structures),
            states,
        }))
    }

    /// The most states that a belief can have after `steps` steps (any number: `None`).
    ///
    /// Certain moves never add a state. One observation adds at most those that it can bring back.
    pub(crate) fn bound(&self, steps: Option<u64>) -> usize {
        if !self.certain {
            return self.states;
        }
        let steps = match (self.brought_back, steps) {
            (0, _) => 0,
            (_, None) => return self.states,
            (_, Some(steps)) => usize::try_from(steps).unwrap_or(usize::MAX),
        };
        let most = steps.saturating_mul(self.brought_back);
        self.initial_states.len().saturating_add(most).min(self.states)
    }
}

/// The most states that an observation brings back: none where even the largest weights leave ε·Πr
/// below the threshold (Z is 1 less what was dropped, hence the margin), else all its exceptions.
fn brought_back<T: Real>(structures: &[&Structure]) -> usize {
    let largest: f64 = structures
        .iter()
        .map(|structure| {
            let ratio = |&(o, _, value): &(usize, u32, f64)| {
                value.max(EPSILON) / structure.background[o].max(EPSILON)
            };
            structure.exceptions.iter().map(ratio).fold(1.0, f64::max)
        })
        .product();
    if EPSILON * largest <= 0.99 * threshold::<T>() {
        return 0;
    }
    let exceptions = |structure: &&Structure| {
        let mut counts = vec![0; structure.background.len()];
        for &(o, ..) in &structure.exceptions {
            counts[o] += 1;
        }
        counts.into_iter().max().unwrap_or(0)
    };
    structures.iter().map(exceptions).sum()
}
