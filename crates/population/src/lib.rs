//! Many agents: how they are stored, what they may use, the worlds they live in, and the tick.
//!
//! Data travels one way: a [`Simulation`] holds chunks of agents; a tick takes each chunk through
//! environment (observations), engine (beliefs and actions), environment (actions). Everything that
//! grows with the population or the model is taken from one root resource with a limit, the budget;
//! what the worst case needs is checked before the first tick.
#![forbid(unsafe_code)]

mod bound;
mod checkpoint;
mod chunk;
mod crowd;
mod doubt;
mod economies;
mod environment;
mod error;
mod experience;
#[cfg(test)]
mod fault;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gaps;
mod generative;
mod hibernation;
pub mod history;
mod image;
mod infer;
mod lifecycle;
mod members;
mod membership;
mod memory;
mod observation_buffer;
mod passage;
mod plan;
mod population;
mod precision;
mod quota;
mod record;
mod roster;
mod schedule;
mod settings;
mod simulation;
mod spill;
mod threads;
mod tick;
mod trajectory;

pub use bound::Bounds;
pub use checkpoint::{Checkpoint, CheckpointWriter, Run};
pub use crowd::{Crowd, Parameters, PolicyPosterior};
pub use economies::Economies;
pub use environment::{Environment, Moment};
pub use error::{Error, ErrorKind, Result};
pub use generative::Generative;
pub use history::{History, HistoryTotals, Past};
pub use infer::{Inference, infer};
pub use lifecycle::{Lifecycle, LifecycleCounts, LifecyclePolicy};
pub use memory::{Memory, Tiers};
pub use observation_buffer::ObservationBuffer;
pub use plan::{Plan, PlannedHistory, most_bytes_per_agent, plan, plan_changing};
pub use schedule::Schedule;
pub use settings::{Belief, Settings};
pub use simulation::Simulation;
pub use spill::Spilled;
pub use trajectory::trajectory_term;
