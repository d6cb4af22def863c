//! Typed arrays over pool buffers, and the SIMD kernels that work on blocks of lanes.

mod array;
pub mod lanes;
pub mod simd;

pub use array::{Array, Plain};
