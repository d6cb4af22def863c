//! What a pool has taken from its upstream: counters of the slow paths.
//!
//! Invariant: reserved = Σ bytes of blocks that the upstream gave and did not get back
//! = bytes in use + bytes idle.

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::{Block, Eviction};

#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Gauges {
    pub(super) reserved_bytes: AtomicU64,
    pub(super) peak_reserved_bytes: AtomicU64,
    /// The most in use whenever the pool grew; only kept for pools that bound idle memory by it.
    pub(super) peak_in_use_bytes: AtomicU64,
    pub(super) total_reserved_bytes: AtomicU64,
    /// Of live buffers that have no class.
    pub(super) unclassed_bytes: AtomicU64,
    pub(super) upstream_allocations: AtomicU64,
    pub(super) upstream_deallocations: AtomicU64,
    pub(super) evictions: [AtomicU64; Eviction::ALL.len()],
}

impl Gauges {
    pub(super) fn grew(&self, bytes: u64) {
        let before = self.reserved_bytes.fetch_add(bytes, Relaxed);
        self.peak_reserved_bytes.fetch_max(before + bytes, Relaxed);
        self.total_reserved_bytes.fetch_add(bytes, Relaxed);
        self.upstream_allocations.fetch_add(1, Relaxed);
    }

    pub(super) fn shrank(&self, bytes: u64) {
        self.reserved_bytes.fetch_sub(bytes, Relaxed);
        self.upstream_deallocations.fetch_add(1, Relaxed);
    }

    pub(super) fn unclassed_acquired(&self, block: Block) {
        self.unclassed_bytes.fetch_add(block.size_bytes as u64, Relaxed);
    }

    pub(super) fn unclassed_released(&self, block: Block) {
        self.unclassed_bytes.fetch_sub(block.size_bytes as u64, Relaxed);
    }

    pub(super) fn evicted(&self, bytes: u64, cause: Eviction) {
        self.shrank(bytes);
        self.evictions[cause.index()].fetch_add(1, Relaxed);
    }
}
