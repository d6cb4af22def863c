//! A result: elements in a buffer of the pool.

use std::ptr::NonNull;

use populace_pool::{Buffer, SharedResource};

use crate::dtype::arithmetic;
use crate::layout::{Layout, element_count};
use crate::{Dtype, Element, Error, ErrorKind, Result, View, ViewMut};

/// Elements in a buffer of the pool, the last axis varying fastest; the buffer goes back to the
/// pool when the tensor is dropped.
#[derive(Debug)]
pub struct Tensor {
    buffer: Buffer,
    dtype: Dtype,
    pub(crate) layout: Layout,
}

/// Buffers start on a cache line, which is also the widest vector register.
pub(crate) const ALIGN_BYTES: usize = 64;

impl Tensor {
    /// A tensor with the buffer's contents as they are.
    ///
    /// # Errors
    ///
    /// The type is not calculated with, the shape cannot be addressed, or the resource gives no memory.
    pub fn uninit(resource: &SharedResource, dtype: Dtype, shape: &[usize]) -> Result<Self> {
        arithmetic(dtype)?;
        let layout = Layout::row_major(shape)?;
        // A buffer holds at least a byte, so an empty tensor takes one element.
        let size_bytes = element_count(shape)?.max(1) * dtype.item_bytes();
        Ok(Self { buffer: Buffer::new(resource, size_bytes, ALIGN_BYTES)?, dtype, layout })
    }

    /// A copy of a slice.
    ///
    /// # Errors
    ///
    /// The slice does not fill the shape, or the resource gives no memory.
    pub fn from_slice<T: Element>(
        resource: &SharedResource,
        elements: &[T],
        shape: &[usize],
    ) -> Result<Self> {
        View::new(elements, shape)?;
        let mut tensor = Self::uninit(resource, T::DTYPE, shape)?;
        // SAFETY: the buffer holds the shape's elements, as many as the slice; they are distinct.
        unsafe {
            let to = tensor.buffer.as_mut_ptr().cast::<T>();
            std::ptr::copy_nonoverlapping(elements.as_ptr(), to, elements.len());
        }
        Ok(tensor)
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The size of every axis.
    pub fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    /// The elements, to read.
    ///
    /// # Errors
    ///
    /// `T` is not the tensor's element type.
    pub fn view<T: Element>(&self) -> Result<View<'_, T>> {
        self.check_dtype::<T>()?;
        let first = NonNull::new(self.as_ptr().cast_mut().cast()).unwrap_or(NonNull::dangling());
        Ok(View::from_parts(first, self.layout.clone()))
    }

    /// The elements, to write.
    ///
    /// # Errors
    ///
    /// `T` is not the tensor's element type.
    pub fn view_mut<T: Element>(&mut self) -> Result<ViewMut<'_, T>> {
        self.check_dtype::<T>()?;
        let first = NonNull::new(self.as_mut_ptr().cast()).unwrap_or(NonNull::dangling());
        Ok(ViewMut::from_parts(first, self.layout.clone()))
    }

    /// The elements, the last axis varying fastest.
    ///
    /// # Errors
    ///
    /// `T` is not the tensor's element type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        self.check_dtype::<T>()?;
        // SAFETY: the buffer holds that many elements, aligned; every bit pattern is a value.
        Ok(unsafe { std::slice::from_raw_parts(self.as_ptr().cast(), self.layout.count()) })
    }

    fn check_dtype<T: Element>(&self) -> Result<()> {
        if T::DTYPE == self.dtype {
            return Ok(());
        }
        Err(Error::new(ErrorKind::ElementType { tensor: self.dtype, asked: T::DTYPE }))
    }

    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.buffer.as_ptr()
    }

    /// Where its elements start, to write; valid for as long as the tensor.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.buffer.as_mut_ptr()
    }
}
