//! The operating system's calls; nothing else in the crate makes one. Errors are its error numbers.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use rustix::fs::{self, FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{self, Advice, MapFlags, ProtFlags};

type Result<T> = std::result::Result<T, i32>;

/// The error number for memory that is not there.
pub(crate) const OUT_OF_MEMORY: i32 = Errno::NOMEM.raw_os_error();

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

/// Advises the use of huge pages; whether they come is the system's affair.
pub(crate) fn advise_huge(address: NonNull<u8>, size: usize) {
    // SAFETY: this advice changes no byte and no mapping.
    let _refused = unsafe { mm::madvise(address.as_ptr().cast(), size, Advice::LinuxHugepage) };
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

/// A memory file without a name, which can be sealed.
pub(crate) fn memory_file() -> Result<OwnedFd> {
    fs::memfd_create("populace", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).map_err(number)
}

/// From now on nobody can change a memory file's length, and it can only be opened to read.
///
/// A seal against writing would be stronger, but would also keep this process from freeing pages.
pub(crate) fn seal(descriptor: BorrowedFd<'_>) -> Result<()> {
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fs::fcntl_add_seals(descriptor, seals).map_err(number)?;
    fs::fchmod(descriptor, Mode::RUSR).map_err(number)
}

/// Opens a file again, to read.
pub(crate) fn open_to_read(path: &Path) -> Result<OwnedFd> {
    fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(number)
}

/// The length of a memory file that nobody can shorten.
pub(crate) fn sealed_length(descriptor: BorrowedFd<'_>) -> Result<usize> {
    if !fs::fcntl_get_seals(descriptor).map_err(number)?.contains(SealFlags::SHRINK) {
        return Err(number(Errno::PERM));
    }
    let length = fs::fstat(descriptor).map_err(number)?.st_size;
    usize::try_from(length).map_err(|_| number(Errno::OVERFLOW))
}

/// A file without a name in a directory.
pub(crate) fn unnamed_file(directory: &Path) -> Result<OwnedFd> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    fs::open(directory, flags, Mode::RUSR | Mode::WUSR).map_err(number)
}

/// A file that was not there before.
pub(crate) fn new_file(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(number)
}

/// Sets a file's length; what is new holds zeros and takes no space.
pub(crate) fn set_length(descriptor: BorrowedFd<'_>, length: usize) -> Result<()> {
    fs::ftruncate(descriptor, length as u64).map_err(number)
}

/// Maps a file's first `size` bytes, changes to which others see.
pub(crate) fn map_shared(descriptor: BorrowedFd<'_>, size: usize) -> Result<NonNull<u8>> {
    map_file(descriptor, size, ProtFlags::READ | ProtFlags::WRITE)
}

/// Maps a file's first `size` bytes to read.
pub(crate) fn map_to_read(descriptor: BorrowedFd<'_>, size: usize) -> Result<NonNull<u8>> {
    map_file(descriptor, size, ProtFlags::READ)
}

fn map_file(descriptor: BorrowedFd<'_>, size: usize, may: ProtFlags) -> Result<NonNull<u8>> {
    // SAFETY: no address is asked for, so the new mapping overlaps nothing.
    let address = unsafe {
        mm::mmap(ptr::null_mut(), size, may, MapFlags::SHARED | MapFlags::NORESERVE, descriptor, 0)
    };
    not_null(address.map_err(number)?)
}

/// Gives part of a file's space back; where the file system cannot, it stays taken.
pub(crate) fn free_part(descriptor: BorrowedFd<'_>, offset: usize, size: usize) {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let _refused = fs::fallocate(descriptor, flags, offset as u64, size as u64);
}

/// Where another process of the same user can open one of this process's descriptors.
pub(crate) fn descriptor_path(descriptor: BorrowedFd<'_>) -> PathBuf {
    let (process, number) = (std::process::id(), descriptor.as_raw_fd());
    PathBuf::from(format!("/proc/{process}/fd/{number}"))
}
