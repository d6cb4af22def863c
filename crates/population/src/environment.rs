//! The world: actions in, observations out, for a range of agents at a time.

use std::ops::Range;

/// When something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The seed of the run.
    pub seed: u64,
    /// The tick, from 0.
    pub tick: u64,
}

/// A world that agents live in.
///
/// What differs between agents is in their own state, [`Environment::state_bytes`] bytes each, which
/// the population keeps; the environment itself does not change. So ranges may be stepped in any
/// order, by any thread.
pub trait Environment: Send + Sync {
    /// How many bytes of state an agent has in this world.
    fn state_bytes(&self) -> usize;

    /// Puts agents into the world.
    fn begin(&self, seed: u64, agents: Range<u64>, states: &mut [u8]);

    /// What the agents observe: `observations` is (agents, modalities); −1 is nothing.
    fn observe(
        &self,
        moment: Moment,
        agents: Range<u64>,
        states: &mut [u8],
        observations: &mut [i32],
    );

    /// What the agents observe as distributions, where they do: `observations` is (agents, outcomes
    /// of all modalities).
    fn observe_soft(
        &self,
        _moment: Moment,
        _agents: Range<u64>,
        _observations: &mut [f64],
    ) -> bool {
        false
    }

    /// Whether [`Environment::observe_soft`] is what the agents observe.
    fn is_soft(&self) -> bool {
        false
    }

    /// What the agents' actions do: `actions` is (agents, factors), flat per factor. An environment
    /// may put other actions there: those that were really taken.
    fn act(&self, moment: Moment, agents: Range<u64>, states: &mut [u8], actions: &mut [i32]);
}
