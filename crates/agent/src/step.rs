//! One step of a block of agents: observe, infer states, weigh policies, choose an action.

mod act;
mod bound;
mod by_policy;
mod door;
mod exact_joint;
mod following;
mod joint;
pub(crate) mod kernels;
mod learn;
mod novelty;
mod plan;
mod scratch;
mod search;
mod sequence;
mod sparse;
mod states;
mod vanilla;
mod window;

pub use door::{Number, Stage};
pub use learn::LearntCounts;
pub(crate) use scratch::NONE;
pub use scratch::Scratch;
pub use sparse::SparseScratch;
