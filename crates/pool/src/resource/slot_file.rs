//! A mapped file of slots: each is one owner's, and nobody reaches another's through it.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::ptr::NonNull;

use crate::{Error, ErrorKind, Result, prim};

/// `slots` slots of `slot_bytes` bytes each, one after another in a mapped file.
///
/// ```text
/// 0     "populace slots 1" | slots u64 | bytes of a slot u64      (little-endian)
/// 4096  slot 0 | slot 1 | …
/// ```
///
/// The file's space is taken when it is made, by writing: a full disk is an error there, not a signal
/// when a page is first touched. Its pages are the file's; no budget counts them.
///
/// ```
/// use populace_pool::SlotFile;
///
/// let mut file = SlotFile::unnamed(&std::env::temp_dir(), 3, 8, 0)?;
/// file.slot_mut(1)?.copy_from_slice(b"eight by");
/// assert_eq!(file.slot(1)?, b"eight by");
/// assert_eq!(file.slot(2)?, [0; 8]);
/// assert_eq!(file.slot(3).unwrap_err().to_string(), "slot 3 is out of range, there are 3 of 8 bytes");
/// # Ok::<(), populace_pool::Error>(())
/// ```
pub struct SlotFile {
    /// Keeps the lock.
    _descriptor: OwnedFd,
    start: NonNull<u8>,
    slots: usize,
    slot_bytes: usize,
}

// SAFETY: the mapping is this value's own, written only through `&mut self`.
unsafe impl Send for SlotFile {}
// SAFETY: as above; `&self` only reads.
unsafe impl Sync for SlotFile {}

const MAGIC: &[u8; 16] = b"populace slots 1";
const HEADER_BYTES: usize = 32;
/// Slots start at a page of their own, so that they are aligned for any element.
const FIRST_SLOT_AT: usize = 4096;

/// How many bytes are written at once.
const WRITE_BYTES: usize = 1 << 16;

impl SlotFile {
    /// A file without a name in `directory`, every byte of its slots `fill`: nobody else can open it,
    /// and it is gone when this process is, however it went.
    ///
    /// # Errors
    ///
    /// No slots, slots of 0 bytes, or what the operating system answers: not every file system has such
    /// files.
    pub fn unnamed(directory: &Path, slots: usize, slot_bytes: usize, fill: u8) -> Result<Self> {
        let length = length(slots, slot_bytes)?;
        let file = prim::unnamed_file(directory).map_err(|errno| Error::system(length, errno))?;
        Self::made(file, slots, slot_bytes, fill)
    }

    /// A new file at `path`, for its owner's eyes only (mode 0600), every byte of its slots `fill`. It
    /// stays when this is dropped.
    ///
    /// # Errors
    ///
    /// A file that is there already, which is left as it is; otherwise as [`SlotFile::unnamed`].
    ///
    /// # Safety
    ///
    /// Nobody writes to the file or cuts it off while this lives: its bytes are this process's memory.
    pub unsafe fn create(path: &Path, slots: usize, slot_bytes: usize, fill: u8) -> Result<Self> {
        let length = length(slots, slot_bytes)?;
        let file = prim::new_file(path).map_err(|errno| Error::system(length, errno))?;
        let made = Self::made(file, slots, slot_bytes, fill);
        if made.is_err() {
            // It was not there before this call, and is of no use.
            prim::remove_file(path);
        }
        made
    }

