//! Sparse tables by row: what costs its non-zeros, not its shape.

use std::ops::Range;

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::Lane;
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use crate::Result;
use crate::step::kernels::splat;

/// A value that is not zero: (row, column, value).
pub(crate) type Entry = (usize, u32, f64);

/// A matrix by compressed rows: row i is the `columns[starts[i]..starts[i + 1]]` with their values.
///
/// Columns ascend within a row, so sums have one order.
#[derive(Debug)]
pub(crate) struct Rows<T> {
    starts: Array<u32>,
    columns: Array<u32>,
    values: Array<T>,
    /// Every value is 1: a row is a plain sum.
    unit: bool,
    /// Every row has one entry: entry i is row i's.
    one_each: bool,
}

impl<T: Real> Rows<T> {
    /// From the entries of every row, columns ascending.
    pub(crate) fn new(
        memory: &SharedResource,
        rows: usize,
        entries: impl Iterator<Item = Entry>,
    ) -> Result<Self> {
        let mut sorted: Vec<Entry> = entries.collect();
        sorted.sort_by_key(|&(row, column, _)| (row, column));
        let mut starts = vec![0_u32; rows + 1];
        for &(row, ..) in &sorted {
            starts[row + 1] += 1;
        }
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        let columns: Vec<u32> = sorted.iter().map(|&(_, column, _)| column).collect();
        let values: Vec<T> = sorted.iter().map(|&(.., value)| T::from_f64(value)).collect();
        Ok(Self {
            unit: values.iter().all(|&value| value == T::ONE),
            one_each: starts.iter().enumerate().all(|(row, &start)| row == start as usize),
            starts: Array::copied(memory, &starts)?,
            columns: Array::copied(memory, &columns)?,
            values: Array::copied(memory, &values)?,
        })
    }

    /// Whether every row has one entry.
    #[inline(always)]
    pub(crate) fn one_each(&self) -> bool {
        self.one_each
    }

    /// The columns of all entries, row by row.
    #[inline(always)]
    pub(crate) fn columns(&self) -> &[u32] {
        &self.columns
    }

    /// The values of all entries, row by row.
    #[inline(always)]
    pub(crate) fn values(&self) -> &[T] {
        &self.values
    }

    /// The most entries of a row.
    pub(crate) fn longest(&self) -> usize {
        self.starts.windows(2).map(|row| (row[1] - row[0]) as usize).max().unwrap_or(0)
    }

    /// The entries of rows that have one each.
    #[inline(always)]
    pub(crate) fn single(&self, rows: Range<usize>) -> impl Iterator<Item = (usize, T)> + '_ {
        let first = self.starts[rows.start] as usize;
        let range = first..first + rows.len();
        let columns = self.columns[range.clone()].iter().map(|&column| column as usize);
        columns.zip(self.values[range].iter().copied())
    }

    #[inline(always)]
    fn range(&self, row: usize) -> Range<usize> {
        self.starts[row] as usize..self.starts[row + 1] as usize
    }

    /// The entries of a row: (column, value).
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (usize, T)> + '_ {
        let range = self.range(row);
        let columns = self.columns[range.clone()].iter().map(|&column| column as usize);
        columns.zip(self.values[range].iter().copied())
    }

    /// Σ over a row of value · q\[column\].
    #[inline(always)]
    pub(crate) fn dot<S: Simd>(&self, simd: S, row: usize, q: &[Lane<T>]) -> Vector<T, S> {
        let range = self.range(row);
        let columns = &self.columns[range.clone()];
        let mut sum = splat::<T, S>(simd, 0.0);
        if self.unit {
            for &column in columns {
                sum = sum + Vector::load(simd, &q[column as usize]);
            }
        } else {
            for (&column, &value) in columns.iter().zip(&self.values[range]) {
                let q = Vector::load(simd, &q[column as usize]);
                sum = Vector::splat(simd, value).mul_add(q, sum);
            }
        }
        sum
    }

    /// out\[i\] = Σ over row i of value · q\[column\], for `out.len()` rows from `first`.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(&self, simd: S, first: usize, q: &[Lane<T>], out: &mut [Lane<T>]) {
        simd.call(Apply { rows: self, first, q, out });
    }
}

struct Apply<'a, T: Real> {
    rows: &'a Rows<T>,
    first: usize,
    q: &'a [Lane<T>],
    out: &'a mut [Lane<T>],
}

impl<T: Real> Kernel for Apply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { rows, first, q, out } = self;
        for (row, out) in out.iter_mut().enumerate() {
            rows.dot(simd, first + row, q).store(out);
        }
    }
}
