//! Memory that is not there: places without bytes behind them.

use std::alloc::Layout;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use super::{Block, Resource};
use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::{Error, Result};

/// Gives places that neither the host nor any device can touch, and never runs out: an upstream for
/// measuring and testing what caches and bounds do with terabytes.
///
/// Invariant: no two blocks ever overlap, not even dead ones.
#[derive(Debug)]
pub struct NullResource {
    next: AtomicUsize,
}

impl NullResource {
    /// A fresh space of places.
    pub fn new() -> Self {
        Self { next: AtomicUsize::new(FIRST) }
    }
}

impl Default for NullResource {
    fn default() -> Self {
        Self::new()
    }
}

/// Any place but 0.
const FIRST: usize = 1 << 20;

// SAFETY: places ascend, so blocks are disjoint and aligned, and the host is told not to touch them.
unsafe impl Resource for NullResource {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let bad = || Error::bad_layout(layout.size(), layout.align());
        if layout.size() == 0 {
            return Err(bad());
        }
        let place = |next: usize| next.checked_next_multiple_of(layout.align());
        let next = self
            .next
            .fetch_update(Relaxed, Relaxed, |next| place(next)?.checked_add(layout.size()))
            .map_err(|_| bad())?;
        let address = place(next).and_then(NonZeroUsize::new).ok_or_else(bad)?;
        let address = NonNull::without_provenance(address);
        Ok(Block { address, size_bytes: layout.size() })
    }

    unsafe fn deallocate(&self, _block: Block, _layout: Layout) {}

    fn host_accessible(&self) -> bool {
        false
    }
}