    /// The file that [`SlotFile::create`] made, with all that was written to it.
    ///
    /// # Errors
    ///
    /// It is not there, is open elsewhere, or is no such file; it is left as it is.
    ///
    /// # Safety
    ///
    /// As for [`SlotFile::create`].
    pub unsafe fn open(path: &Path) -> Result<Self> {
        let system = |errno| Error::system(0, errno);
        let bad = |problem: String| Error::new(ErrorKind::BadFile { path: path.into(), problem });
        let file = prim::open_file(path).map_err(system)?;
        if !prim::lock(file.as_fd()).map_err(system)? {
            return Err(bad("it is open elsewhere".to_owned()));
        }
        let mut header = [0; HEADER_BYTES];
        let read = prim::read_at(file.as_fd(), 0, &mut header).map_err(system)?;
        if read < HEADER_BYTES || !header.starts_with(MAGIC) {
            return Err(bad("it is no file of slots of version 1".to_owned()));
        }
        let number = |at: usize| {
            let bytes = header[at..].first_chunk().copied().unwrap_or_default();
            usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX)
        };
        let (slots, slot_bytes) = (number(16), number(24));
        let there = prim::length(file.as_fd()).map_err(system)?;
        match length(slots, slot_bytes) {
            Ok(length) if length as u64 == there => Self::mapped(file, slots, slot_bytes),
            _ => Err(bad(format!(
                "it has {there} bytes, which are not {slots} slots of {slot_bytes} after a page"
            ))),
        }
    }

    fn made(file: OwnedFd, slots: usize, slot_bytes: usize, fill: u8) -> Result<Self> {
        let length = length(slots, slot_bytes)?;
        let system = |errno| Error::system(length, errno);
        // Nobody else can have a lock on what was made just now.
        prim::lock(file.as_fd()).map_err(system)?;
        let mut header = [0; FIRST_SLOT_AT];
        header[..16].copy_from_slice(MAGIC);
        header[16..24].copy_from_slice(&(slots as u64).to_le_bytes());
        header[24..32].copy_from_slice(&(slot_bytes as u64).to_le_bytes());
        let filling = [fill; WRITE_BYTES];
        for at in (FIRST_SLOT_AT..length).step_by(WRITE_BYTES) {
            let bytes = &filling[..WRITE_BYTES.min(length - at)];
            prim::write_at(file.as_fd(), at, bytes).map_err(system)?;
        }
        // Last, so that a file whose making was cut short is none.
        prim::write_at(file.as_fd(), 0, &header).map_err(system)?;
        Self::mapped(file, slots, slot_bytes)
    }

    fn mapped(file: OwnedFd, slots: usize, slot_bytes: usize) -> Result<Self> {
        let length = length(slots, slot_bytes)?;
        let start = prim::map_shared(file.as_fd(), length);
        let start = start.map_err(|errno| Error::system(length, errno))?;
        Ok(Self { _descriptor: file, start, slots, slot_bytes })
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Bytes of a slot.
    pub fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    /// All slots, one after another, from an address that is aligned to a page.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping holds the page before the slots and `slots` × `slot_bytes` after it, which
        // are written only through `&mut self`.
        unsafe {
            let first = self.start.as_ptr().add(FIRST_SLOT_AT);
            std::slice::from_raw_parts(first, self.slots * self.slot_bytes)
        }
    }

    /// All slots, to write: [`slice::chunks_exact_mut`] hands each to another thread.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` is the only way to them.
        unsafe {
            let first = self.start.as_ptr().add(FIRST_SLOT_AT);
            std::slice::from_raw_parts_mut(first, self.slots * self.slot_bytes)
        }
    }

    /// One slot.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSlot`].
    pub fn slot(&self, slot: usize) -> Result<&[u8]> {
        self.check(slot)?;
        Ok(&self.bytes()[slot * self.slot_bytes..][..self.slot_bytes])
    }

    /// One slot, to write.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSlot`].
    pub fn slot_mut(&mut self, slot: usize) -> Result<&mut [u8]> {
        self.check(slot)?;
        let bytes = self.slot_bytes;
        Ok(&mut self.bytes_mut()[slot * bytes..][..bytes])
    }

    fn check(&self, slot: usize) -> Result<()> {
        if slot < self.slots {
            return Ok(());
        }
        let (slots, slot_bytes) = (self.slots, self.slot_bytes);
        Err(Error::new(ErrorKind::NoSlot { slot, slots, slot_bytes }))
    }
}

/// Bytes of a whole file.
fn length(slots: usize, slot_bytes: usize) -> Result<usize> {
    let bytes = slots.checked_mul(slot_bytes).filter(|&bytes| bytes > 0);
    let length = bytes.and_then(|bytes| bytes.checked_add(FIRST_SLOT_AT));
    let length = length.filter(|&length| isize::try_from(length).is_ok());
    length.ok_or_else(|| {
        let shape = vec![slots, slot_bytes];
        let rule = "a file has at least one slot of one byte, and at most 2^63 bytes";
        Error::new(ErrorKind::BadShape { shape, item_bytes: 1, rule })
    })
}

impl Drop for SlotFile {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and this long, and slices of it borrow `self`.
        unsafe { prim::unmap(self.start, FIRST_SLOT_AT + self.slots * self.slot_bytes) }
    }
}

impl fmt::Debug for SlotFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slots, slot_bytes, .. } = self;
        f.debug_struct("SlotFile")
            .field("slots", slots)
            .field("slot_bytes", slot_bytes)
            .finish_non_exhaustive()
    }
}
