//! One step of a block of agents: observe, infer states, weigh policies, choose an action.

mod act;
pub(crate) mod kernels;
mod plan;
mod scratch;
mod sparse;
mod states;

pub use scratch::Scratch;
pub use sparse::SparseScratch;
