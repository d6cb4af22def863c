//! Failure on purpose, to see what survives it.

use std::alloc::Layout;

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::{Block, Error, ErrorKind, Resource, Result};

/// Refuses chosen allocations of an upstream resource.
///
/// ```
/// use std::sync::Arc;
/// use populace_pool::{Buffer, Fail, HostHeap, SharedResource};
///
/// let resource: SharedResource = Arc::new(Fail::nth(HostHeap, 2));
/// assert!(Buffer::new(&resource, 100, 64).is_ok());
/// assert!(Buffer::new(&resource, 100, 64).is_err());
/// assert!(Buffer::new(&resource, 100, 64).is_ok());
/// ```
#[derive(Debug)]
pub struct Fail<R> {
    upstream: R,
    rule: Rule,
    allocations: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
enum Rule {
    Nth(u64),
    From(u64),
    Above(usize),
}

impl<R: Resource> Fail<R> {
    /// Refuses the `n`th allocation, counted from 1.
    pub fn nth(upstream: R, n: u64) -> Self {
        Self::with(upstream, Rule::Nth(n))
    }

    /// Refuses the `n`th allocation, counted from 1, and every later one.
    pub fn from_nth(upstream: R, n: u64) -> Self {
        Self::with(upstream, Rule::From(n))
    }

    /// Refuses every allocation above `size_bytes`.
    pub fn above(upstream: R, size_bytes: usize) -> Self {
        Self::with(upstream, Rule::Above(size_bytes))
    }

    fn with(upstream: R, rule: Rule) -> Self {
        Self { upstream, rule, allocations: AtomicU64::new(0) }
    }

    /// How many allocations were asked for so far.
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Relaxed)
    }
}

// SAFETY: blocks are the upstream's, unchanged.
unsafe impl<R: Resource> Resource for Fail<R> {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let allocation = self.allocations.fetch_add(1, Relaxed) + 1;
        let fails = match self.rule {
            Rule::Nth(n) => allocation == n,
            Rule::From(n) => allocation >= n,
            Rule::Above(size) => layout.size() > size,
        };
        if fails {
            let requested_bytes = layout.size() as u64;
            return Err(Error::new(ErrorKind::Injected { requested_bytes, allocation }));
        }
        self.upstream.allocate(layout)
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        // SAFETY: the block is the upstream's own.
        unsafe { self.upstream.deallocate(block, layout) }
    }

    fn host_accessible(&self) -> bool {
        self.upstream.host_accessible()
    }
}
