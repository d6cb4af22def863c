//! Charges what passes through to a budget.

use std::alloc::Layout;

use crate::{Block, Budget, Resource, Result};

/// A resource whose blocks are reserved in a [`Budget`] before they are taken.
///
/// ```
/// use std::sync::Arc;
/// use populace_pool::{Buffer, Budget, Budgeted, Pages, SharedResource};
///
/// let budget = Budget::new("run", 1 << 20);
/// let resource: SharedResource = Arc::new(Budgeted::new(Pages, budget.clone(), 4096));
/// let buffer = Buffer::new(&resource, 100, 64)?;
/// assert_eq!(budget.used_bytes(), 4096);
/// assert!(Buffer::new(&resource, 1 << 20, 64).is_err());
/// # drop(buffer);
/// # Ok::<(), populace_pool::Error>(())
/// ```
#[derive(Debug)]
pub struct Budgeted<R> {
    upstream: R,
    budget: Budget,
    granule_bytes: u64,
}

impl<R: Resource> Budgeted<R> {
    /// Bounds `upstream`, which rounds every block up to a multiple of `granule_bytes`, by `budget`.
    pub fn new(upstream: R, budget: Budget, granule_bytes: u64) -> Self {
        Self { upstream, budget, granule_bytes: granule_bytes.max(1) }
    }
}

// SAFETY: blocks are the upstream's, unchanged.
unsafe impl<R: Resource> Resource for Budgeted<R> {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let size = (layout.size() as u64).checked_next_multiple_of(self.granule_bytes);
        // A size that cannot be rounded is above every limit that is not itself u64::MAX.
        let size = size.unwrap_or(u64::MAX);
        self.budget.take(size)?;
        let block = self.upstream.allocate(layout).inspect_err(|_| self.budget.give(size))?;
        debug_assert_eq!(block.size_bytes as u64, size, "the granule is not the upstream's");
        Ok(block)
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        // SAFETY: the block is the upstream's own.
        unsafe { self.upstream.deallocate(block, layout) };
        self.budget.give(block.size_bytes as u64);
    }

    fn host_accessible(&self) -> bool {
        self.upstream.host_accessible()
    }
}
