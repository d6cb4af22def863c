//! The loop nest around the micro-kernels.

use std::ops::Range;

use super::kernels::{Panel, call};
use super::pack::panel;
use super::{Kernels, Multiply, Offsets, Product};

/// With so few panels of columns, a contiguous left is read where it is.
pub(super) const FEW_PANELS: usize = 24;

/// The largest tile of any kernel: 4 vectors of 16 by 6 columns, 512 bits each.
const TILE: usize = 64 * 6;

/// A result tile that no single stride describes is computed here, and then spread out.
#[repr(align(64))]
struct Tile<T>([T; TILE]);

/// Calculates `rows × columns` of a product.
///
/// # Safety
///
/// `lhs`, `rhs` and `out` are the first elements of matrices that reach as far as the product's
/// offsets say; nothing else touches `out` there, and it overlaps neither of the others. `scratch`
/// can be written for [`Product::scratch_elements`], is aligned to 64 bytes, and is this call's
/// alone.
pub(crate) unsafe fn multiply<T: Multiply>(
    product: &Product<T>,
    out: *mut T,
    lhs: *const T,
    rhs: *const T,
    rows: Range<usize>,
    columns: Range<usize>,
    scratch: *mut T,
) {
    let kernels = product.kernels;
    let blocks = product.blocks;
    let packed_lhs = scratch;
    // SAFETY: the scratch holds the packed left, and then the packed right.
    let packed_rhs = unsafe { scratch.add(product.packed_lhs_elements()) };
    for column_block in steps(columns, blocks.columns) {
        for depth in steps(0..product.depth, blocks.depth) {
            if blocks.pack_rhs {
                for (j, tile) in steps(column_block.clone(), kernels.columns).enumerate() {
                    let width = kernels.columns;
                    // SAFETY: panels of a block fit the part of the scratch that is the right's.
                    unsafe {
                        let to = packed_rhs.add(j * width * depth.len());
                        let minor = (&product.rhs.columns, tile);
                        panel(to, width, 0, rhs, minor, (&product.rhs.rows, depth.clone()));
                    }
                }
            }
            for row_block in steps(rows.clone(), blocks.rows) {
                let block = Block {
                    product,
                    kernels,
                    rows: row_block,
                    columns: column_block.clone(),
                    depth: depth.clone(),
                };
                // SAFETY: the caller's promises.
                unsafe { block.run(out, lhs, rhs, packed_lhs, packed_rhs) };
            }
        }
    }
}

/// The consecutive parts of a range, `step` long; the last one may be shorter. (`step_by` divides,
/// which is as dear as a small product.)
pub(super) fn steps(range: Range<usize>, step: usize) -> Steps {
    Steps { range, step }
}

#[derive(Clone)]
pub(super) struct Steps {
    range: Range<usize>,
    step: usize,
}

impl Iterator for Steps {
    type Item = Range<usize>;

    #[inline(always)]
    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.range.start;
        if start >= self.range.end {
            return None;
        }
        self.range.start = (start + self.step).min(self.range.end);
        Some(start..self.range.start)
    }
}

/// One block of the left against one block of the right.
pub(super) struct Block<'p, T: 'static> {
    pub(super) product: &'p Product<T>,
    pub(super) kernels: &'static Kernels<T>,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    pub(super) depth: Range<usize>,
}

