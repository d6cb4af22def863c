//! Memory that is reused, bounded and counted.
//!
//! One concept runs through the crate: a [`Resource`] allocates and deallocates [`Layout`]s.
//! *Root* resources obtain memory from the operating system ([`HostHeap`], [`Pages`]); *adaptors* are
//! resources over an upstream resource and add one property each ([`Limit`], [`Charge`]); a [`Pool`] is a
//! resource that caches.
//!
//! The crate knows nothing of agents.
//!
//! [`Layout`]: std::alloc::Layout
#![warn(rust_2018_idioms)]

mod adaptor;
mod buffer;
mod census;
mod clock;
mod counting;
mod error;
mod event;
mod ledger;
mod pool;
mod prim;
mod resource;
mod shared_buffer;
mod spin;
mod sync;

pub use adaptor::{charge::Charge, limit::Limit};
pub use buffer::{Buffer, Region};
pub use census::{Census, Class, Owner};
pub use clock::Clock;
pub use counting::CountingAllocator;
pub use error::{Bytes, Error, ErrorKind, Result};
pub use event::{Event, EventSink, Eviction};
pub use ledger::Ledger;
pub use pool::{
    ClassStatistics, Cleaner, Contents, Pool, PoolBuilder, PoolStatistics, SizeClasses,
};
pub use resource::{
    Block, CACHE_LINE_BYTES, Resource, SharedResource, host::HostHeap, pages::Pages,
};
pub use shared_buffer::SharedBuffer;
