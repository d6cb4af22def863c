//! A fixed-length array that lives in a resource's memory.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use populace_pool::{Buffer, Error, ErrorKind, Result, SharedResource};

use crate::lanes::Lane;
use crate::simd::Real;

/// Types of which every bit pattern is a value, and which may be read as bytes.
///
/// # Safety
///
/// As for `bytemuck::Pod`: no padding, no invalid bit pattern, no interior mutability. (Not
/// `Pod` itself only because that cannot be derived for an over-aligned generic type.)
pub unsafe trait Plain: Copy + Send + Sync + 'static {}

macro_rules! plain {
    ($($t:ty)*) => { $(
        // SAFETY: a primitive number: every bit pattern is a value and there is no padding.
        unsafe impl Plain for $t {}
    )* };
}
plain!(u8 u16 u32 u64 i32 i64 f32 f64);

// SAFETY: `Real` is sealed: sixteen `f32` or `f64`, of which every bit pattern is a value; the
// alignment of 64 divides their 64 or 128 bytes, so there is no padding.
unsafe impl<T: Real> Plain for Lane<T> {}

/// `len` values of type `T` in memory of a [`SharedResource`], zeroed at birth.
///
/// Aligned to 64 bytes. An empty array takes no memory.
///
/// ```
/// # use std::sync::Arc;
/// # use populace_pool::{Pages, SharedResource};
/// # use populace_tensor::Array;
/// let memory: SharedResource = Arc::new(Pages);
/// let mut weights = Array::<f32>::zeroed(&memory, 3)?;
/// weights[1] = 2.5;
/// assert_eq!(weights[..], [0.0, 2.5, 0.0]);
/// # Ok::<(), populace_pool::Error>(())
/// ```
pub struct Array<T> {
    /// The first value, so that reading one costs no look at the buffer; dangling if there is none.
    first: NonNull<T>,
    len: usize,
    /// Keeps the memory.
    _buffer: Option<Buffer>,
    marker: PhantomData<T>,
}

// SAFETY: an array owns its values as a `Vec` does, and its buffer may go to another thread.
unsafe impl<T: Send> Send for Array<T> {}
// SAFETY: a shared array gives only shared values.
unsafe impl<T: Sync> Sync for Array<T> {}

impl<T: Plain> Array<T> {
    /// The alignment of every array, in bytes: a cache line, and the widest vector.
    pub const ALIGN_BYTES: usize = 64;

    /// `len` zeros.
    ///
    /// # Errors
    ///
    /// What the resource answers, or a length whose bytes cannot be counted.
    pub fn zeroed(memory: &SharedResource, len: usize) -> Result<Self> {
        let mut buffer = Self::buffer(memory, len)?;
        if let Some(buffer) = &mut buffer {
            // SAFETY: the buffer's bytes are its own, all `len()` of them.
            unsafe { buffer.as_mut_ptr().write_bytes(0, buffer.len()) };
        }
        Ok(Self::over(buffer, len))
    }

    /// `len` values of whatever the memory held.
    ///
    /// # Errors
    ///
    /// As [`Array::zeroed`].
    pub fn unspecified(memory: &SharedResource, len: usize) -> Result<Self> {
        Ok(Self::over(Self::buffer(memory, len)?, len))
    }

    /// An array of the buffer's values; the buffer does not move.
    fn over(mut buffer: Option<Buffer>, len: usize) -> Self {
        let first = buffer.as_mut().and_then(|buffer| NonNull::new(buffer.as_mut_ptr().cast()));
        Self {
            first: first.unwrap_or(NonNull::dangling()),
            len,
            _buffer: buffer,
            marker: PhantomData,
        }
    }

    fn buffer(memory: &SharedResource, len: usize) -> Result<Option<Buffer>> {
        if len == 0 {
            return Ok(None);
        }
        let size_bytes = len.checked_mul(size_of::<T>()).ok_or_else(|| {
            Error::new(ErrorKind::BadLayout {
                requested_bytes: u64::MAX,
                align_bytes: Self::ALIGN_BYTES as u64,
            })
        })?;
        Buffer::new(memory, size_bytes, Self::ALIGN_BYTES).map(Some)
    }

    /// A copy of `values`.
    ///
    /// # Errors
    ///
    /// As [`Array::zeroed`].
    pub fn copied(memory: &SharedResource, values: &[T]) -> Result<Self> {
        let mut array = Self::unspecified(memory, values.len())?;
        array.copy_from_slice(values);
        Ok(array)
    }
}

/// An empty array, which takes no memory.
impl<T: Plain> Default for Array<T> {
    fn default() -> Self {
        Self::over(None, 0)
    }
}

impl<T: Plain> Deref for Array<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the buffer holds `len` initialised values of the plain type `T` from `first` on,
        // aligned to 64 bytes, and is borrowed for as long as the slice; without one `len` is 0.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl<T: Plain> DerefMut for Array<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.len) }
    }
}

impl<T> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array<{}>({})", std::any::type_name::<T>(), self.len)
    }
}
