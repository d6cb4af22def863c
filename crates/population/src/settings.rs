//! What a run is given besides its model.

use std::path::PathBuf;

use populace_agent::Precision;
use serde::{Deserialize, Serialize};

use crate::history::History;

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
}

/// The settings of a population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How many agents.
    pub agents: u64,
    /// The most engine memory that may be taken, in bytes.
    pub budget_bytes: u64,
    /// Worker threads, at most 1,024; 0 is one a core.
    pub threads: usize,
    /// Agents a worker steps together; `None` leaves it to the engine. Results do not depend on it.
    pub chunk: Option<usize>,
    /// The seed of the run.
    pub seed: u64,
    /// How beliefs are stored.
    pub belief: Belief,
    /// In what precision agents compute.
    pub precision: Precision,
    /// The directory where agents go that memory cannot hold; none: all of them are in memory.
    pub spill: Option<PathBuf>,
    /// Whether room is kept in the budget for writing checkpoints.
    pub checkpoint: bool,
    /// What is kept of the past; by default nothing.
    pub history: Option<History>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            agents: 100_000,
            budget_bytes: 256 << 20,
            threads: 0,
            chunk: None,
            seed: 1,
            belief: Belief::Auto,
            precision: Precision::F32,
            spill: None,
            checkpoint: false,
            history: None,
        }
    }
}
