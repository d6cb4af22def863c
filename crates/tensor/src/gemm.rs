//! Matrix products: `out[i, j] = Σₚ lhs[i, p]·rhs[p, j]`.
//!
//! The micro-kernels (the arithmetic, chosen for the processor at run time) and the block sizes
//! are those of the library `gemm`. Its own loop nest is not used, because it allocates on every
//! call and takes one stride an axis; the nest here packs into memory that the plan reserved, and
//! takes any offsets along an axis, so that a contraction over several scattered labels is one
//! product without a copy (Matthews 2016, "High-performance tensor contraction without
//! transposition").
//!
//! Law: every element is summed in the same order whatever the number of threads, because threads
//! share out rows, columns or whole products, never the depth.

mod kernels;
mod nest;
mod pack;
mod tiles;

use std::ops::Range;

pub(crate) use kernels::{Kernels, Multiply};
pub(crate) use nest::multiply;
pub(crate) use tiles::Tiles;

/// Offsets along one axis, in elements.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Offsets {
    /// `i ↦ i·stride`.
    Stride(isize),
    /// `i ↦ table[i]`.
    Table(Box<[isize]>),
}

impl Offsets {
    #[inline(always)]
    fn at(&self, index: usize) -> isize {
        match self {
            Self::Stride(stride) => index as isize * stride,
            Self::Table(table) => table[index],
        }
    }

    /// The end, at most `end`, of the run of equal strides that starts at `start`.
    fn run_end(&self, start: usize, end: usize) -> usize {
        let Self::Table(table) = self else { return end };
        if start + 1 >= end {
            return end;
        }
        let stride = table[start + 1] - table[start];
        let goes_on = |index: &usize| table[*index] - table[*index - 1] == stride;
        (start + 1..end).take_while(goes_on).last().map_or(start + 1, |last| last + 1)
    }

    /// The stride within a range, if it has one there.
    #[inline(always)]
    fn stride_in(&self, range: Range<usize>) -> Option<isize> {
        match self {
            Self::Stride(stride) => Some(*stride),
            Self::Table(table) => match &table[range] {
                [] | [_] => Some(1),
                [first, second, rest @ ..] => {
                    let stride = second - first;
                    let mut last = *second;
                    for &next in rest {
                        if next - last != stride {
                            return None;
                        }
                        last = next;
                    }
                    Some(stride)
                }
            },
        }
    }
}

/// One matrix in memory: where its rows and columns lie from its first element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) rows: Offsets,
    pub(crate) columns: Offsets,
}

/// The sizes of a product, where its matrices lie, and how it is cut into blocks.
#[derive(Debug)]
pub(crate) struct Product<T: 'static> {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) depth: usize,
    pub(crate) lhs: Matrix,
    pub(crate) rhs: Matrix,
    pub(crate) out: Matrix,
    pub(crate) blocks: Blocks,
    pub(crate) kernels: &'static Kernels<T>,
}

/// How a product is cut, and what is copied.
///
/// A block of `rows × depth` of the left stays in the second-level cache while it meets every
/// panel of `columns` of the right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Blocks {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) depth: usize,
    /// Whether the right is copied, panel by panel, before it is used.
    pub(crate) pack_rhs: bool,
}

impl<T: Multiply> Product<T> {
    /// Cuts a product.
    pub(crate) fn new(
        [rows, columns, depth]: [usize; 3],
        lhs: Matrix,
        rhs: Matrix,
        out: Matrix,
    ) -> Self {
        let kernels = T::kernels(rows);
        let (panel_rows, panel_columns) = (kernels.rows, kernels.columns);
        let limits = gemm_common::cache::kernel_params(
            rows,
            columns,
            depth,
            panel_rows,
            panel_columns,
            size_of::<T>(),
        );
        let cut = |limit: usize, size: usize, panel: usize| {
            let whole = size.next_multiple_of(panel);
            if limit == 0 { whole } else { limit.next_multiple_of(panel).min(whole) }
        };
        let regular = matches!((&rhs.rows, &rhs.columns), (Offsets::Stride(_), Offsets::Stride(_)));
        let contiguous = matches!(rhs.rows, Offsets::Stride(1 | -1));
        // A packed panel is worth its copy when enough panels of rows use it; columns that are
        // contiguous along the depth are read well where they are.
        let pack_rhs =
            !regular || (!contiguous && rows > 2 * panel_rows) || rows > MANY_PANELS * panel_rows;
        let blocks = Blocks {
            rows: cut(limits.mc, rows, panel_rows),
            columns: cut(limits.nc.min(MAX_COLUMNS), columns, panel_columns),
            depth: limits.kc.max(1),
            pack_rhs,
        };
        Self { rows, columns, depth, lhs, rhs, out, blocks, kernels }
    }

    /// Elements of scratch that one thread needs.
    pub(crate) fn scratch_elements(&self) -> usize {
        let right = if self.blocks.pack_rhs { self.blocks.columns * self.blocks.depth } else { 0 };
        self.packed_lhs_elements() + right.next_multiple_of(64 / size_of::<T>())
    }

    /// The part of the scratch for the left, in whole cache lines. What is left over below a
    /// whole panel may take two.
    fn packed_lhs_elements(&self) -> usize {
        let rows = self.blocks.rows + self.kernels.rows;
        (rows * self.blocks.depth).next_multiple_of(64 / size_of::<T>())
    }
}

/// Beyond so many panels of rows, the right is packed even if it is contiguous.
const MANY_PANELS: usize = 128;

/// Bounds the packed right where the last-level cache is huge.
const MAX_COLUMNS: usize = 4096;
