//! Where the memory of matrices and results comes from.

use std::alloc::Layout;

use populace_pool::{Block, HostHeap, HugePages, Resource, Result};

/// From this size on memory is in huge pages. NumPy has its own large arrays in them too, as far as
/// they happen to be aligned; on small pages, to write all of one takes nearly twice as long.
const HUGE_BYTES: usize = 2 << 20;

/// The heap; and huge pages, where the system grants them, for what is large.
#[derive(Debug)]
pub(crate) struct Host;

fn is_large(layout: Layout) -> bool {
    layout.size() >= HUGE_BYTES
}

// SAFETY: each block is one of a resource that keeps the contract, and the layout, which is the same when
// it comes back, says of which.
unsafe impl Resource for Host {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        if is_large(layout) { HugePages.allocate(layout) } else { HostHeap.allocate(layout) }
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        // SAFETY: by this function's own contract the block came from `allocate` with this layout.
        unsafe {
            if is_large(layout) {
                HugePages.deallocate(block, layout);
            } else {
                HostHeap.deallocate(block, layout);
            }
        }
    }
}
