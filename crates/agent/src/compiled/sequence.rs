//! Inference over a window of steps: what it takes, and how much of the past an agent keeps for it.

use crate::{Dialect, Error, InferenceAlgorithm, Model, Result};

/// How states are inferred from a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) passing: Passing,
    /// Steps of the window; all, where there is none.
    horizon: Option<usize>,
    /// How many of the run's first actions are kept, where it is those and not the last ones.
    first_actions: Option<usize>,
}

/// Which messages are passed (SEMANTICS: sequence inference).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    /// `mmp` of `pymdp-1`.
    Marginal,
    /// `vmp`.
    Variational,
    /// `mmp` of `pymdp-0`: marginal messages, over the planned steps too, once a policy.
    ByPolicy,
}

/// What of its past an agent keeps, besides what the present step brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// The most observations.
    pub observations: usize,
    /// The most actions.
    pub actions: usize,
    /// Whether these are the run's first actions, and not its last: so is `mmp` of `pymdp-0` defined
    /// for a window of one step.
    pub first_actions: bool,
}

impl Sequence {
    pub(super) fn of(model: &Model) -> Option<Self> {
        let agent = &model.arguments;
        let passing = match (model.dialect, agent.inference_algo) {
            (Dialect::Pymdp1, InferenceAlgorithm::Mmp) => Passing::Marginal,
            (Dialect::Pymdp1, InferenceAlgorithm::Vmp) => Passing::Variational,
            (Dialect::Pymdp0, InferenceAlgorithm::Mmp) => Passing::ByPolicy,
            _ => return None,
        };
        let single = passing == Passing::ByPolicy && agent.inference_horizon == Some(1);
        Some(Self {
            passing,
            horizon: agent.inference_horizon,
            first_actions: single.then_some(agent.policy_len),
        })
    }

    /// Whether windows that have left the run's first step behind start from a prior of their own.
    pub(crate) fn keeps_prior(&self) -> bool {
        // With a window of one step it is the last belief.
        self.passing == Passing::ByPolicy && self.first_actions.is_none()
    }

    /// What is kept over a run of `steps` steps (any number: `None`).
    ///
    /// The window ends with the present step, and the action that led there is known already: so it
    /// keeps one observation less than its steps, and one action less than that.
    pub(crate) fn window(&self, steps: Option<u64>) -> Result<Window> {
        let steps = steps.map(|steps| usize::try_from(steps).unwrap_or(usize::MAX));
        if let Some(most) = self.first_actions {
            let actions = most.min(steps.unwrap_or(most));
            return Ok(Window { observations: 0, actions, first_actions: true });
        }
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
        let actions = observations.saturating_sub(1);
        Ok(Window { observations, actions, first_actions: false })
    }
}
