//! Linux's twin elsewhere: the same signatures, and nothing of it can be done.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use rustix::io::Errno;

use super::{Result, number};

fn unsupported<T>() -> Result<T> {
    Err(number(Errno::NOSYS))
}

pub(crate) fn advise_huge(_address: NonNull<u8>, _size: usize) {}

pub(crate) fn memory_file() -> Result<OwnedFd> {
    unsupported()
}

pub(crate) fn seal(_descriptor: BorrowedFd<'_>) -> Result<()> {
    unsupported()
}

pub(crate) fn open_to_read(_path: &Path) -> Result<OwnedFd> {
    unsupported()
}

pub(crate) fn sealed_length(_descriptor: BorrowedFd<'_>) -> Result<usize> {
    unsupported()
}

pub(crate) fn unnamed_file(_directory: &Path) -> Result<OwnedFd> {
    unsupported()
}

pub(crate) fn new_file(_path: &Path) -> Result<OwnedFd> {
    unsupported()
}

pub(crate) fn open_file(_path: &Path) -> Result<OwnedFd> {
    unsupported()
}

pub(crate) fn lock(_descriptor: BorrowedFd<'_>) -> Result<bool> {
    unsupported()
}

pub(crate) fn length(_descriptor: BorrowedFd<'_>) -> Result<u64> {
    unsupported()
}

pub(crate) fn read_at(_descriptor: BorrowedFd<'_>, _at: usize, _into: &mut [u8]) -> Result<usize> {
    unsupported()
}

pub(crate) fn write_at(_descriptor: BorrowedFd<'_>, _at: usize, _bytes: &[u8]) -> Result<()> {
    unsupported()
}

pub(crate) fn remove_file(_path: &Path) {}

pub(crate) fn set_length(_descriptor: BorrowedFd<'_>, _length: usize) -> Result<()> {
    unsupported()
}

pub(crate) fn map_shared(_descriptor: BorrowedFd<'_>, _size: usize) -> Result<NonNull<u8>> {
    unsupported()
}

pub(crate) fn map_to_read(_descriptor: BorrowedFd<'_>, _size: usize) -> Result<NonNull<u8>> {
    unsupported()
}

pub(crate) fn read_ahead(_file: &std::fs::File, _offset: u64, _bytes: u64) {}

pub(crate) fn free_part(_descriptor: BorrowedFd<'_>, _offset: usize, _size: usize) {}

pub(crate) fn descriptor_path(_descriptor: BorrowedFd<'_>) -> PathBuf {
    PathBuf::new()
}

pub(crate) fn may_bar_all_threads() -> bool {
    false
}

pub(crate) fn barrier_in_all_threads() {
    unreachable!("nobody asks for what may not be had");
}
