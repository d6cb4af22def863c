//! Memory that is reused, bounded and counted.
//!
//! One concept runs through the crate: a [`Resource`] allocates and deallocates [`Layout`]s.
//! *Root* resources obtain memory from the operating system ([`Pages`]); *adaptors* are resources
//! over an upstream resource and add one property each ([`Limit`], [`Charge`]).
//!
//! The crate knows nothing of agents.
//!
//! [`Layout`]: std::alloc::Layout
#![warn(rust_2018_idioms)]

mod adaptor;
mod buffer;
mod counting;
mod error;
mod ledger;
mod prim;
mod resource;

pub use adaptor::{charge::Charge, limit::Limit};
pub use buffer::Buffer;
pub use counting::CountingAllocator;
pub use error::{Bytes, Error, ErrorKind, Result};
pub use ledger::{Class, Ledger};
pub use resource::{Block, Resource, SharedResource, pages::Pages};
