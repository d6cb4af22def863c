//! The one concept: something that gives memory and takes it back.

pub(crate) mod pages;

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::Result;

/// Memory given by a [`Resource`].
///
/// `size_bytes` ≥ the layout's size: a resource that rounds up says so, and the difference is
/// padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Where it starts. Only a resource that is [`Resource::host_accessible`] promises that the
    /// host may read or write there.
    pub address: NonNull<u8>,
    /// How much was really taken, in bytes.
    pub size_bytes: usize,
}

/// Gives memory and takes it back.
///
/// # Safety
///
/// A block that `allocate` returned holds at least `layout.size()` bytes at `layout.align()`,
/// overlaps no other live block, and stays valid until `deallocate`. If [`Self::host_accessible`],
/// its bytes may be read and written and were initialised (to anything).
pub unsafe trait Resource: Send + Sync {
    /// Gives a block of at least `layout.size()` bytes.
    ///
    /// # Errors
    ///
    /// A limit, the operating system, or a layout that the resource cannot serve.
    fn allocate(&self, layout: Layout) -> Result<Block>;

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// `block` came from this resource's `allocate` with the same `layout`, and is not used again.
    unsafe fn deallocate(&self, block: Block, layout: Layout);

    /// Whether the host may read and write the blocks.
    fn host_accessible(&self) -> bool {
        true
    }
}

/// A resource that several owners hold.
pub type SharedResource = Arc<dyn Resource>;