impl<T: Multiply> Block<'_, T> {
    /// # Safety
    ///
    /// As for [`multiply`].
    unsafe fn run(
        &self,
        out: *mut T,
        lhs: *const T,
        rhs: *const T,
        packed_lhs: *mut T,
        packed_rhs: *const T,
    ) {
        let (width, height) = (self.kernels.columns, self.kernels.rows);
        let pack_contiguous = self.columns.len() > FEW_PANELS * width;
        let (whole, last) = self.panels_of_rows();
        for (j, columns) in steps(self.columns.clone(), width).enumerate() {
            // SAFETY: offsets of the product, or a panel that was packed there.
            let right = unsafe { self.right(j, &columns, rhs, packed_rhs) };
            let mut i = 0;
            let mut panels = whole.clone();
            let mut last = last.iter();
            while let Some(rows) = panels.next().or_else(|| last.next().cloned()) {
                if rows.is_empty() {
                    break;
                }
                // SAFETY: panels of a block fit the part of the scratch that is the left's.
                let left = unsafe {
                    let to = packed_lhs.add(i * height * self.depth.len());
                    match self.left_in_place(&rows, lhs, pack_contiguous) {
                        Some(left) => left,
                        None => {
                            if j == 0 {
                                let padded = rows.len().next_multiple_of(self.kernels.lanes);
                                let minor = (&self.product.lhs.rows, rows.clone());
                                let depth = (&self.product.lhs.columns, self.depth.clone());
                                panel(to, height, padded, lhs, minor, depth);
                            }
                            Panel { first: to, minor: 1, depth: height as isize }
                        }
                    }
                };
                // SAFETY: the tile is this call's alone; both panels hold what it needs.
                unsafe { self.tile(out, left, right, rows, columns.clone()) };
                i += 1;
            }
        }
    }

    /// The rows in whole panels, and what is left over, in up to two panels. Those are filled up to
    /// whole vectors with rows that came before: they are calculated twice, to the same bits, which
    /// is cheaper than a partial vector. Where results are added to what is there, that would add
    /// them twice. A single vector at the end shares with the panel before it: alone it would have too few sums
    /// under way to hide how long an addition takes.
    #[inline(always)]
    pub(super) fn panels_of_rows(&self) -> (Steps, [Range<usize>; 2]) {
        let (rows, lanes, height) = (self.rows.clone(), self.kernels.lanes, self.kernels.rows);
        let left = rows.end - rows.len() % height..rows.end;
        let partial = left.len() & (lanes - 1);
        let once = self.depth.len() == self.product.depth;
        if (1..=lanes).contains(&left.len()) && rows.len() > height && height > 2 * lanes {
            let (start, middle) = (left.start - height, left.start - lanes);
            let end = if once { rows.end - 2 * lanes } else { middle };
            return (steps(rows.start..start, height), [start..middle, end..rows.end]);
        }
        let filled = left.end.wrapping_sub(left.len() + ((lanes - partial) & (lanes - 1)));
        let last = if !once || partial == 0 {
            [left.clone(), 0..0]
        } else if filled >= rows.start && filled < left.end {
            [filled..left.end, 0..0]
        } else if left.len() > lanes {
            [left.start..left.end - partial, left.end - lanes..left.end]
        } else {
            [left.clone(), 0..0]
        };
        (steps(rows.start..left.start, height), last)
    }

    /// # Safety
    ///
    /// As for [`multiply`].
    #[inline(always)]
    unsafe fn right(
        &self,
        j: usize,
        columns: &Range<usize>,
        rhs: *const T,
        packed: *const T,
    ) -> Panel<T> {
        let width = self.kernels.columns;
        if self.product.blocks.pack_rhs {
            // SAFETY: the panel was packed there.
            let first = unsafe { packed.add(j * width * self.depth.len()) };
            return Panel { first, minor: 1, depth: width as isize };
        }
        let right = &self.product.rhs;
        let stride = |axis: &Offsets, range: Range<usize>| axis.stride_in(range).unwrap_or(1);
        // SAFETY: an element of the right lies there.
        let first = unsafe {
            rhs.offset(right.rows.at(self.depth.start) + right.columns.at(columns.start))
        };
        Panel {
            first,
            minor: stride(&right.columns, columns.clone()),
            depth: stride(&right.rows, self.depth.clone()),
        }
    }

    /// The left panel, if the kernel can read it where it is: whole vectors, contiguous, and few
    /// enough columns that a copy would not pay.
    #[inline(always)]
    fn left_in_place(
        &self,
        rows: &Range<usize>,
        lhs: *const T,
        pack_contiguous: bool,
    ) -> Option<Panel<T>> {
        let left = &self.product.lhs;
        let (Offsets::Stride(1), Offsets::Stride(depth)) = (&left.rows, &left.columns) else {
            return None;
        };
        if pack_contiguous || rows.len() & (self.kernels.lanes - 1) != 0 {
            return None;
        }
        let first = lhs.wrapping_offset(rows.start as isize + self.depth.start as isize * depth);
        Some(Panel { first, minor: 1, depth: *depth })
    }

    /// # Safety
    ///
    /// As for [`multiply`]; the panels hold `rows × depth` and `depth × columns`.
    #[inline(always)]
    unsafe fn tile(
        &self,
        out: *mut T,
        left: Panel<T>,
        right: Panel<T>,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        let accumulate = self.depth.start > 0;
        let kernel = self.kernels.tile(rows.len(), columns.len());
        let run = |to: *mut T, row_stride: isize, column_stride: isize, accumulate: bool| {
            let sizes = [rows.len(), columns.len(), self.depth.len()];
            // SAFETY: the caller's promises; the kernel was chosen for this processor and tile.
            unsafe { call(kernel, sizes, to, [row_stride, column_stride], left, right, accumulate) }
        };
        let target = &self.product.out;
        let strides =
            (target.rows.stride_in(rows.clone()), target.columns.stride_in(columns.clone()));
        if let (Some(row_stride), Some(column_stride)) = strides {
            let offset = target.rows.at(rows.start) + target.columns.at(columns.start);
            // SAFETY: an element of the result lies there.
            return run(unsafe { out.offset(offset) }, row_stride, column_stride, accumulate);
        }
        let mut tile = Tile([T::ZERO; TILE]);
        run(tile.0.as_mut_ptr(), 1, self.kernels.rows as isize, false);
        for (j, column) in columns.enumerate() {
            for (i, row) in rows.clone().enumerate() {
                let value = tile.0[j * self.kernels.rows + i];
                // SAFETY: an element of the result lies there.
                unsafe {
                    let to = out.offset(target.rows.at(row) + target.columns.at(column));
                    *to = if accumulate { *to + value } else { value };
                }
            }
        }
    }
}
