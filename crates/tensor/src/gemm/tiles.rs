//! Many small products of the same sizes: which tiles there are is worked out once, and not for each.
//!
//! For a product of 10 × 10 × 10 the loop nest takes as long as the arithmetic.
//!
//! Law: the tiles are those of the nest, by the same kernels in the same order, so that a product
//! comes to the same bits either way.

use std::ops::Range;

use gemm_common::microkernel::MicroKernelFn;
use smallvec::SmallVec;

use super::kernels::{Panel, call};
use super::nest::{Block, FEW_PANELS, steps};
use super::{Multiply, Offsets, Product};

/// The tiles of a product that needs no copy and is one block.
pub(crate) struct Tiles<T: 'static> {
    tiles: SmallVec<[Tile<T>; MOST]>,
    depth: usize,
    out: [isize; 2],
    left_depth: isize,
    right: [isize; 2],
}

/// With more tiles than this, finding them costs little beside them; and the list never leaves the stack.
const MOST: usize = 16;

/// A tile, and how far from the first elements its parts begin.
struct Tile<T> {
    kernel: MicroKernelFn<T>,
    rows: usize,
    columns: usize,
    out: isize,
    left: isize,
    right: isize,
}

impl<T: Multiply> Tiles<T> {
    /// The tiles of `rows × columns` of a product; `None` if it is large, or something must be copied.
    pub(crate) fn of(
        product: &Product<T>,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Option<Self> {
        let (kernels, blocks) = (product.kernels, product.blocks);
        let strides = |first: &Offsets, second: &Offsets| match (first, second) {
            (Offsets::Stride(first), Offsets::Stride(second)) => Some([*first, *second]),
            _ => None,
        };
        let left = strides(&product.lhs.rows, &product.lhs.columns)?;
        let right = strides(&product.rhs.rows, &product.rhs.columns)?;
        let out = strides(&product.out.rows, &product.out.columns)?;
        let one_block = rows.len() <= blocks.rows
            && columns.len() <= blocks.columns
            && (1..=blocks.depth).contains(&product.depth);
        let in_place = left[0] == 1 && !blocks.pack_rhs;
        if !one_block || !in_place || columns.len() > FEW_PANELS * kernels.columns {
            return None;
        }
        let depth = 0..product.depth;
        let block = Block { product, kernels, rows, columns: columns.clone(), depth };
        let (whole, last) = block.panels_of_rows();
        let mut tiles = SmallVec::new();
        for columns in steps(columns, kernels.columns) {
            for rows in whole.clone().chain(last.clone()).filter(|rows| !rows.is_empty()) {
                if rows.len() % kernels.lanes != 0 || tiles.len() == MOST {
                    return None;
                }
                let (row, column) = (rows.start as isize, columns.start as isize);
                tiles.push(Tile {
                    kernel: kernels.tile(rows.len(), columns.len()),
                    rows: rows.len(),
                    columns: columns.len(),
                    out: row * out[0] + column * out[1],
                    left: row,
                    right: column * right[1],
                });
            }
        }
        Some(Self { tiles, depth: product.depth, out, left_depth: left[1], right })
    }

    /// Calculates one product.
    ///
    /// # Safety
    ///
    /// As for [`multiply`](super::multiply), of the product, rows and columns that these are the tiles of.
    #[inline(always)]
    pub(crate) unsafe fn run(&self, out: *mut T, lhs: *const T, rhs: *const T) {
        for tile in &self.tiles {
            // SAFETY: the offsets are the product's; the kernel was chosen for this processor and tile.
            unsafe {
                let left = Panel { first: lhs.offset(tile.left), minor: 1, depth: self.left_depth };
                let [depth, minor] = self.right;
                let right = Panel { first: rhs.offset(tile.right), minor, depth };
                let sizes = [tile.rows, tile.columns, self.depth];
                call(tile.kernel, sizes, out.offset(tile.out), self.out, left, right, false);
            }
        }
    }
}
