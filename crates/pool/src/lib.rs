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
mod budget;
mod buffer;
mod census;
mod clock;
mod counting;
mod dtype;
mod error;
mod event;
mod ledger;
mod matrix;
mod object;
mod pool;
mod prim;
mod resource;
mod scope;
mod shared_buffer;
mod spin;
mod sync;
mod trace;
pub mod workload;

pub use adaptor::{
    budgeted::Budgeted,
    charge::Charge,
    fail::Fail,
    limit::Limit,
    record::Record,
    statistics::{Statistics, Totals},
    tracking::{LeakGuard, Live, Tracking},
};
pub use budget::{Budget, BudgetUse, Reservation};
pub use buffer::{Buffer, Region};
pub use census::{Census, Class, Owner};
pub use clock::Clock;
pub use counting::CountingAllocator;
pub use dtype::{Dtype, Element};
pub use error::{Bytes, Error, ErrorKind, Result};
pub use event::{Event, EventSink, Eviction};
pub use ledger::Ledger;
pub use matrix::{Matrix, MatrixPool, ShelfStatistics};
pub use object::{ObjectPool, Pooled};
pub use pool::{
    ClassStatistics, Cleaner, Contents, Pool, PoolBuilder, PoolStatistics, SizeClasses,
};
pub use resource::{
    Block, CACHE_LINE_BYTES, Resource, SharedResource,
    host::HostHeap,
    huge::HugePages,
    mapped_file::MappedFile,
    null::NullResource,
    pages::Pages,
    shared_memory::{SharedMemory, SharedView},
};
pub use scope::Scope;
pub use shared_buffer::SharedBuffer;
pub use trace::{Learned, Replay, Trace, TraceOperation};
