//! The process's heap.

use std::alloc::{self, Layout};
use std::ptr::NonNull;

use super::{Block, CACHE_LINE_BYTES, Resource};
use crate::{Error, Result};

/// The global allocator, at cache-line alignment and up.
///
/// Blocks are zeroed, because a resource promises initialised bytes; for large ones the operating
/// system's pages are zero already and nothing is written.
///
/// Invariant: a block starts on a cache line and fills whole ones, so no two share one.
#[derive(Debug, Default, Clone, Copy)]
pub struct HostHeap;

/// The layout really asked for: whole cache lines.
fn rounded(layout: Layout) -> Option<Layout> {
    let align = layout.align().max(CACHE_LINE_BYTES);
    let size = layout.size().checked_next_multiple_of(CACHE_LINE_BYTES)?;
    Layout::from_size_align(size, align).ok()
}

// SAFETY: the global allocator's blocks are disjoint, aligned, and zeroed by `alloc_zeroed`.
unsafe impl Resource for HostHeap {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let bad = || Error::bad_layout(layout.size(), layout.align());
        if layout.size() == 0 {
            return Err(bad());
        }
        let rounded = rounded(layout).ok_or_else(bad)?;
        // SAFETY: the size is not 0.
        let address = NonNull::new(unsafe { alloc::alloc_zeroed(rounded) })
            .ok_or_else(|| Error::system(rounded.size(), crate::prim::OUT_OF_MEMORY))?;
        Ok(Block { address, size_bytes: rounded.size() })
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        debug_assert_eq!(rounded(layout).map(|layout| layout.size()), Some(block.size_bytes));
        let align = layout.align().max(CACHE_LINE_BYTES);
        // SAFETY: by the contract the block came from `allocate` with this layout, which rounded it
        // to this size and alignment.
        unsafe {
            let rounded = Layout::from_size_align_unchecked(block.size_bytes, align);
            alloc::dealloc(block.address.as_ptr(), rounded);
        }
    }
}
