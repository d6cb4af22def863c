//! Models of active-inference agents, and their mathematics over a block of agents.
//!
//! Nothing here knows of budgets or threads.
#![forbid(unsafe_code)]

mod error;
mod model;
mod policies;

pub use error::{Error, ErrorKind, Result};
pub use model::{
    Model,
    arguments::{
        ActionSelection, Arguments, Dialect, InferenceAlgorithm, SamplingMode, Sophisticated,
    },
    tensor::{Precision, Reals, Tensor},
};
pub use policies::Policies;
