//! Memory that a file stands behind: the system may write it out instead of swapping it.

use std::alloc::Layout;
use std::path::Path;

use super::mapping::Mapping;
use super::{Block, Resource};
use crate::{Error, Result, prim};

/// Blocks in one mapped file.
///
/// Invariant: the capacity is fixed; disk space is taken as pages are written, and freed with their block
/// where the file system can.
#[derive(Debug)]
pub struct MappedFile(Mapping);

impl MappedFile {
    /// A file without a name in `directory`: nobody else can open it, and it is gone when this process
    /// is, however it went.
    ///
    /// # Errors
    ///
    /// A capacity of 0, or what the operating system answers; not every file system has such files.
    pub fn unnamed(directory: &Path, capacity_bytes: usize) -> Result<Self> {
        let file = prim::unnamed_file(directory);
        let file = file.map_err(|errno| Error::system(capacity_bytes, errno))?;
        Mapping::new(file, capacity_bytes).map(Self)
    }

    /// A new file at `path`, for its owner's eyes only (mode 0600); it stays when this is dropped.
    ///
    /// # Errors
    ///
    /// A file that is there already, a capacity of 0, or what the operating system answers.
    ///
    /// # Safety
    ///
    /// Nobody writes to the file or cuts it off while this lives: its bytes are this process's memory.
    pub unsafe fn create(path: &Path, capacity_bytes: usize) -> Result<Self> {
        let file = prim::new_file(path);
        let file = file.map_err(|errno| Error::system(capacity_bytes, errno))?;
        Mapping::new(file, capacity_bytes).map(Self)
    }

    /// What fits, in bytes.
    pub fn capacity_bytes(&self) -> usize {
        self.0.capacity()
    }

    /// Where a block lies in the file, in bytes; `None` for another resource's block.
    pub fn offset_of(&self, block: Block) -> Option<usize> {
        self.0.offset_of(block)
    }
}

// SAFETY: the mapping's blocks are disjoint and page-aligned, hold zeros or what their last user
// left, and nobody else touches the file: it has no name, or `create`'s caller promised.
unsafe impl Resource for MappedFile {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        self.0.allocate(layout)
    }

    unsafe fn deallocate(&self, block: Block, _layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { self.0.deallocate(block) }
    }
}
