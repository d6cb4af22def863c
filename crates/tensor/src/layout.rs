//! Shapes and strides: where the elements of a view lie.
//!
//! Element `[i₀, i₁, …]` lies at `Σ iₐ·strideₐ` elements from the view's first. Strides may be
//! zero (broadcasting) or negative (reversal). Invariant: the number of elements, and every
//! offset in bytes, fit an `isize`.

use smallvec::SmallVec;

use crate::{Error, ErrorKind, Result};

/// A list with an entry for every axis, on the stack up to eight axes.
pub(crate) type PerAxis<T> = SmallVec<[T; 8]>;

/// Where the elements of a view lie.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Layout {
    pub(crate) shape: PerAxis<usize>,
    pub(crate) strides: PerAxis<isize>,
}

impl Layout {
    /// The last axis varies fastest, without gaps.
    pub(crate) fn row_major(shape: &[usize]) -> Result<Self> {
        element_count(shape)?;
        let mut strides: PerAxis<isize> = SmallVec::from_elem(0, shape.len());
        let mut step = 1_isize;
        for (stride, &size) in strides.iter_mut().zip(shape).rev() {
            *stride = step;
            step *= size.max(1) as isize;
        }
        Ok(Self { shape: shape.into(), strides })
    }

    /// Any strides, if every element's offset can be represented.
    pub(crate) fn strided(shape: &[usize], strides: &[isize]) -> Result<Self> {
        if shape.len() != strides.len() {
            let (axis, axes) = (strides.len(), shape.len());
            return Err(Error::new(ErrorKind::BadAxis { axis, axes }));
        }
        element_count(shape)?;
        let mut reach = 0_usize;
        for (&size, &stride) in shape.iter().zip(strides) {
            reach = size
                .saturating_sub(1)
                .checked_mul(stride.unsigned_abs())
                .and_then(|step| reach.checked_add(step))
                .filter(|&reach| reach <= MAX_ELEMENTS)
                .ok_or_else(|| Error::new(ErrorKind::Overflow))?;
        }
        // As slices, which are copied whole; element by element it takes several times as long.
        let (shape, strides) = (PerAxis::from_slice(shape), PerAxis::from_slice(strides));
        Ok(Self { shape, strides })
    }

    pub(crate) fn axes(&self) -> usize {
        self.shape.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// How many elements there are.
    pub(crate) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// The lowest and the highest offset of an element; `None` where there is none.
    pub(crate) fn extent(&self) -> Option<(isize, isize)> {
        if self.is_empty() {
            return None;
        }
        let mut extent = (0, 0);
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            let last = (size - 1) as isize * stride;
            if last < 0 {
                extent.0 += last;
            } else {
                extent.1 += last;
            }
        }
        Some(extent)
    }

