//! Blocks inside one mapped descriptor: the common ground of shared memory and mapped files.

use std::alloc::Layout;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use super::Block;
use super::extents::Extents;
use crate::sync::Mutex;
use crate::{Error, ErrorKind, Result, prim};

/// A descriptor, mapped whole, with its pages given out in blocks.
///
/// Invariant: given blocks lie page-aligned and disjoint inside the mapping, which lives as long as this.
#[derive(Debug)]
pub(super) struct Mapping {
    descriptor: OwnedFd,
    start: NonNull<u8>,
    capacity: usize,
    extents: Mutex<Extents>,
}

// SAFETY: the start is only used to compute blocks' addresses, and the extents are locked.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Sets the length of an empty descriptor to `capacity_bytes`, rounded up to pages, and maps it.
    pub(super) fn new(descriptor: OwnedFd, capacity_bytes: usize) -> Result<Self> {
        let capacity = capacity_bytes
            .checked_next_multiple_of(prim::page_bytes())
            .filter(|&capacity| capacity > 0)
            .ok_or_else(|| Error::bad_layout(capacity_bytes, prim::page_bytes()))?;
        let start = prim::set_length(descriptor.as_fd(), capacity)
            .and_then(|()| prim::map_shared(descriptor.as_fd(), capacity))
            .map_err(|errno| Error::system(capacity, errno))?;
        let extents = Mutex::new(Extents::new(capacity));
        Ok(Self { descriptor, start, capacity, extents })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn offset_of(&self, block: Block) -> Option<usize> {
        let offset = block.address.addr().get().checked_sub(self.start.addr().get())?;
        (offset < self.capacity).then_some(offset)
    }

    pub(super) fn allocate(&self, layout: Layout) -> Result<Block> {
        let page = prim::page_bytes();
        let bad = || Error::bad_layout(layout.size(), layout.align());
        if layout.size() == 0 || layout.align() > page {
            return Err(bad());
        }
        let size_bytes = layout.size().checked_next_multiple_of(page).ok_or_else(bad)?;
        let mut extents = self.extents.lock();
        let offset = extents.take(size_bytes).ok_or_else(|| {
            Error::new(ErrorKind::OverLimit {
                requested_bytes: layout.size() as u64,
                used_bytes: (self.capacity - extents.free_bytes()) as u64,
                limit_bytes: self.capacity as u64,
            })
        })?;
        drop(extents);
        // SAFETY: the extents lie inside the capacity, and so inside the mapping.
        let address = unsafe { self.start.add(offset) };
        Ok(Block { address, size_bytes })
    }

    /// # Safety
    ///
    /// The block came from `allocate` and is not used again.
    pub(super) unsafe fn deallocate(&self, block: Block) {
        let Some(offset) = self.offset_of(block) else {
            unreachable!("{block:?} is not in this mapping")
        };
        // The pages go back to the system before others may have them. A file system that cannot
        // free part of a file keeps them until the whole file goes: nothing worse.
        prim::free_part(self.descriptor.as_fd(), offset, block.size_bytes);
        self.extents.lock().give(offset, block.size_bytes);
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and this long, and blocks do not outlive their resource.
        unsafe { prim::unmap(self.start, self.capacity) }
    }
}
