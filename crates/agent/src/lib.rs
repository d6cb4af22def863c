//! Models of active-inference agents, and their mathematics over a block of agents.
//!
//! Nothing here knows of budgets or threads.
#![forbid(unsafe_code)]

mod compiled;
mod error;
mod file;
mod model;
pub mod models;
mod nearest;
mod policies;
pub mod random;
pub mod reduction;
mod step;

pub use compiled::{Answers, CompiledModel, Planner, Window};
pub use error::{Error, ErrorKind, Result};
pub use file::{
    ModelFile, NamedTensor, Observations, Recording, TraceWriter, Values, write_tensors,
};
pub use model::{
    Model,
    arguments::{
        ActionSelection, Arguments, Dialect, InferenceAlgorithm, SamplingMode, Sophisticated,
    },
    tensor::{Precision, Reals, Tensor},
};
pub use nearest::nearest;
pub use policies::Policies;
#[doc(hidden)]
pub use step::Stage;
pub use step::{LearntCounts, Number, Scratch, SparseScratch};

/// ε of the `pymdp-1` dialect: probabilities are clipped to it before a logarithm is taken.
pub const EPSILON: f64 = f64::EPSILON;
