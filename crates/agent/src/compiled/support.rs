//! Beliefs of small support: what a step needs to touch their states only.
//!
//! A sparse belief drops q\[s\] up to a threshold; a dropped state reads as 0, so that its prior is ε.
//! With structured evidence (weights r ≥ 1 relative to the background) the normaliser is Z ≥ Σ prior,
//! so a state outside the support gets ε/Z, or ε·r/Z where what was observed makes an exception of it:
//! that one is brought back. So a step touches the support and the exceptions of the outcomes observed,
//! and answers as the dense one does.
//!
//! That is so while ε/Z is far below ε: what moves from dropped states into one state is then lost in
//! the ε that its prior has at least. After an observation that says little, or contradicts what was
//! believed, it is not (two states of ε each that become one have 2ε, and a later contradiction shows
//! the difference), and all states are kept, from [`OUTSIDE`] on.
//!
//! The threshold is 1e-30: small masses decide what an observation brings back that contradicts
//! everything larger. (Of 1,500 random models 28 had wrong answers with 4ε, none with 1e-30.) Models
//! are *closed* where even the largest weights leave ε·Πr below 1e-12: there no observation brings
//! anything back that matters. In f32 their threshold is 1e-12, so that a belief that moves with
//! certainty never grows; in f64 all states are kept where nothing was observed at all.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::Real;

use super::likelihood::Structure;
use super::rows::{Entry, Rows};
use super::sequence::Sequence;
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
    /// What the states outside a belief may have without being kept; if nothing was observed, and else.
    outside: [f64; 2],
    /// The most states that one observation can bring back; `None` where it may be all.
    brought_back: Option<usize>,
    pub(crate) states: usize,
}

/// The most entries a column of B may have on average for the sparse step to pay.
const MOST_ENTRIES_A_COLUMN: usize = 8;

/// The threshold of models that may bring states back.
const THRESHOLD: f64 = 1e-30;

/// From here on what each state outside the support has is kept: ε·1e-12.
const OUTSIDE: f64 = 1e-28;

/// The threshold of single precision where nothing can be brought back over it.
const CLOSED_THRESHOLD: f64 = 1e-12;

/// What a sparse belief of a model drops.
pub(super) fn threshold<T: Real>(structures: &[Option<Structure>]) -> f64 {
    if T::SINGLE && closed(structures) { CLOSED_THRESHOLD } else { THRESHOLD }
}

/// Whether even the largest weights leave a state that was dropped below [`CLOSED_THRESHOLD`]. (Z
/// is 1 less what was dropped, hence the margin.)
fn closed(structures: &[Option<Structure>]) -> bool {
    let largest = |structure: &Option<Structure>| match structure {
        None => 1.0 / EPSILON,
        Some(structure) => {
            let ratio =
                |&(o, _, value): &Entry| value.max(EPSILON) / structure.background[o].max(EPSILON);
            structure.exceptions.iter().map(ratio).fold(1.0, f64::max)
        }
    };
    EPSILON * structures.iter().map(largest).product::<f64>() <= 0.99 * CLOSED_THRESHOLD
}

impl<T: Real> Support<T> {
    pub(super) fn compile(
        model: &Model,
        transitions: &[Transition<T>],
        structures: &[Option<Structure>],
        threshold: f64,
        memory: &SharedResource,
    ) -> Result<Option<Self>> {
        let [transition] = transitions else { return Ok(None) };
        if Sequence::of(model).is_some() {
            return Ok(None);
        }
        let known: Option<Vec<&Structure>> = structures.iter().map(Option::as_ref).collect();
        let (Some(known), Some(_)) = (known, transition.sparse()) else {
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
        let initial: Vec<(usize, f64)> = initial.filter(|&(_, p)| p > threshold).collect();
        let initial_states: Vec<u32> = initial.iter().map(|&(s, _)| s as u32).collect();
        let initial_values: Vec<T> = initial.iter().map(|&(_, p)| T::from_f64(p)).collect();
        let closed = closed(structures);
        Ok(Some(Self {
            certain: columns.one_each() && columns.values().iter().all(|&p| p == T::ONE),
            columns,
            initial_states: Array::copied(memory, &initial_states)?,
            initial_values: Array::copied(memory, &initial_values)?,
            outside: match (closed, T::SINGLE) {
                (true, true) => [f64::INFINITY; 2],
                (true, false) => [OUTSIDE, f64::INFINITY],
                (false, _) => [OUTSIDE; 2],
            },
            brought_back: match (closed, T::SINGLE) {
                (true, true) => Some(0),
                (true, false) => Some(exceptions(&known)),
                (false, _) => None,
            },
            states,
        }))
    }

    /// Whether the states outside a belief are kept that have `q` each; `blind` if nothing was observed.
    #[inline(always)]
    pub(crate) fn keeps_outside(&self, q: f64, blind: bool) -> bool {
        q > self.outside[usize::from(!blind)]
    }

    /// The most states that a belief can have after `steps` steps (any number, or some in which nothing
    /// is observed: `None`).
    ///
    /// Certain moves never add a state. One observation adds at most those that it can bring back.
    pub(crate) fn bound(&self, steps: Option<u64>) -> usize {
        let Some(brought_back) = self.brought_back.filter(|_| self.certain) else {
            return self.states;
        };
        let steps = match (brought_back, steps) {
            (0, _) => 0,
            (_, None) => return self.states,
            (_, Some(steps)) => usize::try_from(steps).unwrap_or(usize::MAX),
        };
        let most = steps.saturating_mul(brought_back);
        self.initial_states.len().saturating_add(most).min(self.states)
    }
}

/// The most exceptions of one observation.
fn exceptions(structures: &[&Structure]) -> usize {
    let most = |structure: &&Structure| {
        let mut counts = vec![0; structure.background.len()];
        for &(o, ..) in &structure.exceptions {
            counts[o] += 1;
        }
        counts.into_iter().max().unwrap_or(0)
    };
    structures.iter().map(most).sum()
}
