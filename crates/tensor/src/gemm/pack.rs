//! Copies a panel so that a micro-kernel reads it in order:
//! `to[p·width + i] = from[minor(i) + depth(p)]` for `i < count ≤ width`, zeros up to `padded`.

use std::ops::Range;

use super::Offsets;
use crate::dtype::Arithmetic;

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

/// The depth is contiguous: short runs of it are spread over the rows of the panel, so that both
/// sides stay within a few cache lines.
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
    const RUN: usize = 8;
    let mut p = 0;
    while p + RUN <= depth {
        for i in 0..count {
            // SAFETY: the caller's promise; `p + RUN ≤ depth`, `i < count ≤ width`.
            unsafe {
                let run = first.offset(i as isize * stride).add(p).cast::<[T; RUN]>().read();
                for (q, value) in run.into_iter().enumerate() {
                    *to.add((p + q) * width + i) = value;
                }
            }
        }
        p += RUN;
    }
    for q in p..depth {
        for i in 0..count {
            // SAFETY: as above.
            unsafe { *to.add(q * width + i) = *first.offset(i as isize * stride).add(q) };
        }
    }
}
