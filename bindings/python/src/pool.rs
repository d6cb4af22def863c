//! The pool as Python sees it: memory whose owners are arrays.
//!
//! Invariant: memory goes back when the last array over it dies, never earlier. Every array has
//! [`held::Held`] at the end of its chain of bases, and that owns the memory.

pub(crate) mod asked;
pub(crate) mod buffer;
pub(crate) mod count;
pub(crate) mod element;
pub(crate) mod held;
pub(crate) mod matrix;
pub(crate) mod operations;
