//! What only Linux has: advice on huge pages, files without names, barriers in other threads.

use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use rustix::fs::{self, FallocateFlags, FlockOperation, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::{self, Errno};
use rustix::mm::{self, Advice, MapFlags, ProtFlags};
use rustix::thread::{MembarrierCommand, membarrier};

use super::{Result, not_null, number};

/// Advises the use of huge pages; whether they come is the system's affair.
pub(crate) fn advise_huge(address: NonNull<u8>, size: usize) {
    // SAFETY: this advice changes no byte and no mapping.
    let _refused = unsafe { mm::madvise(address.as_ptr().cast(), size, Advice::LinuxHugepage) };
}

/// Advises that a range of a file will be read soon.
pub(crate) fn read_ahead(file: &File, offset: u64, bytes: u64) {
    // Advice may be refused.
    let bytes = std::num::NonZeroU64::new(bytes);
    let _ = fs::fadvise(file, offset, bytes, fs::Advice::WillNeed);
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
/// Opens a file that is there, to read and write.
pub(crate) fn open_file(path: &Path) -> Result<OwnedFd> {
    fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(number)
}

/// Keeps a file from all who ask for the same, until it is closed; whether nobody had it.
pub(crate) fn lock(descriptor: BorrowedFd<'_>) -> Result<bool> {
    match fs::flock(descriptor, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(number(error)),
    }
}

/// A file's length.
pub(crate) fn length(descriptor: BorrowedFd<'_>) -> Result<u64> {
    fs::fstat(descriptor).map(|stat| stat.st_size as u64).map_err(number)
}

/// Reads what there is at a place of a file, up to a whole slice; how much that was.
pub(crate) fn read_at(descriptor: BorrowedFd<'_>, at: usize, into: &mut [u8]) -> Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match io::pread(descriptor, &mut into[read..], (at + read) as u64) {
            Ok(0) => break,
            Ok(bytes) => read += bytes,
            Err(Errno::INTR) => {}
            Err(error) => return Err(number(error)),
        }
    }
    Ok(read)
}

/// Writes a slice whole to a place of a file.
pub(crate) fn write_at(descriptor: BorrowedFd<'_>, at: usize, bytes: &[u8]) -> Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match io::pwrite(descriptor, &bytes[written..], (at + written) as u64) {
            Ok(bytes) => written += bytes,
            Err(Errno::INTR) => {}
            Err(error) => return Err(number(error)),
        }
    }
    Ok(())
}

/// Removes a file; one that cannot be stays.
pub(crate) fn remove_file(path: &Path) {
    let _refused = fs::unlink(path);
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

/// Whether [`barrier_in_all_threads`] works. The first call registers the process for it, which takes
/// milliseconds where other threads run.
#[cfg_attr(any(loom, shuttle), expect(dead_code, reason = "models have fences"))]
pub(crate) fn may_bar_all_threads() -> bool {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    *REGISTERED.get_or_init(|| {
        membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
            && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    })
}

/// Returns when every other thread of the process has passed a full memory barrier since the call, or was
/// not running.
#[cfg_attr(any(loom, shuttle), expect(dead_code, reason = "models have fences"))]
pub(crate) fn barrier_in_all_threads() {
    let mut done = membarrier(MembarrierCommand::PrivateExpedited);
    if done.is_err() {
        // Slower by far, but needs no registration.
        done = membarrier(MembarrierCommand::Global);
    }
    // Going on without it would be a data race.
    assert!(done.is_ok(), "the system granted membarrier before, and now refuses it: {done:?}");
}
