//! Pages of two mebibytes, where the system grants them.

use std::alloc::Layout;

use super::{Block, Resource};
use crate::{Error, Result, prim};

/// What a huge page holds, in bytes (x86-64, and aarch64 with 4 KiB pages).
pub(super) const HUGE_BYTES: usize = 2 << 20;

/// Anonymous memory in whole, aligned two-mebibyte pieces, with the advice to use huge pages.
///
/// Advice is all it is: where transparent huge pages are off, the blocks are the same on small pages.
///
/// Invariant: the sum of `size_bytes` over live blocks = the bytes this resource has mapped.
#[derive(Debug, Default, Clone, Copy)]
pub struct HugePages;

// SAFETY: every block is a mapping of its own, readable and writable, aligned to two mebibytes;
// larger alignments are refused.
unsafe impl Resource for HugePages {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let bad = || Error::bad_layout(layout.size(), layout.align());
        if layout.size() == 0 || layout.align() > HUGE_BYTES {
            return Err(bad());
        }
        let size_bytes = layout.size().checked_next_multiple_of(HUGE_BYTES).ok_or_else(bad)?;
        let address = prim::map_aligned(size_bytes, HUGE_BYTES)
            .map_err(|errno| Error::system(size_bytes, errno))?;
        // Refused advice changes nothing but speed.
        prim::advise_huge(address, size_bytes);
        Ok(Block { address, size_bytes })
    }

    unsafe fn deallocate(&self, block: Block, _layout: Layout) {
        // SAFETY: by the contract the block is one of ours, so its mapping has exactly this size.
        unsafe { prim::unmap(block.address, block.size_bytes) }
    }
}
