//! Memory that goes back by itself.

use std::alloc::Layout;
use std::fmt;
use std::ptr::NonNull;

use crate::pool::{core::Core, thread_number};
use crate::resource::layout;
use crate::{Block, Error, ErrorKind, Result, SharedResource};

/// A block of any resource; it goes back when the region is dropped.
///
/// The host may not be able to address it: a region gives the address and size to hand to the
/// device. [`Buffer`] is a region whose bytes the host reads and writes.
pub struct Region {
    home: Home,
    block: Block,
    layout: Layout,
}

/// Where a region goes back to.
enum Home {
    Resource(SharedResource),
    /// Counted in the pool's slots, not here: see the pool's core. With the block's size class.
    Pool(NonNull<Core>, u16),
}

// SAFETY: a region is the only owner of its block, and its home may be called from any thread.
unsafe impl Send for Region {}
// SAFETY: a shared region gives only its address and size.
unsafe impl Sync for Region {}

impl Region {
    /// Takes `size_bytes` at an alignment of `align_bytes` from `resource`.
    ///
    /// # Errors
    ///
    /// A size of 0, an alignment that is no power of two, or what the resource answers.
    pub fn new(resource: &SharedResource, size_bytes: usize, align_bytes: usize) -> Result<Self> {
        let layout = layout(size_bytes, align_bytes)?;
        let block = resource.allocate(layout)?;
        Ok(Self { home: Home::Resource(resource.clone()), block, layout })
    }

    /// `block` was acquired from `core` with this class and layout; the region will release it.
    #[inline(always)]
    pub(crate) fn pooled(core: NonNull<Core>, class: usize, block: Block, layout: Layout) -> Self {
        // A ladder has at most 4,096 classes.
        Self { home: Home::Pool(core, class as u16), block, layout }
    }

    pub(crate) fn is_from(&self, core: NonNull<Core>) -> bool {
        matches!(self.home, Home::Pool(home, _) if home == core)
    }

    /// How many bytes were asked for.
    pub fn len(&self) -> usize {
        self.layout.size()
    }

    /// Whether it holds nothing; a region never does.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// What was really taken, and where.
    pub fn block(&self) -> Block {
        self.block
    }

    /// Whether the host may read and write it.
    #[inline]
    pub fn host_accessible(&self) -> bool {
        match &self.home {
            Home::Resource(resource) => resource.host_accessible(),
            // SAFETY: a pool's core lives until its last region has been released.
            Home::Pool(core, _) => unsafe { core.as_ref() }.host_accessible(),
        }
    }
}

impl Drop for Region {
    #[inline]
    fn drop(&mut self) {
        match &self.home {
            // SAFETY: the block came from this resource with this layout, and the region owned it.
            Home::Resource(resource) => unsafe { resource.deallocate(self.block, self.layout) },
            // SAFETY: the same of a pool, whose core lives until this release is counted.
            Home::Pool(core, class) => unsafe {
                let class = usize::from(*class);
                Core::release(*core, class, self.block, self.layout, thread_number());
            },
        }
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").field("block", &self.block).finish_non_exhaustive()
    }
}

/// Bytes that the host reads and writes; they go back when the buffer is dropped.
///
/// ```
/// use std::sync::Arc;
/// use populace_pool::{Buffer, HostHeap, SharedResource};
///
/// let heap: SharedResource = Arc::new(HostHeap);
/// let mut buffer = Buffer::new(&heap, 1000, 64)?;
/// buffer.as_mut_slice()[999] = 1;
/// assert_eq!(buffer.len(), 1000);
/// # Ok::<(), populace_pool::Error>(())
/// ```
pub struct Buffer(Region);

impl Buffer {
    /// Takes `size_bytes` at an alignment of `align_bytes` from `resource`.
    ///
    /// # Errors
    ///
    /// What the resource answers; a size of 0, an alignment that is no power of two, or a resource
    /// that the host cannot read.
    pub fn new(resource: &SharedResource, size_bytes: usize, align_bytes: usize) -> Result<Self> {
        Region::new(resource, size_bytes, align_bytes).and_then(Self::from_region)
    }

    /// A region that is known to be host-accessible.
    #[inline(always)]
    pub(crate) fn accessible(region: Region) -> Self {
        Self(region)
    }

    /// A region as a buffer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotHostAccessible`], and the region goes back.
    #[inline]
    pub fn from_region(region: Region) -> Result<Self> {
        if region.host_accessible() {
            Ok(Self(region))
        } else {
            let requested_bytes = region.len() as u64;
            Err(Error::new(ErrorKind::NotHostAccessible { requested_bytes }))
        }
    }

    /// How many bytes were asked for.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds nothing; a buffer never does.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The first byte's address.
    pub fn as_ptr(&self) -> *const u8 {
        self.0.block.address.as_ptr()
    }

    /// The first byte's address, to write there.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.block.address.as_ptr()
    }

    /// Its bytes; what they hold at first is up to where they came from.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the resource promises initialised bytes that the host may read, as many as were
        // asked for, and they are only written through `&mut self`.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len()) }
    }

    /// Its bytes, to write.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` is the only way to them.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr(), self.len()) }
    }

    /// The region that holds the bytes.
    pub fn region(&self) -> &Region {
        &self.0
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("len", &self.len()).finish_non_exhaustive()
    }
}
