//! Very large populations of active-inference agents inside a memory budget you set.
//!
//! This crate is the front door: it holds nothing of its own.
//!
//! | to | take |
//! |---|---|
//! | read, check, build or write a model | [`agent`] |
//! | run a population, or infer from a recording | [`population`] |
//! | bound, count and charge memory | [`pool`] |
//! | compute on pooled buffers | [`tensor`] |
//!
//! The binary `populace` is in the package `populace-cli`.
#![forbid(unsafe_code)]

#[doc(inline)]
pub use populace_agent as agent;
#[doc(inline)]
pub use populace_pool as pool;
#[doc(inline)]
pub use populace_population as population;
#[doc(inline)]
pub use populace_tensor as tensor;

/// The examples of README.md, which are run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

/// The examples of docs/pymdp-0.md.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/pymdp-0.md")]
pub struct Pymdp0;
