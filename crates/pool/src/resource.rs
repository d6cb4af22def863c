//! The one concept: something that gives memory and takes it back.

mod extents;
pub(crate) mod host;
pub(crate) mod huge;
pub(crate) mod mapped_file;
mod mapping;
pub(crate) mod null;
pub(crate) mod pages;
pub(crate) mod shared_memory;
pub(crate) mod slot_file;

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::{Error, Result};

/// The alignment that buffers have unless more is asked for, in bytes: a cache line, and the widest
/// vector register.
pub const CACHE_LINE_BYTES: usize = 64;

/// Memory given by a [`Resource`].
///
/// `size_bytes` ≥ the layout's size: a resource that rounds up says so, and the difference is
/// padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Where it starts. Only a resource that is [`Resource::host_accessible`] promises that the
    /// host may read or write there; a device's address or handle is a pointer without provenance.
    pub address: NonNull<u8>,
    /// How much was really taken, in bytes.
    pub size_bytes: usize,
}

// SAFETY: a block is a place and a size, which grant no access by themselves.
unsafe impl Send for Block {}

/// Gives memory and takes it back.
///
/// Nothing in the crate reads or writes a block of a resource whose memory the host cannot address:
/// all bookkeeping lies beside the blocks, never in them.
///
/// # Safety
///
/// A block that `allocate` returned holds at least `layout.size()` bytes at `layout.align()`,
/// overlaps no other live block, and stays valid until `deallocate`, whichever thread calls it. If
/// [`Self::host_accessible`], its bytes may be read and written and were initialised (to anything).
/// An `allocate` that fails takes nothing.
pub unsafe trait Resource: Send + Sync {
    /// Gives a block of at least `layout.size()` bytes.
    ///
    /// # Errors
    ///
    /// A limit, the operating system, or a layout that the resource cannot serve; a size of 0 always
    /// is one.
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

// SAFETY: every call is passed on unchanged.
unsafe impl<R: Resource + ?Sized> Resource for Arc<R> {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        (**self).allocate(layout)
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        // SAFETY: the caller's contract, passed on.
        unsafe { (**self).deallocate(block, layout) }
    }

    fn host_accessible(&self) -> bool {
        (**self).host_accessible()
    }
}

/// A layout of `size_bytes` at `align_bytes`.
///
/// # Errors
///
/// A size of 0, an alignment that is no power of two, or a size that overflows when rounded up to it.
pub(crate) fn layout(size_bytes: usize, align_bytes: usize) -> Result<Layout> {
    match Layout::from_size_align(size_bytes, align_bytes) {
        Ok(layout) if size_bytes > 0 => Ok(layout),
        _ => Err(Error::bad_layout(size_bytes, align_bytes)),
    }
}
