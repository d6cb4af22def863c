//! What a run is given besides its model.

use std::path::PathBuf;

use populace_agent::Precision;
use populace_pool::Budget;
use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::record::MOST_MASS;
use crate::{Error, Result};

/// How beliefs are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Belief {
    /// Sparse where the support is small, dense where it is not; per agent, as beliefs change.
    #[default]
    Auto,
    /// Every state's probability.
    Dense,
    /// The states above a threshold far below what can matter, and their probabilities.
    Sparse,
    /// As `Auto`, probabilities in half precision: off by a thousandth at most where they matter.
    F16,
    /// As `Auto`, probabilities in eight bits: off by two hundredths where they matter most.
    Log8,
}

impl Belief {
    /// Whether beliefs that are stored so can be demoted to `lower` ([`Settings::demote`]).
    ///
    /// ```
    /// use populace_population::Belief;
    ///
    /// assert!(Belief::Auto.demotes_to(Belief::F16) && !Belief::Log8.demotes_to(Belief::F16));
    /// ```
    pub fn demotes_to(self, lower: Self) -> bool {
        match self {
            Self::Auto | Self::Dense | Self::Sparse => matches!(lower, Self::F16 | Self::Log8),
            Self::F16 => lower == Self::Log8,
            Self::Log8 => false,
        }
    }
}

/// The settings of a population.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How many agents.
    pub agents: u64,
    /// The most engine memory that may be taken, in bytes.
    pub budget_bytes: u64,
    /// A budget that other populations have a part of, too: this one takes `budget_bytes` of it, as long
    /// as it lives.
    pub within: Option<Budget>,
    /// The most bytes that one agent may have of its own: beliefs, what it has been through, its last
    /// action, its place in the world. None: as many as its model takes.
    pub agent_bytes: Option<u64>,
    /// Worker threads, at most 1,024; 0 is one a core.
    pub threads: usize,
    /// Agents a worker steps together; `None` leaves it to the engine. Results do not depend on it.
    pub chunk: Option<usize>,
    /// The seed of the run.
    pub seed: u64,
    /// How beliefs are stored.
    pub belief: Belief,
    /// What dropping the smallest entries of a stored belief may cost it, a total-variation distance, once
    /// the next outcome was observed, whichever that is; from 0 (nothing is dropped) to ½. Where outcomes
    /// may come that are ten times likelier in some states than in others, a step drops a tenth of that
    /// mass, and a ten-thousandth at the least. Only beliefs that may be sparse drop anything.
    pub mass: f64,
    /// An agent whose belief may be further than this from the exact one drops nothing until it is
    /// nearer: a total-variation distance; 1 is no limit.
    pub tolerance: f64,
    /// The lowest tier that beliefs may be stored in where the budget would not hold them otherwise:
    /// [`Belief::F16`] or [`Belief::Log8`]. None: what the budget cannot hold is not demoted. Nor are agents
    /// that may come and go.
    pub demote: Option<Belief>,
    /// In what precision agents compute.
    pub precision: Precision,
    /// The directory where agents go that memory cannot hold; none: all of them are in memory.
    pub spill: Option<PathBuf>,
    /// Whether room is kept in the budget for writing checkpoints.
    pub checkpoint: bool,
    /// What is kept of the past; by default nothing.
    pub history: Option<History>,
}

impl Settings {
    /// The most worker threads: more are a slip of the finger, and each has its scratch.
    pub const MOST_THREADS: usize = 1024;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            agents: 100_000,
            budget_bytes: 256 << 20,
            within: None,
            agent_bytes: None,
            threads: 0,
            chunk: None,
            seed: 1,
            belief: Belief::Auto,
            mass: 0.0,
            tolerance: 1.0,
            demote: None,
            precision: Precision::F32,
            spill: None,
            checkpoint: false,
            history: None,
        }
    }
}

impl Settings {
    /// Refuses what beliefs cannot be stored by.
    pub(crate) fn check(&self) -> Result<()> {
        if !(0.0..=MOST_MASS).contains(&self.mass) {
            let message = format!("mass: {} is not between 0 and {MOST_MASS}", self.mass);
            return Err(Error::invalid(message));
        }
        if !(self.tolerance > 0.0 && self.tolerance <= 1.0) {
            let message = format!("tolerance: {} is not above 0 and at most 1", self.tolerance);
            return Err(Error::invalid(message));
        }
        let name = |belief: Belief| format!("{belief:?}").to_lowercase();
        match self.demote {
            Some(lower) if !self.belief.demotes_to(lower) => {
                let (lower, belief) = (name(lower), name(self.belief));
                Err(Error::invalid(format!("demote: {lower} is not below {belief}")))
            }
            _ => Ok(()),
        }
    }
}