    /// Whether two indices may share an element. Sufficient, not necessary: every axis must step
    /// over all that the axes of smaller strides reach.
    pub(crate) fn overlaps_itself(&self) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut steps: PerAxis<(usize, usize)> = (self.shape.iter().zip(&self.strides))
            .filter(|(size, _)| **size > 1)
            .map(|(&size, &stride)| (stride.unsigned_abs(), size))
            .collect();
        steps.sort_unstable();
        let mut reach = 0;
        for (stride, size) in steps {
            if stride <= reach {
                return true;
            }
            reach += stride * (size - 1);
        }
        false
    }

    fn check_axis(&self, axis: usize) -> Result<()> {
        if axis < self.axes() {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::BadAxis { axis, axes: self.axes() }))
        }
    }

    /// The axes in another order.
    pub(crate) fn permuted(&self, order: &[usize]) -> Result<Self> {
        let bad = |axis| Error::new(ErrorKind::BadAxis { axis, axes: self.axes() });
        if order.len() != self.axes() {
            return Err(bad(order.len()));
        }
        for (position, &axis) in order.iter().enumerate() {
            self.check_axis(axis)?;
            if order.iter().take(position).any(|&earlier| earlier == axis) {
                return Err(bad(axis));
            }
        }
        Ok(Self {
            shape: order.iter().map(|&axis| self.shape[axis]).collect(),
            strides: order.iter().map(|&axis| self.strides[axis]).collect(),
        })
    }

    /// Every `step`-th of the `count` indices of an axis from `start`; the offset of the new first
    /// element comes with it.
    pub(crate) fn sliced(
        &self,
        axis: usize,
        start: usize,
        count: usize,
        step: isize,
    ) -> Result<(Self, isize)> {
        self.check_axis(axis)?;
        let (size, stride) = (self.shape[axis], self.strides[axis]);
        let last = (count.saturating_sub(1) as isize)
            .checked_mul(step)
            .and_then(|reach| (start as isize).checked_add(reach));
        let inside = |index: Option<isize>| index.is_some_and(|i| i >= 0 && (i as usize) < size);
        if count > 0 && !(inside(Some(start as isize)) && inside(last)) {
            let needed = last.map_or(usize::MAX, |last| last.unsigned_abs().max(start) + 1);
            return Err(Error::new(ErrorKind::OutOfBounds { available: size, needed }));
        }
        let mut layout = self.clone();
        layout.shape[axis] = count;
        layout.strides[axis] = stride.saturating_mul(step);
        Ok((layout, if count > 0 { start as isize * stride } else { 0 }))
    }

    /// NumPy's `broadcast_to`: axes of size 1 and missing leading axes are repeated.
    pub(crate) fn broadcast(&self, shape: &[usize]) -> Result<Self> {
        let refuse = || {
            Error::new(ErrorKind::Shapes {
                left: self.shape.to_vec(),
                right: shape.to_vec(),
                rule: "an axis can be repeated only if it has size 1 or is missing in front",
            })
        };
        element_count(shape)?;
        let missing = shape.len().checked_sub(self.axes()).ok_or_else(refuse)?;
        let mut strides: PerAxis<isize> = SmallVec::from_elem(0, shape.len());
        for axis in 0..self.axes() {
            if self.shape[axis] == shape[missing + axis] {
                strides[missing + axis] = self.strides[axis];
            } else if self.shape[axis] != 1 {
                return Err(refuse());
            }
        }
        Ok(Self { shape: shape.into(), strides })
    }

    /// The offset of an element, where the index is inside.
    pub(crate) fn offset(&self, index: &[usize]) -> Option<isize> {
        let inside =
            index.len() == self.axes() && index.iter().zip(&self.shape).all(|(i, n)| i < n);
        let offset = |(&i, &stride): (&usize, &isize)| i as isize * stride;
        inside.then(|| index.iter().zip(&self.strides).map(offset).sum())
    }
}

/// The largest number of elements: offsets in bytes of the largest type still fit an `isize`.
const MAX_ELEMENTS: usize = isize::MAX as usize / 8;

/// The number of elements of a shape, if it can be addressed even where an axis is empty.
pub(crate) fn element_count(shape: &[usize]) -> Result<usize> {
    let addressable = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size.max(1)));
    match addressable {
        Some(count) if count <= MAX_ELEMENTS => Ok(if shape.contains(&0) { 0 } else { count }),
        _ => Err(Error::new(ErrorKind::Overflow)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_that_cannot_be_addressed_is_refused_even_when_empty() {
        assert_eq!(element_count(&[3, 4]).unwrap(), 12);
        assert_eq!(element_count(&[3, 0]).unwrap(), 0);
        assert_eq!(element_count(&[0, usize::MAX, 2]).unwrap_err().kind(), &ErrorKind::Overflow);
        let reach = Layout::strided(&[2, 2], &[isize::MAX, isize::MAX]);
        assert_eq!(reach.unwrap_err().kind(), &ErrorKind::Overflow);
    }

    #[test]
    fn overlap_is_seen() {
        let overlaps = |shape: &[usize], strides: &[isize]| {
            Layout::strided(shape, strides).unwrap().overlaps_itself()
        };
        assert!(!overlaps(&[3, 4], &[4, 1]));
        assert!(!overlaps(&[3, 4], &[-4, 1]));
        assert!(!overlaps(&[3, 1], &[1, 0]));
        assert!(overlaps(&[3, 4], &[0, 1]));
        assert!(overlaps(&[3, 4], &[3, 1]));
    }
}
