//! Anonymous pages from the operating system: the root of all engine memory.

use std::alloc::Layout;

use super::{Block, Resource};
use crate::{Error, Result, prim};

/// Whole zeroed pages, mapped and unmapped one block at a time.
///
/// Invariant: the sum of `size_bytes` over live blocks = the bytes this resource has mapped.
#[derive(Debug, Default, Clone, Copy)]
pub struct Pages;

impl Pages {
    /// The size of a page, in bytes: every block is a multiple of it.
    pub fn page_bytes() -> usize {
        prim::page_bytes()
    }
}

// SAFETY: every block is a mapping of its own, readable and writable, of at least the size asked
// for; mappings are page-aligned and larger alignments are refused.
unsafe impl Resource for Pages {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let page = prim::page_bytes();
        let bad = || Error::bad_layout(layout.size(), layout.align());
        if layout.size() == 0 || layout.align() > page {
            return Err(bad());
        }
        let size_bytes = layout.size().checked_next_multiple_of(page).ok_or_else(bad)?;
        let address = prim::map(size_bytes).map_err(|errno| Error::system(size_bytes, errno))?;
        Ok(Block { address, size_bytes })
    }

    unsafe fn deallocate(&self, block: Block, _layout: Layout) {
        // SAFETY: by the contract the block is one of ours, so its mapping has exactly this size.
        unsafe { prim::unmap(block.address, block.size_bytes) }
    }
}
