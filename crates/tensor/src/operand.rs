//! Views whose element type is known at run time: what the operations take.

use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::dtype::arithmetic;
use crate::layout::Layout;
use crate::{Dtype, Element, Error, ErrorKind, Result, Tensor, View, ViewMut};

/// A view of any element type, to read. Made from a [`View`] or a [`Tensor`].
#[derive(Debug, Clone)]
pub struct Operand<'a> {
    pub(crate) first: *const u8,
    pub(crate) dtype: Dtype,
    pub(crate) layout: Layout,
    memory: PhantomData<&'a [u8]>,
}

/// A view of any element type, to write. Made from a [`ViewMut`] or a [`Tensor`].
#[derive(Debug)]
pub struct Output<'a> {
    pub(crate) first: *mut u8,
    pub(crate) dtype: Dtype,
    pub(crate) layout: Layout,
    memory: PhantomData<&'a mut [u8]>,
}

// SAFETY: an operand is a shared borrow of plain numbers.
unsafe impl Send for Operand<'_> {}
// SAFETY: as above.
unsafe impl Sync for Operand<'_> {}
// SAFETY: an output is a unique borrow of plain numbers.
unsafe impl Send for Output<'_> {}

impl<'a, T: Element> From<View<'a, T>> for Operand<'a> {
    fn from(view: View<'a, T>) -> Self {
        let first = view.first.as_ptr().cast_const().cast();
        Self { first, dtype: T::DTYPE, layout: view.layout, memory: PhantomData }
    }
}

impl<'a, T: Element> From<&View<'a, T>> for Operand<'a> {
    fn from(view: &View<'a, T>) -> Self {
        view.clone().into()
    }
}

impl<'a> From<&'a Tensor> for Operand<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        let (first, layout) = (tensor.as_ptr(), tensor.layout.clone());
        Self { first, dtype: tensor.dtype(), layout, memory: PhantomData }
    }
}

impl<'a, T: Element> From<ViewMut<'a, T>> for Output<'a> {
    fn from(view: ViewMut<'a, T>) -> Self {
        let first = view.first.as_ptr().cast();
        Self { first, dtype: T::DTYPE, layout: view.layout, memory: PhantomData }
    }
}

impl<'a> From<&'a mut Tensor> for Output<'a> {
    fn from(tensor: &'a mut Tensor) -> Self {
        let (dtype, layout) = (tensor.dtype(), tensor.layout.clone());
        Self { first: tensor.as_mut_ptr(), dtype, layout, memory: PhantomData }
    }
}

impl Operand<'_> {
    /// Elements at an address, of a type that is known at run time: [`View::from_raw`] for callers
    /// that hold arrays of another language.
    ///
    /// # Safety
    ///
    /// As of [`View::from_raw`]: as long as the operand lives, every element that `shape` and `strides`
    /// (in elements) reach from `first` can be read, is aligned, and is not written.
    ///
    /// # Errors
    ///
    /// The type is not calculated with, or the layout has more elements than can be addressed.
    pub unsafe fn from_raw(
        first: NonNull<u8>,
        dtype: Dtype,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<Self> {
        arithmetic(dtype)?;
        let layout = Layout::strided(shape, strides)?;
        Ok(Self { first: first.as_ptr().cast_const(), dtype, layout, memory: PhantomData })
    }

    /// The size of every axis.
    pub fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }
}

impl Output<'_> {
    /// As [`Operand::from_raw`], to write.
    ///
    /// # Safety
    ///
    /// As of [`ViewMut::from_raw`]: as long as the output lives, every element that `shape` and
    /// `strides` (in elements) reach from `first` can be read and written, is aligned, and is touched
    /// by nothing else.
    ///
    /// # Errors
    ///
    /// As for [`Operand::from_raw`]; or an element is reached by two indices.
    pub unsafe fn from_raw(
        first: NonNull<u8>,
        dtype: Dtype,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<Self> {
        arithmetic(dtype)?;
        let layout = Layout::strided(shape, strides)?;
        if layout.overlaps_itself() {
            return Err(Error::new(ErrorKind::SelfOverlap));
        }
        Ok(Self { first: first.as_ptr(), dtype, layout, memory: PhantomData })
    }

    /// The size of every axis.
    pub fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Refuses an operand that lies in the same bytes. Views that interleave without sharing an
    /// element are refused too: proving them disjoint costs more than it is worth.
    pub(crate) fn check_alias(&self, operands: &[Operand<'_>]) -> Result<()> {
        let Some(own) = bytes(self.first, self.dtype, &self.layout) else { return Ok(()) };
        for (operand, view) in operands.iter().enumerate() {
            let other = bytes(view.first, view.dtype, &view.layout);
            if other.is_some_and(|other| own.0 < other.1 && other.0 < own.1) {
                return Err(Error::new(ErrorKind::Aliased { operand }));
            }
        }
        Ok(())
    }
}

/// The addresses that a layout spans, the end excluded.
fn bytes(first: *const u8, dtype: Dtype, layout: &Layout) -> Option<(usize, usize)> {
    let (lowest, highest) = layout.extent()?;
    let size = dtype.item_bytes() as isize;
    let address = |offset: isize| first.addr().wrapping_add_signed(offset * size);
    Some((address(lowest), address(highest + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Planner;

    #[test]
    fn raw_elements_are_calculated_with_as_views_are() {
        let resource: populace_pool::SharedResource = std::sync::Arc::new(populace_pool::Pages);
        let planner = Planner::new(&resource);
        let (a, mut sum) = ([1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0], [0.0_f64; 2]);
        let first = NonNull::from(&a).cast();
        let to = NonNull::from(&mut sum).cast();
        // SAFETY: both arrays outlive the call, have such elements, and only the planner touches them.
        unsafe {
            // Every other row, from the last column back.
            let operand = Operand::from_raw(first.add(8), Dtype::F64, &[2, 2], &[4, -1]).unwrap();
            let output = Output::from_raw(to, Dtype::F64, &[2], &[1]).unwrap();
            planner.einsum_into("ij->i", &[operand], output).unwrap();
            assert!(Operand::from_raw(first, Dtype::I64, &[1], &[1]).is_err());
            assert!(Output::from_raw(to, Dtype::F64, &[2], &[0]).is_err());
        }
        assert_eq!(sum, [3.0, 11.0]);
    }
}
