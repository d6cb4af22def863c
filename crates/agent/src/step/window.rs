//! The past of a block: what it observed and did at the earlier steps of its windows.
//!
//! All lanes of a block have windows of the same length, so none is padded.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Real, Simd};

use super::scratch::Scratch;
use super::states::{gather_groups, gather_likelihood};
use crate::compiled::sequence::Window;
use crate::{CompiledModel, Dialect, Result};

/// The past of a block; all empty where states are inferred from the present alone.
#[derive(Debug)]
pub(crate) struct WindowScratch<T: Real> {
    /// Past steps of the block's window.
    pub(super) steps: usize,
    /// Past actions that were set; the one that led to the present is not among them.
    pub(super) acted: usize,
    /// The outcome of every past step, modality and lane.
    outcomes: Vec<[i32; LANES]>,
    /// Soft observations by past step, all modalities one after another.
    soft: Array<Lane<T>>,
    /// The action of every past step, factor and lane.
    pub(super) actions: Vec<[u32; LANES]>,
    /// Evidence of all groups, by step.
    pub(super) evidence: Array<Lane<T>>,
}

impl<T: Real> WindowScratch<T> {
    pub(super) fn new(
        model: &CompiledModel<T>,
        window: Window,
        memory: &SharedResource,
    ) -> Result<Self> {
        let rows = |len| Array::zeroed(memory, len);
        let steps = if model.sequence.is_some() { window.observations + 1 } else { 0 };
        let past = steps.saturating_sub(1);
        let evidence: usize = model.groups.iter().map(|group| group.joint).sum();
        Ok(Self {
            steps: 0,
            acted: 0,
            outcomes: vec![[-1; LANES]; past * model.outcomes.len()],
            soft: rows(past * model.outcomes.iter().sum::<usize>())?,
            actions: vec![[0; LANES]; window.actions * model.states.len()],
            evidence: rows(steps * evidence)?,
        })
    }
}

impl<T: Real> CompiledModel<T> {
    /// Whether states are inferred from a window, so that agents keep some of their past.
    pub fn infers_windows(&self) -> bool {
        self.sequence.is_some()
    }

    /// What of its past an agent keeps over a run of `steps` steps (any number: `None`); nothing,
    /// where states are inferred from the present alone.
    ///
    /// # Errors
    ///
    /// The window is the whole run, and nobody knows how long that is.
    pub fn window(&self, steps: Option<u64>) -> Result<Window> {
        self.sequence.map_or(Ok(Window::default()), |sequence| sequence.window(steps))
    }
}

impl<T: Real> Scratch<T> {
    /// How many past observations and actions the block's windows have; then each of them is set.
    pub fn set_past(&mut self, observations: usize, actions: usize) {
        self.window.steps = observations;
        self.window.acted = actions;
    }

    /// What an agent observed at a past step, by modality; −1 is nothing.
    pub fn past_observed(
        &mut self,
        step: usize,
        lane: usize,
        outcomes: impl IntoIterator<Item = i32>,
    ) {
        let modalities = self.observations.len();
        let rows = &mut self.window.outcomes[step * modalities..];
        for (row, outcome) in rows.iter_mut().zip(outcomes) {
            row[lane] = outcome;
        }
    }

    /// What an agent observed at a past step as distributions, all modalities one after another.
    pub fn past_observed_soft(&mut self, step: usize, lane: usize, outcomes: &[T]) {
        let rows = &mut self.window.soft[step * outcomes.len()..];
        for (row, &p) in rows.iter_mut().zip(outcomes) {
            row[lane] = p;
        }
    }

    /// The action of every factor that an agent took at a past step, the last factor's first.
    pub fn past_took_last_first(
        &mut self,
        step: usize,
        lane: usize,
        actions: impl IntoIterator<Item = u32>,
    ) {
        let factors = self.taken.len();
        let rows = &mut self.window.actions[step * factors..(step + 1) * factors];
        for (row, action) in rows.iter_mut().rev().zip(actions) {
            row[lane] = action;
        }
    }
}

/// The evidence of every step of the window, the present last: log-evidence of all groups, or the
/// joint likelihood (`pymdp-0`).
#[inline(always)]
pub(super) fn gather_window<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    scratch: &mut Scratch<T>,
) {
    let steps = scratch.window.steps;
    let modalities = scratch.observations.len();
    let (size, width) = (scratch.evidence.len(), scratch.soft.len());
    // The present first, whose observations then give way to the past's, and come back.
    for t in (0..=steps).rev() {
        if t < steps {
            let past = &mut scratch.window.outcomes[t * modalities..(t + 1) * modalities];
            scratch.observations.swap_with_slice(past);
            let past = &mut scratch.window.soft[t * width..(t + 1) * width];
            scratch.soft.swap_with_slice(past);
        }
        match model.dialect {
            Dialect::Pymdp1 => gather_groups(simd, model, scratch),
            Dialect::Pymdp0 => gather_likelihood(simd, model, scratch),
        }
        scratch.window.evidence[t * size..(t + 1) * size].copy_from_slice(&scratch.evidence);
        if t < steps {
            let past = &mut scratch.window.outcomes[t * modalities..(t + 1) * modalities];
            scratch.observations.swap_with_slice(past);
            let past = &mut scratch.window.soft[t * width..(t + 1) * width];
            scratch.soft.swap_with_slice(past);
        }
    }
}
