//! Strided views of elements that live elsewhere.
//!
//! A view borrows its memory, so it cannot outlive it:
//!
//! ```compile_fail,E0597
//! use populace_tensor::View;
//! let view = {
//!     let numbers = vec![1.0_f32, 2.0];
//!     View::new(&numbers, &[2]).unwrap()
//! };
//! assert_eq!(view.get(&[0]), Some(1.0));
//! ```
//!
//! Invariant: every element that the layout reaches lies inside the borrowed memory; a
//! [`ViewMut`] reaches each element by one index only.

use std::marker::PhantomData;
use std::ptr::NonNull;

use populace_pool::Buffer;

use crate::layout::{Layout, element_count};
use crate::{Element, Error, ErrorKind, Result};

/// Elements that are read.
#[derive(Debug, Clone)]
pub struct View<'a, T> {
    pub(crate) first: NonNull<T>,
    pub(crate) layout: Layout,
    memory: PhantomData<&'a [T]>,
}

/// Elements that are written.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    pub(crate) first: NonNull<T>,
    pub(crate) layout: Layout,
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: a view is a shared borrow of its elements.
unsafe impl<T: Sync> Send for View<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for View<'_, T> {}
// SAFETY: a mutable view is a unique borrow of its elements.
unsafe impl<T: Send> Send for ViewMut<'_, T> {}
// SAFETY: a shared mutable view gives only shared access.
unsafe impl<T: Sync> Sync for ViewMut<'_, T> {}

/// Checks that `layout`, its first element at `offset`, stays inside `available` elements.
fn inside(layout: &Layout, offset: usize, available: usize) -> Result<()> {
    let Some((lowest, highest)) = layout.extent() else { return Ok(()) };
    let needed = (offset as isize).checked_add(highest).map(|last| last as usize + 1);
    match needed {
        Some(needed) if needed <= available && offset as isize + lowest >= 0 => Ok(()),
        _ => {
            let needed = needed.unwrap_or(usize::MAX).saturating_add(lowest.unsigned_abs());
            Err(Error::new(ErrorKind::OutOfBounds { available, needed }))
        }
    }
}

/// Checks that a buffer holds `shape` and is aligned for `T`.
fn of_bytes<T: Element>(buffer: &Buffer, shape: &[usize]) -> Result<Layout> {
    let layout = Layout::row_major(shape)?;
    let aligned = buffer.as_ptr().cast::<T>().is_aligned();
    let available = if aligned { buffer.len() / size_of::<T>() } else { 0 };
    inside(&layout, 0, available)?;
    Ok(layout)
}

impl<'a, T: Element> View<'a, T> {
    /// All of a slice, the last axis varying fastest.
    ///
    /// # Errors
    ///
    /// The slice holds fewer or more elements than the shape.
    ///
    /// ```
    /// # use populace_tensor::View;
    /// let m = View::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])?;
    /// assert_eq!(m.get(&[1, 0]), Some(4.0));
    /// # Ok::<(), populace_tensor::Error>(())
    /// ```
    pub fn new(elements: &'a [T], shape: &[usize]) -> Result<Self> {
        let needed = element_count(shape)?;
        if needed != elements.len() {
            return Err(Error::new(ErrorKind::OutOfBounds { available: elements.len(), needed }));
        }
        let layout = Layout::row_major(shape)?;
        Ok(Self { first: NonNull::from(elements).cast(), layout, memory: PhantomData })
    }

    /// Elements of a slice with any strides, `[0, 0, …]` lying at `offset`.
    ///
    /// # Errors
    ///
    /// An index would reach outside the slice.
    ///
    /// ```
    /// # use populace_tensor::View;
    /// let reversed = View::with_strides(&[1.0, 2.0, 3.0], &[3], &[-1], 2)?;
    /// assert_eq!(reversed.get(&[0]), Some(3.0));
    /// # Ok::<(), populace_tensor::Error>(())
    /// ```
    pub fn with_strides(
        elements: &'a [T],
        shape: &[usize],
        strides: &[isize],
        offset: usize,
    ) -> Result<Self> {
        let layout = Layout::strided(shape, strides)?;
        inside(&layout, offset, elements.len())?;
        let offset = if layout.is_empty() { 0 } else { offset };
        // SAFETY: an element lies at `offset`, inside the slice, as was just checked.
        let first = unsafe { NonNull::from(elements).cast::<T>().add(offset) };
        Ok(Self { first, layout, memory: PhantomData })
    }

    /// The bytes of a pool buffer, the last axis varying fastest.
    ///
    /// # Errors
    ///
    /// The buffer is too small or not aligned for `T`.
    pub fn of_buffer(buffer: &'a Buffer, shape: &[usize]) -> Result<Self> {
        let layout = of_bytes::<T>(buffer, shape)?;
        // A buffer's address is never null; dangling is the answer for an impossible one.
        let first = NonNull::new(buffer.as_ptr().cast_mut().cast()).unwrap_or(NonNull::dangling());
        Ok(Self { first, layout, memory: PhantomData })
    }

    /// Elements at an address, for callers that hold arrays of another language.
    ///
    /// # Safety
    ///
    /// For `'a`, every element that `shape` and `strides` reach from `first` can be read and is
    /// not written.
    ///
    /// # Errors
    ///
    /// The layout has more elements than can be addressed.
    pub unsafe fn from_raw(first: NonNull<T>, shape: &[usize], strides: &[isize]) -> Result<Self> {
        Ok(Self { first, layout: Layout::strided(shape, strides)?, memory: PhantomData })
    }

    pub(crate) fn from_parts(first: NonNull<T>, layout: Layout) -> Self {
        Self { first, layout, memory: PhantomData }
    }

