//! The operating system's calls; nothing else in the crate makes one. Errors are its error numbers.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::*;

use std::ptr::{self, NonNull};

use rustix::io::Errno;
use rustix::mm::{self, MapFlags, ProtFlags};

type Result<T> = std::result::Result<T, i32>;

/// The error number for memory that is not there.
pub(crate) const OUT_OF_MEMORY: i32 = Errno::NOMEM.raw_os_error();

/// The error number for what this system does not have.
pub(crate) const NOT_THERE: i32 = Errno::NOSYS.raw_os_error();

fn number(error: Errno) -> i32 {
    error.raw_os_error()
}

fn not_null(address: *mut core::ffi::c_void) -> Result<NonNull<u8>> {
    NonNull::new(address.cast()).ok_or(OUT_OF_MEMORY)
}

/// The size of a page, in bytes.
pub(crate) fn page_bytes() -> usize {
    rustix::param::page_size()
}

/// Maps `size` zeroed bytes.
pub(crate) fn map(size: usize) -> Result<NonNull<u8>> {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: no address is asked for, so the new mapping overlaps nothing.
    let address = unsafe { mm::mmap_anonymous(ptr::null_mut(), size, protection, flags) };
    not_null(address.map_err(number)?)
}

/// Maps `size` zeroed bytes at a multiple of `align`, a power of two of at least a page.
pub(crate) fn map_aligned(size: usize, align: usize) -> Result<NonNull<u8>> {
    let wide = size.checked_add(align).ok_or(OUT_OF_MEMORY)?;
    let start = map(wide)?;
    let before = start.addr().get().next_multiple_of(align) - start.addr().get();
    // SAFETY: `before` < `align`, so `before + size` < `wide`: all three parts lie in the mapping, and
    // the first and the last are whole pages that nothing uses.
    unsafe {
        let address = start.add(before);
        if before > 0 {
            unmap(start, before);
        }
        if align > before {
            unmap(address.add(size), align - before);
        }
        Ok(address)
    }
}

/// Unmaps what one of the maps gave, or whole pages of it.
///
/// # Safety
///
/// `address` and `size` are those of live pages that nothing uses any more.
pub(crate) unsafe fn unmap(address: NonNull<u8>, size: usize) {
    // SAFETY: the caller's promise.
    let result = unsafe { mm::munmap(address.as_ptr().cast(), size) };
    debug_assert!(result.is_ok(), "munmap of a live mapping failed: {result:?}");
}
