//! The process's heap.

use std::alloc::{self, Layout};
use std::ptr::NonNull;

use super::{Block, CACHE_LINE_BYTES, Resource};
use crate::{Error, Result};

/// The global allocator, at cache-line alignment and up.
///
/// Blocks are zeroed, because a resource promises initialised bytes. The global allocator has zeroed
/// memory for nothing when it comes fresh from the system, but only at its natural alignment: at a larger one it
/// overwrites, and so commits, every page. So large blocks are taken at the natural alignment with some room in
/// front, where a header line's last word says where the memory really begins.
///
/// Invariant: a block starts on a cache line and fills whole ones, so no two share one.
#[derive(Debug, Default, Clone, Copy)]
pub struct HostHeap;

/// From here on a block has a header and its pages are not touched before they are used.
const LARGE_BYTES: usize = 64 << 10;
/// The natural alignment: what the system's allocator gives without being asked.
const NATURAL_BYTES: usize = 16;

/// The block's size and alignment: whole cache lines.
fn rounded(layout: Layout) -> Option<Layout> {
    let align = layout.align().max(CACHE_LINE_BYTES);
    let size = layout.size().checked_next_multiple_of(CACHE_LINE_BYTES)?;
    Layout::from_size_align(size, align).ok()
}

/// What a large block is taken by: itself, a header, and room to align it.
fn with_header(rounded: Layout) -> Option<Layout> {
    let size = rounded.size().checked_add(rounded.align())?.checked_add(NATURAL_BYTES)?;
    Layout::from_size_align(size, NATURAL_BYTES).ok()
}

fn allocate_large(rounded: Layout) -> Option<NonNull<u8>> {
    // SAFETY: the size is not 0.
    let raw = NonNull::new(unsafe { alloc::alloc_zeroed(with_header(rounded)?) })?;
    let header_end = raw.addr().get() + NATURAL_BYTES;
    let before = header_end.next_multiple_of(rounded.align()) - raw.addr().get();
    // SAFETY: `before` < the alignment + the header, which is what was taken on top of the block; the
    // word in front of it lies inside too, and is aligned as the block is.
    unsafe {
        let address = raw.add(before);
        address.cast::<NonNull<u8>>().sub(1).write(raw);
        Some(address)
    }
}

// SAFETY: the global allocator's blocks are disjoint and zeroed by `alloc_zeroed`, and aligned by it or
// by `allocate_large`.
unsafe impl Resource for HostHeap {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let bad = || Error::bad_layout(layout.size(), layout.align());
        if layout.size() == 0 {
            return Err(bad());
        }
        let rounded = rounded(layout).ok_or_else(bad)?;
        let address = if rounded.size() >= LARGE_BYTES {
            allocate_large(rounded)
        } else {
            // SAFETY: the size is not 0.
            NonNull::new(unsafe { alloc::alloc_zeroed(rounded) })
        };
        let address =
            address.ok_or_else(|| Error::system(rounded.size(), crate::prim::OUT_OF_MEMORY))?;
        Ok(Block { address, size_bytes: rounded.size() })
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        let Some(rounded) = rounded(layout) else {
            unreachable!("a block was allocated by {layout:?}")
        };
        debug_assert_eq!(rounded.size(), block.size_bytes);
        if rounded.size() < LARGE_BYTES {
            // SAFETY: by the contract the block came from `allocate` with this layout, which rounded it so.
            return unsafe { alloc::dealloc(block.address.as_ptr(), rounded) };
        }
        let Some(taken) = with_header(rounded) else {
            unreachable!("a large block was allocated by {layout:?}")
        };
        // SAFETY: a large block's header holds where its memory begins, and it was taken by this layout.
        unsafe {
            let raw = block.address.cast::<NonNull<u8>>().sub(1).read();
            alloc::dealloc(raw.as_ptr(), taken);
        }
    }
}

#[cfg(all(test, not(loom), not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn large_blocks_are_aligned_zeroed_and_separate() {
        for size in [LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1, 5 << 20] {
            for align in [1, 64, 128, 4096, 1 << 20] {
                let layout = Layout::from_size_align(size, align).unwrap();
                let blocks = [1, 2].map(|byte| {
                    let block = HostHeap.allocate(layout).unwrap();
                    assert!(block.address.addr().get().is_multiple_of(align.max(64)));
                    // SAFETY: the block is ours and this long.
                    let bytes = unsafe {
                        std::slice::from_raw_parts_mut(block.address.as_ptr(), block.size_bytes)
                    };
                    assert!(bytes.iter().all(|&byte| byte == 0));
                    bytes.fill(byte);
                    block
                });
                for block in blocks {
                    // SAFETY: the block came by this layout.
                    unsafe { HostHeap.deallocate(block, layout) };
                }
            }
        }
    }
}
