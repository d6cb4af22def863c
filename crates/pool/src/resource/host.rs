//! The process's memory: its heap, and beyond some size pages of its own.

use std::alloc::{self, Layout};
use std::ptr::NonNull;

use super::huge::HUGE_BYTES;
use super::{Block, CACHE_LINE_BYTES, Resource};
use crate::{Error, Result, prim};

/// The global allocator, at cache-line alignment and up; huge blocks are pages from the system.
///
/// Blocks are zeroed, because a resource promises initialised bytes. The global allocator has zeroed
/// memory for nothing when it comes fresh from the system, but only at its natural alignment: at a larger one it
/// overwrites, and so commits, every page. So large blocks are taken at the natural alignment with some room in
/// front, where a header line's last word says where the memory really begins.
///
/// Blocks of 2 MiB and up are mapped, start at a multiple of 2 MiB, and come with the advice to use huge pages, as NumPy's
/// arrays do: of small pages each costs a fault when it is first touched, and a place among the translations that
/// a processor remembers ever after. What is touched of such a block is committed 2 MiB at a time where
/// the system follows the advice.
///
/// Invariant: a block starts on a cache line and fills whole ones, so no two share one.
#[derive(Debug, Default, Clone, Copy)]
pub struct HostHeap;

/// From here on a block has a header and its pages are not touched before they are used.
const LARGE_BYTES: usize = 64 << 10;
/// From here on a block is a mapping of its own: from what a huge page holds.
const MAPPED_BYTES: usize = HUGE_BYTES;
/// The natural alignment: what the system's allocator gives without being asked.
const NATURAL_BYTES: usize = 16;

/// Where a layout's memory comes from, and what it is rounded up to.
enum Origin {
    /// From the global allocator, as it is.
    Small(Layout),
    /// From the global allocator, behind a header.
    Large(Layout),
    /// Whole pages, mapped.
    Mapped(Layout),
}

/// `None` if the size overflows when it is rounded up.
fn origin(layout: Layout) -> Option<Origin> {
    let whole = |bytes: usize| {
        let size = layout.size().checked_next_multiple_of(bytes)?;
        Layout::from_size_align(size, layout.align().max(bytes)).ok()
    };
    let lines = whole(CACHE_LINE_BYTES)?;
    Some(match lines.size() {
        ..LARGE_BYTES => Origin::Small(lines),
        LARGE_BYTES..MAPPED_BYTES => Origin::Large(lines),
        MAPPED_BYTES.. => Origin::Mapped(whole(prim::page_bytes())?),
    })
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

fn map(rounded: Layout) -> Option<NonNull<u8>> {
    let address = prim::map_aligned(rounded.size(), rounded.align().max(HUGE_BYTES)).ok()?;
    // Refused advice changes nothing but speed.
    prim::advise_huge(address, rounded.size());
    Some(address)
}

fn unknown(layout: Layout) -> ! {
    unreachable!("a block was allocated by {layout:?}")
}

// SAFETY: the global allocator's blocks are disjoint and zeroed by `alloc_zeroed`, and aligned by it or
// by `allocate_large`; mappings are all three by themselves.
unsafe impl Resource for HostHeap {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let bad = || Error::bad_layout(layout.size(), layout.align());
        if layout.size() == 0 {
            return Err(bad());
        }
        let (address, rounded) = match origin(layout).ok_or_else(bad)? {
            // SAFETY: the size is not 0.
            Origin::Small(lines) => (NonNull::new(unsafe { alloc::alloc_zeroed(lines) }), lines),
            Origin::Large(lines) => (allocate_large(lines), lines),
            Origin::Mapped(pages) => (map(pages), pages),
        };
        let size_bytes = rounded.size();
        let address = address.ok_or_else(|| Error::system(size_bytes, prim::OUT_OF_MEMORY))?;
        Ok(Block { address, size_bytes })
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        match origin(layout).unwrap_or_else(|| unknown(layout)) {
            // SAFETY: by the contract the block came from `allocate` with this layout, which rounded it so.
            Origin::Small(lines) => unsafe { alloc::dealloc(block.address.as_ptr(), lines) },
            Origin::Large(lines) => {
                let taken = with_header(lines).unwrap_or_else(|| unknown(layout));
                // SAFETY: a large block's header holds where its memory begins, and it was taken by this layout.
                unsafe {
                    let raw = block.address.cast::<NonNull<u8>>().sub(1).read();
                    alloc::dealloc(raw.as_ptr(), taken);
                }
            }
            // SAFETY: by the contract the block is one of ours, so its mapping has exactly this size.
            Origin::Mapped(pages) => unsafe { prim::unmap(block.address, pages.size()) },
        }
    }
}

#[cfg(all(test, not(loom), not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_zeroed_and_separate() {
        let bounds = [LARGE_BYTES, MAPPED_BYTES].map(|bound| [bound - 64, bound - 63, bound + 1]);
        for size in bounds.into_iter().flatten().chain([5 << 20]) {
            for align in [1, 64, 128, 4096, 1 << 20, 4 << 20] {
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
