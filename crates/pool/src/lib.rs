//! Memory that is reused, bounded and counted.
//!
//! One concept runs through the crate: a [`Resource`] allocates and deallocates [`Layout`]s, and need not
//! be memory that the host can read.
//!
//! - *Root* resources obtain memory from the system: [`HostHeap`], [`Pages`], [`HugePages`], [`SharedMemory`],
//!   [`MappedFile`] (and [`NullResource`], which only pretends). A [`SlotFile`] is a mapped file cut into slots.
//! - *Adaptors* are resources over an upstream resource and add one property each: [`Limit`], [`Budgeted`],
//!   [`Charge`], [`Statistics`], [`Tracking`], [`Record`], [`Fail`].
//! - A [`Pool`] is a resource that caches. [`Buffer`], [`SharedBuffer`] and [`Scope`] say how long memory is held,
//!   [`MatrixPool`] finds it by shape, [`ObjectPool`] does the same for values.
//! - A [`Budget`] says how much each may take; a [`Trace`] what was asked for, to be replayed and learned from.
//!
//! ```
//! use std::sync::Arc;
//! use populace_pool::{Bytes, HostHeap, Limit, Pool};
//!
//! // Never more than 64 MiB, of which what is free is kept for the next who asks.
//! let pool = Pool::new(Limit::new(HostHeap, 64 << 20, 64));
//! for step in 0..1000 {
//!     let mut scratch = pool.acquire(100_000)?;
//!     scratch.as_mut_slice()[0] = step as u8;
//! }
//! let now = pool.snapshot();
//! assert_eq!((now.all.hits, now.all.misses), (999, 1));
//! assert_eq!(Bytes(now.reserved_bytes).to_string(), "104.0 KiB");
//! assert!(pool.acquire(65 << 20).is_err());
//! # Ok::<(), populace_pool::Error>(())
//! ```
//!
//! **When not to use it.** For small, short-lived values the global allocator is as good: a warm acquire and
//! release takes about as long as a good `malloc` and `free` of the same size. A pool pays where memory is
//! large, must stay within bounds, must be accounted for, or lives on a device.
//!
//! **Panics.** A sink or a resource that panics loses nothing and poisons nothing: no lock is held while one is
//! called, and the pool goes on.
//!
//! The crate knows nothing of agents.
//!
//! [`Layout`]: std::alloc::Layout
#![warn(rust_2018_idioms)]

mod adaptor;
mod biased;
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
mod read_ahead;
mod resource;
mod scope;
mod shared_buffer;
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
pub use census::{Census, Class, Owner, Stage};
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
pub use read_ahead::read_ahead;
pub use resource::{
    Block, CACHE_LINE_BYTES, Resource, SharedResource,
    host::HostHeap,
    huge::HugePages,
    mapped_file::MappedFile,
    null::NullResource,
    pages::Pages,
    shared_memory::{SharedMemory, SharedView},
    slot_file::SlotFile,
};
pub use scope::Scope;
pub use shared_buffer::SharedBuffer;
pub use trace::{Learned, Replay, Trace, TraceOperation};
