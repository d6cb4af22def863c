//! Memory that a second process maps by descriptor.

use std::alloc::Layout;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::ptr::NonNull;

use super::mapping::Mapping;
use super::{Block, Resource};
use crate::{Error, Result, prim};

/// Blocks in one anonymous memory file that other processes can map to read.
///
/// Another process gets a [`Self::descriptor`] (inherited, or passed over a socket) or opens [`Self::path`], and
/// maps it as a [`SharedView`]; a block is then found by its offset. The file has no name, so nothing is left
/// when the last process that holds it is gone, however it went. Its length is sealed, and its mode and
/// the descriptors given out only allow reading.
///
/// Invariant: the capacity is fixed; pages are taken from the system as they are first written, and freed with
/// their block.
#[derive(Debug)]
pub struct SharedMemory(Mapping);

impl SharedMemory {
    /// Shared memory for `capacity_bytes`, rounded up to pages; none are taken yet.
    ///
    /// # Errors
    ///
    /// A capacity of 0, or what the operating system answers.
    pub fn new(capacity_bytes: usize) -> Result<Self> {
        let system = |errno| Error::system(capacity_bytes, errno);
        let mapping = Mapping::new(prim::memory_file().map_err(system)?, capacity_bytes)?;
        prim::seal(mapping.descriptor()).map_err(system)?;
        Ok(Self(mapping))
    }

    /// A descriptor to give to another process, which can read by it but not write.
    ///
    /// # Errors
    ///
    /// What the operating system answers.
    pub fn descriptor(&self) -> Result<OwnedFd> {
        prim::open_to_read(&self.path()).map_err(|errno| Error::system(self.0.capacity(), errno))
    }

    /// Where another process of the same user can open it while this one lives.
    pub fn path(&self) -> PathBuf {
        prim::descriptor_path(self.0.descriptor())
    }

    /// What fits, in bytes.
    pub fn capacity_bytes(&self) -> usize {
        self.0.capacity()
    }

    /// Where a block lies in it, in bytes; `None` for another resource's block.
    pub fn offset_of(&self, block: Block) -> Option<usize> {
        self.0.offset_of(block)
    }
}

// SAFETY: the mapping's blocks are disjoint and page-aligned, hold zeros or what their last user
// left, the seals keep others from cutting them off, and no descriptor that is given out lets them write.
unsafe impl Resource for SharedMemory {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        self.0.allocate(layout)
    }

    unsafe fn deallocate(&self, block: Block, _layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { self.0.deallocate(block) }
    }
}

/// Another process's [`SharedMemory`], mapped to read.
///
/// Its owner may write at any time, so there is no slice of it: [`Self::read`] copies, and
/// [`Self::as_ptr`] is for readers who have agreed with the owner when to look.
#[derive(Debug)]
pub struct SharedView {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the view only reads, through volatile copies or the caller's own unsafe code.
unsafe impl Send for SharedView {}
// SAFETY: as above.
unsafe impl Sync for SharedView {}

impl SharedView {
    /// Maps a descriptor of shared memory.
    ///
    /// # Errors
    ///
    /// A descriptor that is not sealed against getting shorter, or what the operating system answers.
    pub fn new(descriptor: impl AsFd) -> Result<Self> {
        let descriptor = descriptor.as_fd();
        let system = |errno| Error::system(0, errno);
        let length = prim::sealed_length(descriptor).map_err(system)?;
        let start = prim::map_to_read(descriptor, length).map_err(system)?;
        Ok(Self { start, length })
    }

    /// How many bytes it spans.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it spans none; a view never does.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The first byte's address. What lies there may change at any time.
    pub fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    /// Copies what lies at `offset` now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OverLimit`](crate::ErrorKind::OverLimit) if it does not lie inside; nothing was copied.
    pub fn read(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        if offset.checked_add(into.len()).is_none_or(|end| end > self.length) {
            return Err(Error::new(crate::ErrorKind::OverLimit {
                requested_bytes: into.len() as u64,
                used_bytes: offset as u64,
                limit_bytes: self.length as u64,
            }));
        }
        for (index, byte) in into.iter_mut().enumerate() {
            // SAFETY: inside the mapping, by the check above; volatile, because the owner may write.
            *byte = unsafe { self.start.add(offset + index).read_volatile() };
        }
        Ok(())
    }
}

impl Drop for SharedView {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and this long.
        unsafe { prim::unmap(self.start, self.length) }
    }
}
