//! Chooses how two values are contracted.
//!
//! Labels fall into four groups: *batch* (in both, kept), *summed* (in both, not kept), and each
//! value's *own* (kept). A matrix product has rows and columns (the two groups of own labels) and a
//! depth (the summed ones), once for every index of the batch.

use super::build::{Builder, PRODUCT_WORK, Value};
use super::{Matrices, Place, Work};
use crate::contraction::{Label, LabelSet, bit};
use crate::gemm::{Kernels, Matrix, Multiply, Offsets, Product};
use crate::loops::{CACHE_BYTES, Dim, Loops, fuse};
use crate::{Dtype, Result};

/// Products so small are looped over where a batch label is contiguous: gathering them costs more
/// than it saves.
const SMALL_PRODUCT: usize = 1 << 15;

/// Products so small are always looped over, if there are many.
const TINY_PRODUCT: usize = 64;

/// Axes of products may need a table of offsets; longer ones are looped over.
const LONGEST_AXIS: usize = 1 << 24;

/// With so few rows or columns, reading both along the depth beats packing.
const THIN: usize = 3;

/// The labels of two values by what happens to them.
struct Groups {
    batch: LabelSet,
    summed: LabelSet,
    own: [LabelSet; 2],
}

impl Builder {
    /// Appends the step `to = Σ x·y` over the labels that `to` does not have.
    pub(super) fn contract(&mut self, x: &Value, y: &Value, to: &Value) -> Result<()> {
        let (a, b, kept) = (x.labels(), y.labels(), to.labels());
        let groups = Groups { batch: a & b & kept, summed: a & b & !kept, own: [a & !b, b & !a] };
        match self.product_rows(x, y, to, &groups) {
            None => self.multiply_by_loops(x, y, to),
            Some(0) => self.multiply_by_products(x, y, to, &groups),
            Some(_) => {
                let groups = Groups { own: [groups.own[1], groups.own[0]], ..groups };
                self.multiply_by_products(y, x, to, &groups);
            }
        }
        Ok(())
    }

    /// Which value's own labels are the rows of a matrix product; `None` if loops do better.
    fn product_rows(&self, x: &Value, y: &Value, to: &Value, groups: &Groups) -> Option<usize> {
        let size = |set| self.count(set);
        let [rows, columns] = groups.own.map(size);
        let (depth, batch) = (size(groups.summed), size(groups.batch));
        let lanes = self.lanes();
        if groups.summed == 0 || (groups.own[0] == 0 && groups.own[1] == 0) {
            return None;
        }
        if rows.max(columns).max(depth) > LONGEST_AXIS {
            return None;
        }
        let multiplications = rows.saturating_mul(columns).saturating_mul(depth);
        let contiguous_batch = (0..self.sizes.len() as Label).any(|label| {
            let unit = |value: &Value| value.stride(label).unsigned_abs() == 1;
            groups.batch & bit(label) != 0 && unit(x) && unit(y) && self.size(label) >= lanes
        });
        if contiguous_batch && multiplications <= SMALL_PRODUCT {
            return None;
        }
        if multiplications <= TINY_PRODUCT && batch >= lanes {
            return None;
        }
        let fastest = |value: &Value| value.by_stride(LabelSet::MAX).last().map_or(0, |&l| bit(l));
        if let Some(vector) = groups.own.iter().position(|&own| own == 0) {
            // A matrix and a vector: worth a product only if the matrix is read down its columns.
            let matrix = 1 - vector;
            let own = groups.own[matrix];
            let down = fastest(if matrix == 0 { x } else { y }) & own != 0;
            let bytes = multiplications.saturating_mul(self.arithmetic.item_bytes());
            let near = bytes <= CACHE_BYTES;
            return (down && near && size(own) >= lanes).then_some(matrix);
        }
        let along_depth = |value| fastest(value) & groups.summed != 0;
        if rows.min(columns) <= THIN && along_depth(x) && along_depth(y) {
            return None;
        }
        // The kernels write whole vectors of rows, so rows should be contiguous in the result.
        let own = groups.own[0] | groups.own[1];
        let innermost = to.by_stride(own).last().copied();
        let contiguous = innermost.filter(|&label| to.stride(label) == 1);
        let larger = usize::from(columns > rows);
        let chosen =
            contiguous.map_or(larger, |label| usize::from(groups.own[1] & bit(label) != 0));
        let too_thin = [rows, columns][chosen] < lanes && [rows, columns][larger] >= lanes;
        Some(if too_thin { larger } else { chosen })
    }

    fn count(&self, set: LabelSet) -> usize {
        let labels = (0..self.sizes.len() as Label).filter(|&label| set & bit(label) != 0);
        labels.fold(1, |count: usize, label| count.saturating_mul(self.size(label)))
    }

    fn lanes(&self) -> usize {
        fn of<T: Multiply>() -> usize {
            let kernels: &Kernels<T> = T::kernels(usize::MAX);
            kernels.lanes
        }
        if self.arithmetic == Dtype::F32 { of::<f32>() } else { of::<f64>() }
    }

