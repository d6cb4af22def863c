//! Inference over a window of steps: what it takes, and how much of the past an agent keeps for it.

use crate::{Dialect, Error, InferenceAlgorithm, Model, Result};

/// How states are inferred from a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) passing: Passing,
    /// Steps of the window; all, where there is none.
    horizon: Option<usize>,
}

/// Which messages are passed (SEMANTICS: sequence inference).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    /// `mmp`.
    Marginal,
    /// `vmp`.
    Variational,
}

/// What of its past an agent keeps, besides what the present step brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// The most observations.
    pub observations: usize,
    /// The most actions.
    pub actions: usize,
}

impl Sequence {
    pub(super) fn of(model: &Model) -> Option<Self> {
        let passing = match model.arguments.inference_algo {
            InferenceAlgorithm::Mmp => Passing::Marginal,
            InferenceAlgorithm::Vmp => Passing::Variational,
            _ => return None,
        };
        if model.dialect == Dialect::Pymdp0 {
            return None;
        }
        Some(Self { passing, horizon: model.arguments.inference_horizon })
    }

    /// What is kept over a run of `steps` steps (any number: `None`).
    ///
    /// The window ends with the present step, and the action that led there is known already: so it
    /// keeps one observation less than its steps, and one action less than that.
    pub(crate) fn window(&self, steps: Option<u64>) -> Result<Window> {
        let steps = steps.map(|steps| usize::try_from(steps).unwrap_or(usize::MAX));
        let most = match (self.horizon, steps) {
            (Some(horizon), Some(steps)) => horizon.min(steps),
            (Some(most), None) | (None, Some(most)) => most,
            (None, None) => {
                return Err(Error::unsupported(
                    "agent.inference_horizon: a run of any number of steps needs one",
                ));
            }
        };
        let observations = most.saturating_sub(1);
        Ok(Window { observations, actions: observations.saturating_sub(1) })
    }
}
