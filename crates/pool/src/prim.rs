//! The operating system's calls; nothing else in the crate makes one.

use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags};

/// The error number for memory that is not there.
pub(crate) const OUT_OF_MEMORY: i32 = rustix::io::Errno::NOMEM.raw_os_error();

/// The size of a page, in bytes.
pub(crate) fn page_bytes() -> usize {
    rustix::param::page_size()
}

/// Maps `size` zeroed bytes, or answers the error number.
pub(crate) fn map(size: usize) -> Result<NonNull<u8>, i32> {
    // SAFETY: no address is asked for, so the new mapping overlaps nothing.
    let address = unsafe {
        rustix::mm::mmap_anonymous(
            ptr::null_mut(),
            size,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::NORESERVE,
        )
    }
    .map_err(|error| error.raw_os_error())?;
    NonNull::new(address.cast()).ok_or(OUT_OF_MEMORY)
}

/// Unmaps what [`map`] gave.
///
/// # Safety
///
/// `address` and `size` are those of a live mapping that nothing uses any more.
pub(crate) unsafe fn unmap(address: NonNull<u8>, size: usize) {
    // SAFETY: the caller's promise.
    let result = unsafe { rustix::mm::munmap(address.as_ptr().cast(), size) };
    debug_assert!(result.is_ok(), "munmap of a live mapping failed: {result:?}");
}
