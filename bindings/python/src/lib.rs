//! The native half of the Python package `populace`.
//!
//! Here is what must be Rust: arrays in, arrays out, the interpreter's lock released in between.
//! What users call is written in Python over it (`python/populace`), because there it can be read.
//!
//! Invariants:
//!
//! - [`errors`] alone knows which Python exception an error is.
//! - Nothing here computes: it hands arrays to the crates below.
//! - Nothing that takes long holds the interpreter's lock.
#![warn(rust_2018_idioms)]

mod arrays;
mod errors;
mod model;
mod past;
mod plan;
mod pool;
mod population;
mod saved;
mod settings;
mod stepwise;
mod world;

use pyo3::prelude::*;

/// The native half of `populace`; import `populace` instead.
#[pymodule]
mod _native {
    use super::*;

    #[pymodule_export]
    use super::errors::BudgetError;
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::plan::plan;
    #[pymodule_export]
    use super::pool::buffer::{Buffer, Pool};
    #[pymodule_export]
    use super::pool::held::Held;
    #[pymodule_export]
    use super::pool::matrix::{
        PooledMatrix, allocate_many, matrix_statistics, pooled_matrix, trim_matrices,
    };
    #[pymodule_export]
    use super::pool::operations::{pooled_dot, pooled_einsum, pooled_matmul};
    #[pymodule_export]
    use super::population::Population;
    #[pymodule_export]
    use super::stepwise::Stepwise;
    #[pymodule_export]
    use super::world::World;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
