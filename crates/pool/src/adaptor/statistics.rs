//! How much passes through.

use std::alloc::Layout;

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::{Block, Resource, Result};

/// Counts what is taken from an upstream resource.
///
/// ```
/// use std::sync::Arc;
/// use populace_pool::{Buffer, HostHeap, SharedResource, Statistics};
///
/// let counted = Arc::new(Statistics::new(HostHeap));
/// let resource: SharedResource = counted.clone();
/// drop(Buffer::new(&resource, 100, 64)?);
/// let totals = counted.totals();
/// assert_eq!((totals.used_bytes, totals.peak_bytes, totals.allocations), (0, 128, 1));
/// # Ok::<(), populace_pool::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Statistics<R> {
    upstream: R,
    used_bytes: AtomicU64,
    peak_bytes: AtomicU64,
    total_bytes: AtomicU64,
    allocations: AtomicU64,
    deallocations: AtomicU64,
    failures: AtomicU64,
}

/// What a [`Statistics`] adaptor has counted. Bytes are as taken, rounding included.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of live blocks.
    pub used_bytes: u64,
    /// The most bytes that were live at a time.
    pub peak_bytes: u64,
    /// Bytes of all blocks ever given.
    pub total_bytes: u64,
    /// Blocks given.
    pub allocations: u64,
    /// Blocks taken back.
    pub deallocations: u64,
    /// Requests that the upstream refused.
    pub failures: u64,
}

impl Totals {
    /// Live blocks.
    pub fn live(&self) -> u64 {
        self.allocations.saturating_sub(self.deallocations)
    }
}

impl<R: Resource> Statistics<R> {
    /// Counts what is taken from `upstream`.
    pub fn new(upstream: R) -> Self {
        Self {
            upstream,
            used_bytes: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
            total_bytes: AtomicU64::new(0),
            allocations: AtomicU64::new(0),
            deallocations: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// The counts now.
    pub fn totals(&self) -> Totals {
        Totals {
            used_bytes: self.used_bytes.load(Relaxed),
            peak_bytes: self.peak_bytes.load(Relaxed),
            total_bytes: self.total_bytes.load(Relaxed),
            allocations: self.allocations.load(Relaxed),
            deallocations: self.deallocations.load(Relaxed),
            failures: self.failures.load(Relaxed),
        }
    }

    /// The resource below.
    pub fn upstream(&self) -> &R {
        &self.upstream
    }
}

// SAFETY: blocks are the upstream's, unchanged.
unsafe impl<R: Resource> Resource for Statistics<R> {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let block = self.upstream.allocate(layout).inspect_err(|_| {
            self.failures.fetch_add(1, Relaxed);
        })?;
        let bytes = block.size_bytes as u64;
        let used = self.used_bytes.fetch_add(bytes, Relaxed) + bytes;
        self.peak_bytes.fetch_max(used, Relaxed);
        self.total_bytes.fetch_add(bytes, Relaxed);
        self.allocations.fetch_add(1, Relaxed);
        Ok(block)
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        self.used_bytes.fetch_sub(block.size_bytes as u64, Relaxed);
        self.deallocations.fetch_add(1, Relaxed);
        // SAFETY: the block is the upstream's own.
        unsafe { self.upstream.deallocate(block, layout) }
    }

    fn host_accessible(&self) -> bool {
        self.upstream.host_accessible()
    }
}
