//! Copies a panel so that a micro-kernel reads it in order:
//! `to[p·width + i] = from[minor(i) + depth(p)]` for `i < count ≤ width`, zeros up to `padded`.

use std::ops::Range;

use super::Offsets;
use crate::dtype::Arithmetic;
use crate::lanes::{LANES, transpose as turned};
use crate::simd::{Isa, Kernel, Simd, Vector};

/// Copies one panel.
///
/// # Safety
///
/// `from` can be read at every sum of the two axes' offsets in their ranges; `to` can be written
/// for `width · depth.len()` elements, and overlaps none of what is read.
pub(super) unsafe fn panel<T: Arithmetic>(
    to: *mut T,
    width: usize,
    padded: usize,
    from: *const T,
    minor: (&Offsets, Range<usize>),
    depth: (&Offsets, Range<usize>),
) {
    let (minor_axis, minor) = minor;
    let (depth_axis, depth) = depth;
    let count = minor.len();
    let minor_stride = minor_axis.stride_in(minor.clone());
    let depth_stride = depth_axis.stride_in(depth.clone());
    // SAFETY: the caller's promise: each branch reads `minor × depth` and writes below
    // `width · depth.len()`.
    unsafe {
        match (minor_stride, depth_stride) {
            (Some(stride), Some(1)) if stride != 1 => {
                let first = from.offset(minor_axis.at(minor.start) + depth_axis.at(depth.start));
                transpose(to, width, count, first, stride, depth.len());
            }
            (Some(1), _) => {
                let first = from.offset(minor_axis.at(minor.start));
                copy_rows(to, width, count, first, depth_axis, depth.clone());
            }
            (Some(_), _) => {
                for (i, index) in minor.clone().enumerate() {
                    let first = from.offset(minor_axis.at(index));
                    copy_rows(to.add(i), width, 1, first, depth_axis, depth.clone());
                }
            }
            (None, _) => {
                let mut start = minor.start;
                while start < minor.end {
                    let end = minor_axis.run_end(start, minor.end);
                    let (to, run) = (to.add(start - minor.start), (minor_axis, start..end));
                    panel(to, width, end - start, from, run, (depth_axis, depth.clone()));
                    start = end;
                }
            }
        }
        if count < padded {
            for p in 0..depth.len() {
                to.add(p * width + count).write_bytes(0, padded - count);
            }
        }
    }
}

/// The minor axis is contiguous: a copy per step of depth, of a fixed size where it is a usual one.
///
/// # Safety
///
/// As for [`panel`].
unsafe fn copy_rows<T: Arithmetic>(
    to: *mut T,
    width: usize,
    count: usize,
    first: *const T,
    depth_axis: &Offsets,
    depth: Range<usize>,
) {
    macro_rules! fixed {
        ($($count:literal)*) => {
            match count {
                $($count => {
                    for (p, at) in depth.enumerate() {
                        // SAFETY: the caller's promise.
                        unsafe {
                            let source = first.offset(depth_axis.at(at)).cast::<[T; $count]>();
                            to.add(p * width).cast::<[T; $count]>().write(source.read());
                        }
                    }
                })*
                _ => {
                    for (p, at) in depth.enumerate() {
                        // SAFETY: the caller's promise.
                        unsafe {
                            let source = first.offset(depth_axis.at(at));
                            to.add(p * width).copy_from_nonoverlapping(source, count);
                        }
                    }
                }
            }
        };
    }
    fixed!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 20 24 32 40 48 64)
}

/// The depth is contiguous: squares of a vector's length are turned over in registers, and what is left is copied
/// one by one.
///
/// # Safety
///
/// As for [`panel`]; `first` is its first element.
unsafe fn transpose<T: Arithmetic>(
    to: *mut T,
    width: usize,
    count: usize,
    first: *const T,
    stride: isize,
    depth: usize,
) {
    let squares = [count / LANES * LANES, depth / LANES * LANES];
    if squares[0] > 0 && squares[1] > 0 {
        Isa::best().dispatch(Squares { to, width, first, stride, squares });
    }
    // SAFETY: the caller's promise; all but the squares, `q < depth` and `i < count ≤ width`.
    let one = |q: usize, i: usize| unsafe {
        *to.add(q * width + i) = *first.offset(i as isize * stride).add(q);
    };
    for q in 0..squares[1] {
        (squares[0]..count).for_each(|i| one(q, i));
    }
    for q in squares[1]..depth {
        (0..count).for_each(|i| one(q, i));
    }
}

/// The squares of [`transpose`]: so many rows and so much depth, whole vectors of both.
struct Squares<T> {
    to: *mut T,
    width: usize,
    first: *const T,
    stride: isize,
    squares: [usize; 2],
}

impl<T: Arithmetic> Kernel for Squares<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for p in (0..self.squares[1]).step_by(LANES) {
            for i in (0..self.squares[0]).step_by(LANES) {
                let mut rows = [Vector::splat(simd, T::ZERO); LANES];
                for (r, row) in rows.iter_mut().enumerate() {
                    let from = self.first.wrapping_offset((i + r) as isize * self.stride);
                    // SAFETY: the caller's promise: a whole vector of the row's depth is there.
                    *row = Vector::load_slice(simd, unsafe {
                        std::slice::from_raw_parts(from.add(p), LANES)
                    });
                }
                for (q, column) in turned(rows).into_iter().enumerate() {
                    // SAFETY: the caller's promise: `LANES` rows of the panel are there.
                    column.store_slice(unsafe {
                        std::slice::from_raw_parts_mut(self.to.add((p + q) * self.width + i), LANES)
                    });
                }
            }
        }
    }
}