    /// The size of every axis.
    pub fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    /// The distance of neighbours along every axis, in elements.
    pub fn strides(&self) -> &[isize] {
        &self.layout.strides
    }

    /// One element, or `None` outside.
    pub fn get(&self, index: &[usize]) -> Option<T> {
        // SAFETY: the index is inside the layout, which lies inside the borrowed memory.
        self.layout.offset(index).map(|offset| unsafe { self.first.offset(offset).read() })
    }

    /// All elements, the last axis varying fastest.
    pub fn to_vec(&self) -> Vec<T> {
        let mut elements = Vec::with_capacity(self.layout.count());
        let mut index = vec![0; self.layout.axes()];
        for _ in 0..self.layout.count() {
            elements.extend(self.get(&index));
            for (i, &size) in index.iter_mut().zip(&self.layout.shape).rev() {
                *i += 1;
                if *i < size {
                    break;
                }
                *i = 0;
            }
        }
        elements
    }

    /// The same elements with the axes in another order.
    ///
    /// # Errors
    ///
    /// `order` does not name every axis once.
    pub fn permuted(&self, order: &[usize]) -> Result<Self> {
        Ok(Self::from_parts(self.first, self.layout.permuted(order)?))
    }

    /// `count` indices of an axis from `start`, by `step` (negative: backwards).
    ///
    /// # Errors
    ///
    /// An index is not there.
    ///
    /// ```
    /// # use populace_tensor::View;
    /// let every_other = View::new(&[1, 2, 3, 4, 5], &[5])?.sliced(0, 4, 3, -2)?;
    /// assert_eq!(every_other.to_vec(), [5, 3, 1]);
    /// # Ok::<(), populace_tensor::Error>(())
    /// ```
    pub fn sliced(&self, axis: usize, start: usize, count: usize, step: isize) -> Result<Self> {
        let (layout, offset) = self.layout.sliced(axis, start, count, step)?;
        // SAFETY: an element of this view lies at `offset`, or it is 0.
        let first = unsafe { self.first.offset(offset) };
        Ok(Self::from_parts(first, layout))
    }

    /// NumPy's `broadcast_to`.
    ///
    /// # Errors
    ///
    /// An axis that is not 1 has another size.
    pub fn broadcast(&self, shape: &[usize]) -> Result<Self> {
        Ok(Self::from_parts(self.first, self.layout.broadcast(shape)?))
    }
}

impl<'a, T: Element> ViewMut<'a, T> {
    /// All of a slice, the last axis varying fastest.
    ///
    /// # Errors
    ///
    /// The slice holds fewer or more elements than the shape.
    pub fn new(elements: &'a mut [T], shape: &[usize]) -> Result<Self> {
        let needed = element_count(shape)?;
        if needed != elements.len() {
            return Err(Error::new(ErrorKind::OutOfBounds { available: elements.len(), needed }));
        }
        let layout = Layout::row_major(shape)?;
        Ok(Self { first: NonNull::from(elements).cast(), layout, memory: PhantomData })
    }

    /// Elements of a slice with any strides, `[0, 0, …]` lying at `offset`.
    ///
    /// # Errors
    ///
    /// An index would reach outside the slice, or two indices the same element.
    pub fn with_strides(
        elements: &'a mut [T],
        shape: &[usize],
        strides: &[isize],
        offset: usize,
    ) -> Result<Self> {
        let layout = Layout::strided(shape, strides)?;
        inside(&layout, offset, elements.len())?;
        if layout.overlaps_itself() {
            return Err(Error::new(ErrorKind::SelfOverlap));
        }
        let offset = if layout.is_empty() { 0 } else { offset };
        // SAFETY: an element lies at `offset`, inside the slice, as was just checked.
        let first = unsafe { NonNull::from(elements).cast::<T>().add(offset) };
        Ok(Self { first, layout, memory: PhantomData })
    }

    /// The bytes of a pool buffer, the last axis varying fastest.
    ///
    /// # Errors
    ///
    /// The buffer is too small or not aligned for `T`.
    pub fn of_buffer(buffer: &'a mut Buffer, shape: &[usize]) -> Result<Self> {
        let layout = of_bytes::<T>(buffer, shape)?;
        let first = NonNull::new(buffer.as_mut_ptr().cast()).unwrap_or(NonNull::dangling());
        Ok(Self { first, layout, memory: PhantomData })
    }

    /// Elements at an address, for callers that hold arrays of another language.
    ///
    /// # Safety
    ///
    /// For `'a`, every element that `shape` and `strides` reach from `first` can be read and
    /// written, and only this view does either.
    ///
    /// # Errors
    ///
    /// The layout has more elements than can be addressed, or reaches one by two indices.
    pub unsafe fn from_raw(first: NonNull<T>, shape: &[usize], strides: &[isize]) -> Result<Self> {
        let layout = Layout::strided(shape, strides)?;
        if layout.overlaps_itself() {
            return Err(Error::new(ErrorKind::SelfOverlap));
        }
        Ok(Self { first, layout, memory: PhantomData })
    }

    pub(crate) fn from_parts(first: NonNull<T>, layout: Layout) -> Self {
        Self { first, layout, memory: PhantomData }
    }

    /// The size of every axis.
    pub fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    /// The distance of neighbours along every axis, in elements.
    pub fn strides(&self) -> &[isize] {
        &self.layout.strides
    }

    /// The same elements, to read.
    pub fn as_view(&self) -> View<'_, T> {
        View::from_parts(self.first, self.layout.clone())
    }

    /// Writes one element; answers whether it is there.
    pub fn set(&mut self, index: &[usize], value: T) -> bool {
        let Some(offset) = self.layout.offset(index) else { return false };
        // SAFETY: the index is inside the layout, which lies inside the borrowed memory.
        unsafe { self.first.offset(offset).write(value) };
        true
    }
}
