//! Buffers that several hold at once.

use std::sync::Arc;

use crate::Buffer;

/// A counted buffer: a clone adds one, and the last one dropped gives the bytes back.
///
/// ```
/// use populace_pool::{HostHeap, Pool};
///
/// let pool = Pool::new(HostHeap);
/// let mut one = pool.acquire_shared(100)?;
/// one.get_mut().expect("nobody else holds it").fill(3);
/// let two = one.clone();
/// drop(one);
/// assert_eq!(two.as_slice()[99], 3);
/// assert_eq!(pool.snapshot().all.in_use_count, 1);
/// # Ok::<(), populace_pool::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SharedBuffer(Arc<Buffer>);

impl SharedBuffer {
    /// Counts a buffer.
    pub fn new(buffer: Buffer) -> Self {
        Self(Arc::new(buffer))
    }

    /// How many hold it.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// How many bytes were asked for.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds nothing; a buffer never does.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Its bytes, to write; `None` while others hold it too.
    pub fn get_mut(&mut self) -> Option<&mut [u8]> {
        Arc::get_mut(&mut self.0).map(Buffer::as_mut_slice)
    }

    /// The buffer itself, if nobody else holds it.
    ///
    /// # Errors
    ///
    /// Itself, while others hold it too.
    pub fn try_into_buffer(self) -> Result<Buffer, Self> {
        Arc::try_unwrap(self.0).map_err(Self)
    }
}

impl From<Buffer> for SharedBuffer {
    fn from(buffer: Buffer) -> Self {
        Self::new(buffer)
    }
}
