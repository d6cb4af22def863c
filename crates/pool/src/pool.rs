//! A resource that keeps what comes back, for the next who asks.
//!
//! ```text
//! acquire ─► the thread's magazine ─► the centre's queue ─► the upstream resource
//! release ─► the thread's magazine ─► the centre's queue ─► (evicted: oldest first) the upstream resource
//! ```
//!
//! Invariants: idle bytes ≤ `max_idle_bytes`, idle buffers of a class ≤ `max_idle_count`, at any moment and whichever
//! threads acquire and release; reserved = in use + idle.

mod builder;
mod centre;
mod classes;
mod cleaner;
pub(crate) mod core;
mod gauges;
mod slot;
mod statistics;
mod thread;

#[cfg(all(test, loom))]
mod loom_models;
#[cfg(all(test, any(loom, shuttle)))]
mod models;
#[cfg(all(test, shuttle))]
mod shuttle_models;

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Arc;

use self::core::Core;
pub use builder::PoolBuilder;
pub use classes::SizeClasses;
pub use cleaner::Cleaner;
pub use statistics::{ClassStatistics, PoolStatistics};
pub(crate) use thread::number as thread_number;

use crate::resource::layout;
use crate::{
    Block, Buffer, CACHE_LINE_BYTES, Error, ErrorKind, Region, Resource, Result, SharedBuffer,
    SharedResource,
};

/// What a buffer holds when it is acquired and when it has been released.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Contents {
    /// Whatever its last user left there (debug builds overwrite the first 64 KiB on return).
    #[default]
    AsIs,
    /// Zeros on acquire.
    Zeroed,
    /// Overwritten on return, for secrets.
    Wiped,
}

/// A pool of buffers over an upstream resource; clones are handles to the same pool.
///
/// Dropping the last handle gives idle memory back; buffers that are still out stay valid and go
/// straight to the upstream when they are dropped.
///
/// ```
/// use populace_pool::{HostHeap, Pool};
///
/// let pool = Pool::new(HostHeap);
/// let mut buffer = pool.acquire(1000)?;
/// buffer.as_mut_slice().fill(7);
/// drop(buffer);
/// let again = pool.acquire(1000)?;
/// assert_eq!(pool.snapshot().all.hits, 1);
/// # drop(again);
/// # Ok::<(), populace_pool::Error>(())
/// ```
#[derive(Clone)]
pub struct Pool {
    handle: Arc<Handle>,
}

/// The pool's side of the core's life: see [`core`].
struct Handle {
    core: NonNull<Core>,
}

// SAFETY: the core is shared between threads by design; its parts are locks and atomics.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    #[inline(always)]
    fn core(&self) -> &Core {
        // SAFETY: the core outlives its handle.
        unsafe { self.core.as_ref() }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is gone after this, and its core was leaked by the builder.
        unsafe { Core::close(self.core) }
    }
}

impl Pool {
    /// A pool with the default settings of [`PoolBuilder`].
    pub fn new(upstream: impl Resource + 'static) -> Self {
        Self::from_core(PoolBuilder::new(Arc::new(upstream)).into_core())
    }

    /// Settings for a pool over `upstream`.
    pub fn builder(upstream: SharedResource) -> PoolBuilder {
        PoolBuilder::new(upstream)
    }

    fn from_core(core: Core) -> Self {
        Self { handle: Arc::new(Handle { core: NonNull::from(Box::leak(Box::new(core))) }) }
    }

    /// A buffer of `size_bytes` that starts on a cache line.
    ///
    /// # Errors
    ///
    /// A size of 0, a resource that the host cannot read, or what the upstream answers when it is asked for
    /// more, which it is asked again after everything idle went back to it.
    #[inline]
    pub fn acquire(&self, size_bytes: usize) -> Result<Buffer> {
        self.acquire_aligned(size_bytes, CACHE_LINE_BYTES)
    }

    /// A buffer at an alignment of `align_bytes`; above [`CACHE_LINE_BYTES`] it has no size class.
    ///
    /// # Errors
    ///
    /// As for [`Self::acquire`], or an alignment that is no power of two.
    #[inline]
    pub fn acquire_aligned(&self, size_bytes: usize, align_bytes: usize) -> Result<Buffer> {
        if !self.handle.core().host_accessible() {
            let requested_bytes = size_bytes as u64;
            return Err(Error::new(ErrorKind::NotHostAccessible { requested_bytes }));
        }
        // Checked before, not after: moving a region that was just written piecemeal stalls the
        // processor for a third of the whole acquire.
        self.acquire_region(size_bytes, align_bytes).map(Buffer::accessible)
    }

    /// Memory that the host need not be able to read.
    ///
    /// # Errors
    ///
    /// As for [`Self::acquire_aligned`].
    #[inline(always)]
    pub fn acquire_region(&self, size_bytes: usize, align_bytes: usize) -> Result<Region> {
        let layout = layout(size_bytes, align_bytes)?;
        let core = self.handle.core();
        let class = core.class(layout);
        let block = core.acquire(class, layout, thread_number())?;
        Ok(Region::pooled(self.handle.core, class, block, layout))
    }

    /// A counted buffer of `size_bytes`; it comes back when its last clone is dropped.
    ///
    /// # Errors
    ///
    /// As for [`Self::acquire`].
    pub fn acquire_shared(&self, size_bytes: usize) -> Result<SharedBuffer> {
        self.acquire(size_bytes).map(SharedBuffer::new)
    }

    /// Takes a buffer back, as dropping it would, but only if it is this pool's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Foreign`](crate::ErrorKind::Foreign) for another's buffer, which then goes back to
    /// where it came from.
    pub fn release(&self, buffer: Buffer) -> Result<()> {
        if buffer.region().is_from(self.handle.core) {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Foreign { by: "pool" }))
        }
    }

    /// The pool as an upstream for others.
    pub fn resource(&self) -> SharedResource {
        Arc::new(self.clone())
    }

    /// The sizes it keeps.
    pub fn classes(&self) -> &SizeClasses {
        &self.handle.core().parts().classes
    }

    /// Bytes of cached buffers.
    pub fn idle_bytes(&self) -> u64 {
        self.handle.core().idle_bytes()
    }

    /// Its numbers, now.
    pub fn snapshot(&self) -> PoolStatistics {
        PoolStatistics::of(self.handle.core())
    }

    /// Gives everything idle back to the upstream; answers how many bytes that were.
    pub fn trim(&self) -> u64 {
        self.handle.core().trim()
    }

    /// Gives the least recently used back until at most `bytes` lie idle; answers how many bytes went.
    pub fn trim_to(&self, bytes: u64) -> u64 {
        self.handle.core().trim_to(bytes)
    }

    /// Gives back what was not used for the time to live; answers how many bytes that were. Happens
    /// by itself every `cleanup_every` of use.
    pub fn cleanup(&self) -> u64 {
        self.handle.core().cleanup()
    }
}

// SAFETY: blocks are the upstream's, of at least the size and alignment asked for, and in one
// caller's hands until they come back.
unsafe impl Resource for Pool {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        if layout.size() == 0 {
            return Err(Error::bad_layout(0, layout.align()));
        }
        let core = self.handle.core();
        core.acquire(core.class(layout), layout, thread_number())
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        let class = self.handle.core().class(layout);
        // SAFETY: the caller's contract; the handle keeps the core alive.
        unsafe { Core::release(self.handle.core, class, block, layout, thread_number()) }
    }

    fn host_accessible(&self) -> bool {
        self.handle.core().host_accessible()
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("snapshot", &self.snapshot()).finish_non_exhaustive()
    }
}
