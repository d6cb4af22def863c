//! Memory that goes back by itself.

use std::alloc::Layout;
use std::fmt;

use crate::{Block, Error, ErrorKind, Result, SharedResource};

/// Bytes of a host-accessible resource; they return to it when the buffer is dropped.
pub struct Buffer {
    resource: SharedResource,
    block: Block,
    layout: Layout,
}

// SAFETY: a buffer is the only owner of its block.
unsafe impl Send for Buffer {}
// SAFETY: a shared buffer gives only shared access to its bytes.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Takes `size_bytes` at an alignment of `align_bytes` from `resource`.
    ///
    /// # Errors
    ///
    /// What the resource answers; a size of 0, an alignment that is no power of two, or a resource
    /// that the host cannot read is a bad layout.
    pub fn new(resource: &SharedResource, size_bytes: usize, align_bytes: usize) -> Result<Self> {
        let bad = || {
            Error::new(ErrorKind::BadLayout {
                requested_bytes: size_bytes as u64,
                align_bytes: align_bytes as u64,
            })
        };
        let layout = Layout::from_size_align(size_bytes, align_bytes).map_err(|_| bad())?;
        if size_bytes == 0 || !resource.host_accessible() {
            return Err(bad());
        }
        let block = resource.allocate(layout)?;
        Ok(Self { resource: resource.clone(), block, layout })
    }

    /// How many bytes were asked for.
    pub fn len(&self) -> usize {
        self.layout.size()
    }

    /// Whether it holds nothing; a buffer never does.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The first byte's address.
    pub fn as_ptr(&self) -> *const u8 {
        self.block.address.as_ptr()
    }

    /// The first byte's address, to write there.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.block.address.as_ptr()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: the block came from this resource with this layout, and the buffer owned it.
        unsafe { self.resource.deallocate(self.block, self.layout) }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("len", &self.len()).finish_non_exhaustive()
    }
}
