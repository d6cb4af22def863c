//! The naive reference: one agent, dense, in f64, written straight from the definitions.
//!
//! Populace's engine works on blocks of agents with sparse beliefs, fused kernels and pooled
//! memory. This crate does the same mathematics in the plainest way (nested loops over whole
//! arrays, nothing cached), so that every other test can compare the engine against it. It shares
//! no code with the engine, not even the reader of model files: a mistake there cannot hide here.
//!
//! Both dialects follow their reference, `inferactively-pymdp` 1.0.4 and 0.0.7.1, to rounding;
//! `compare_pymdp.py` beside this crate checks that against the real libraries. What Populace adds of
//! its own (docs/beyond.md) is here by its definition alone.

mod agent;
mod array;
mod choice;
mod file;
mod forgetting;
mod numbers;
mod problem;
mod pymdp0;
mod pymdp1;
pub mod random;
mod replay;

pub use agent::{Agent, Step};
pub use array::Array;
pub use file::{Case, Precision, load, write_case, write_model_file};
pub use problem::{Algorithm, Arguments, Dialect, Observation, Policy, Problem, Sophisticated};
pub use pymdp0::{log_evidence, prune_a, prune_b};
pub use replay::{answers, replay};
