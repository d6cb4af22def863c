//! What random scripts are thrown with, and the agents that have most to lose by them.
#![allow(clippy::unwrap_used)] // tests' helpers

use populace_agent::models::Builtin;
use populace_agent::{ActionSelection, Model};

/// A generator for scripts (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        populace_agent::random::mix(self.0) % sides
    }
}

/// Agents that draw their actions, so that what they draw them with matters.
pub(crate) fn drawing(mut model: Model) -> Model {
    model.arguments.action_selection = ActionSelection::Stochastic;
    model
}

/// Agents that learn where the T-maze's reward is, and how it moves.
pub(crate) fn learning() -> Model {
    let mut model = drawing(Builtin::Tmaze.model().unwrap());
    model.p_a = model.a.clone();
    model.p_b = model.b.clone();
    model.arguments.learn_a = true;
    model.arguments.learn_b = true;
    model.check().unwrap();
    model
}
