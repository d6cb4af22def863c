//! Never more than so many bytes.

use std::alloc::Layout;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::{Block, Error, ErrorKind, Resource, Result};

/// Bounds the bytes taken from an upstream resource.
///
/// Bytes are reserved by compare-and-swap before the upstream is asked, in the page-rounded size
/// that the upstream will take. Adding first and rolling back would be simpler, but then a refused
/// large request could fail a small one beside it.
///
/// Invariant: used ≤ limit, at any moment and under any interleaving.
#[derive(Debug)]
pub struct Limit<R> {
    upstream: R,
    limit_bytes: u64,
    granule_bytes: u64,
    used_bytes: AtomicU64,
    peak_bytes: AtomicU64,
}

impl<R: Resource> Limit<R> {
    /// Bounds `upstream`, which rounds every block up to a multiple of `granule_bytes`.
    pub fn new(upstream: R, limit_bytes: u64, granule_bytes: u64) -> Self {
        Self {
            upstream,
            limit_bytes,
            granule_bytes: granule_bytes.max(1),
            used_bytes: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
        }
    }

    /// The most that may be taken, in bytes.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// What is taken now, in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// The most that was ever taken, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Ordering::Relaxed)
    }

    fn rounded(&self, layout: Layout) -> Option<u64> {
        (layout.size() as u64).checked_next_multiple_of(self.granule_bytes)
    }
}

// SAFETY: blocks are the upstream's, unchanged.
unsafe impl<R: Resource> Resource for Limit<R> {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let over = |used_bytes| {
            Error::new(ErrorKind::OverLimit {
                requested_bytes: layout.size() as u64,
                used_bytes,
                limit_bytes: self.limit_bytes,
            })
        };
        let size = self.rounded(layout).ok_or_else(|| over(self.used_bytes()))?;
        let before = self
            .used_bytes
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |used| {
                used.checked_add(size).filter(|&sum| sum <= self.limit_bytes)
            })
            .map_err(over)?;
        match self.upstream.allocate(layout) {
            Ok(block) => {
                debug_assert_eq!(
                    block.size_bytes as u64, size,
                    "the granule is not the upstream's"
                );
                self.peak_bytes.fetch_max(before + size, Ordering::Relaxed);
                Ok(block)
            }
            Err(error) => {
                self.used_bytes.fetch_sub(size, Ordering::AcqRel);
                Err(error)
            }
        }
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        // SAFETY: the block is the upstream's own.
        unsafe { self.upstream.deallocate(block, layout) };
        self.used_bytes.fetch_sub(block.size_bytes as u64, Ordering::AcqRel);
    }

    fn host_accessible(&self) -> bool {
        self.upstream.host_accessible()
    }
}
