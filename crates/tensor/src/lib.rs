//! Tensors over pool buffers, and the SIMD kernels that work on blocks of lanes.
//!
//! - [`View`] and [`ViewMut`]: strided, typed views of memory that they borrow. [`Tensor`]: a result
//!   in a buffer of the pool.
//! - [`Planner`]: `dot`, `matmul` and `einsum` by NumPy's rules, into a pooled or a given output.
//!   The first call with given shapes makes a [`Plan`]; calls after it allocate nothing from the
//!   heap.
//! - [`Array`], [`lanes`] and [`simd`]: what the agent kernels are written with.

// What the agent kernels need.
mod array;
pub mod lanes;
pub mod simd;

pub use array::{Array, Plain};

// What tensors need.
mod cache;
mod columns;
mod contraction;
mod dtype;
mod error;
mod expression;
mod gemm;
mod hash;
mod layout;
mod loops;
mod operand;
mod plan;
mod planner;
mod team;
mod tensor;
mod view;
pub mod workload;

pub use columns::Columns;
pub use dtype::{Dtype, Element};
pub use error::{Error, ErrorKind, Result};
pub use operand::{Operand, Output};
pub use plan::{Limits, Operation, Plan};
pub use planner::{Planner, Recorded};
pub use tensor::Tensor;
pub use view::{View, ViewMut};
