//! Many agents: how they are stored, what they may use, the worlds they live in, and the tick.
//!
//! Data travels one way: a [`Simulation`] holds chunks of agents; a tick takes each chunk through
//! environment (observations), engine (beliefs and actions), environment (actions). Everything that
//! grows with the population or the model is taken from one root resource with a limit, the budget;
//! what the worst case needs is checked before the first tick.
#![forbid(unsafe_code)]

mod bound;
mod chunk;
mod crowd;
mod environment;
mod error;
mod experience;
mod generative;
mod infer;
mod memory;
mod plan;
mod population;
mod record;
mod settings;
mod simulation;
mod tick;
mod trajectory;

pub use bound::Bounds;
pub use crowd::{Crowd, PolicyPosterior};
pub use environment::{Environment, Moment};
pub use error::{Error, ErrorKind, Result};
pub use generative::Generative;
pub use infer::{Inference, infer};
pub use memory::{Memory, Tiers};
pub use plan::{Plan, most_bytes_per_agent, plan};
pub use settings::{Belief, Settings};
pub use simulation::Simulation;
pub use trajectory::trajectory_term;