    fn multiply_by_loops(&mut self, x: &Value, y: &Value, to: &Value) {
        let strides = |label| [x.stride(label), y.stride(label), to.stride(label)];
        let all = x.labels() | y.labels();
        let labels = || (0..self.sizes.len() as Label).filter(|&label| all & bit(label) != 0);
        let kept = labels().filter(|&label| to.labels() & bit(label) != 0);
        let summed = labels().filter(|&label| to.labels() & bit(label) == 0);
        let dims = |labels: &mut dyn Iterator<Item = Label>| -> Vec<Dim> {
            labels.map(|label| self.dim(label, strides(label))).collect()
        };
        let (loops, swap) = Loops::arrange(dims(&mut { kept }), dims(&mut { summed }), 2);
        let (first, second) = if swap { (y.place, x.place) } else { (x.place, y.place) };
        self.push_loops(loops, to, |loops, _| Work::Multiply { loops, first, second });
    }

    /// `lhs` has the rows, `rhs` the columns.
    fn multiply_by_products(&mut self, lhs: &Value, rhs: &Value, to: &Value, groups: &Groups) {
        let rows = to.by_stride(groups.own[0]);
        let columns = to.by_stride(groups.own[1]);
        let depth = self.depth_order(lhs, rhs, groups);
        let axis = |value: &Value, labels: &[Label]| {
            let axes = labels.iter().map(|&label| (self.size(label), value.stride(label)));
            offsets(axes.collect())
        };
        let sizes = [groups.own[0], groups.own[1], groups.summed].map(|set| self.count(set));
        let left = Matrix { rows: axis(lhs, &rows), columns: axis(lhs, &depth) };
        let right = Matrix { rows: axis(rhs, &depth), columns: axis(rhs, &columns) };
        let out = Matrix { rows: axis(to, &rows), columns: axis(to, &columns) };
        let batch = fuse(to.by_stride(groups.batch).into_iter().map(|label| {
            self.dim(label, [lhs.stride(label), rhs.stride(label), to.stride(label)])
        }));
        let (product, packed_elements) = if self.arithmetic == Dtype::F32 {
            let product = Product::new(sizes, left, right, out);
            let elements = product.scratch_elements();
            (Matrices::F32(product.into()), elements)
        } else {
            let product = Product::new(sizes, left, right, out);
            let elements = product.scratch_elements();
            (Matrices::F64(product.into()), elements)
        };
        let times = self.count(groups.batch);
        let work = sizes.iter().fold(times, |work, &size| work.saturating_mul(size));
        let parts = times.max(sizes[0].div_ceil(self.lanes())).max(sizes[1] / 4);
        let threads = self.threads(work / PRODUCT_WORK, parts);
        let Place::Temporary(packed) = self.reserve(packed_elements, threads) else {
            unreachable!("scratch is a temporary");
        };
        let work = Work::Product {
            product,
            batch,
            lhs: lhs.place,
            rhs: rhs.place,
            packed,
            packed_elements,
        };
        self.push(work, to.place, threads);
    }

    /// The order of the summed labels: the one under which both matrices have a stride, or else
    /// the one that suits the matrix that is read along its depth.
    fn depth_order(&self, lhs: &Value, rhs: &Value, groups: &Groups) -> Vec<Label> {
        let regular = |order: &[Label]| {
            [lhs, rhs].iter().all(|value| {
                let axes = order.iter().map(|&label| (self.size(label), value.stride(label)));
                matches!(offsets(axes.collect()), Offsets::Stride(_))
            })
        };
        let (by_left, by_right) = (lhs.by_stride(groups.summed), rhs.by_stride(groups.summed));
        let rows_contiguous =
            lhs.axes.iter().any(|(label, stride)| *stride == 1 && groups.own[0] & bit(*label) != 0);
        if regular(&by_right) || (rows_contiguous && !regular(&by_left)) {
            by_right
        } else {
            by_left
        }
    }
}

/// The offsets of an axis that several labels make up, the last one fastest.
fn offsets(axes: Vec<(usize, isize)>) -> Offsets {
    let dims = axes.iter().map(|&(size, stride)| Dim { size, strides: [stride; 3] });
    match fuse(dims).as_slice() {
        [] => Offsets::Stride(0),
        [only] => Offsets::Stride(only.strides[0]),
        several => {
            let mut table = vec![0];
            for dim in several {
                let steps = |at: &isize| {
                    let at = *at;
                    (0..dim.size as isize).map(move |i| at + i * dim.strides[0])
                };
                table = table.iter().flat_map(steps).collect();
            }
            Offsets::Table(table.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattered_axes_have_a_table() {
        assert_eq!(offsets(vec![]), Offsets::Stride(0));
        assert_eq!(offsets(vec![(2, 3), (3, 1)]), Offsets::Stride(1));
        let table = Offsets::Table([0, 1, 10, 11].into());
        assert_eq!(offsets(vec![(2, 10), (2, 1)]), table);
    }
}
