//! Views and kernels.

// What the agent kernels need.

// What tensors need.
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

pub use dtype::{Dtype, Element};
pub use error::{Error, ErrorKind, Result};
pub use operand::{Operand, Output};
pub use plan::{Limits, Operation, Plan};
pub use planner::Planner;
pub use tensor::Tensor;
pub use view::{View, ViewMut};
