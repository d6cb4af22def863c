//! Sparse matrices: compressed columns.

use crate::simd::Real;
use crate::{Element, Error, ErrorKind, Operand, Output, Result, View, ViewMut};

/// A sparse matrix by its columns: column `c` has `values[p]` in row `indices[p]` for
/// `indptr[c] ≤ p < indptr[c + 1]`.
///
/// Entries that are not stored are zeros that nothing is multiplied with: a NaN or an infinity
/// that meets one is not seen. Two entries in one place add up.
///
/// ```
/// # use populace_tensor::{Columns, View, ViewMut};
/// // [ 1 . ]
/// // [ 2 3 ]
/// let matrix = Columns::new(2, &[0, 2, 3], &[0, 1, 1], &[1.0, 2.0, 3.0])?;
/// let mut y = [0.0; 2];
/// matrix.multiply_into(&View::new(&[1.0, 10.0], &[2])?, ViewMut::new(&mut y, &[2])?)?;
/// assert_eq!(y, [1.0, 32.0]);
/// # Ok::<(), populace_tensor::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a, T> {
    rows: usize,
    indptr: &'a [u64],
    indices: &'a [u32],
    values: &'a [T],
}

impl<'a, T: Element + Real> Columns<'a, T> {
    /// Compressed columns of a matrix with so many rows; it has `indptr.len() − 1` columns.
    ///
    /// # Errors
    ///
    /// `indptr` does not rise from 0 to the number of values, there are fewer or more indices than
    /// values, or an index is not below `rows`.
    pub fn new(
        rows: usize,
        indptr: &'a [u64],
        indices: &'a [u32],
        values: &'a [T],
    ) -> Result<Self> {
        let bad = |rule| Err(Error::new(ErrorKind::BadColumns(rule)));
        if indptr.first() != Some(&0) {
            return bad("indptr must start with 0");
        }
        if !indptr.is_sorted() {
            return bad("indptr must not fall");
        }
        if indptr.last().copied() != Some(values.len() as u64) {
            return bad("indptr must end with the number of values");
        }
        if indices.len() != values.len() {
            return bad("there must be an index for every value");
        }
        if indices.iter().any(|&row| row as usize >= rows) {
            return bad("an index is not below the number of rows");
        }
        Ok(Self { rows, indptr, indices, values })
    }

    /// The number of rows and of columns.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.indptr.len() - 1]
    }

    /// The entries of a column: rows and values.
    fn column(&self, column: usize) -> impl Iterator<Item = (usize, T)> + '_ {
        let (from, to) = (self.indptr[column] as usize, self.indptr[column + 1] as usize);
        let rows = self.indices[from..to].iter().map(|&row| row as usize);
        rows.zip(self.values[from..to].iter().copied())
    }

    /// `out = self · dense`: (rows, columns) times (columns,) or (columns, n).
    ///
    /// # Errors
    ///
    /// The shapes do not go together, or `out` shares memory with `dense`. Nothing was written.
    pub fn multiply_into(&self, dense: &View<'_, T>, out: ViewMut<'_, T>) -> Result<()> {
        let [rows, columns] = self.shape();
        let mut pass = Pass::new([rows, columns], dense, out)?;
        for row in 0..rows {
            // SAFETY: `row` is below the rows of `out`.
            unsafe { pass.clear(row) };
        }
        for column in 0..columns {
            for (row, value) in self.column(column) {
                // SAFETY: indices are below the rows, as `new` checked; so is the column.
                unsafe { pass.add(row, value, column) };
            }
        }
        Ok(())
    }

    /// `out = selfᵀ · dense`: (columns, rows) times (rows,) or (rows, n).
    ///
    /// # Errors
    ///
    /// The shapes do not go together, or `out` shares memory with `dense`. Nothing was written.
    pub fn transposed_multiply_into(&self, dense: &View<'_, T>, out: ViewMut<'_, T>) -> Result<()> {
        let [rows, columns] = self.shape();
        let mut pass = Pass::new([columns, rows], dense, out)?;
        for column in 0..columns {
            // SAFETY: as above, with rows and columns exchanged.
            unsafe {
                pass.clear(column);
                for (row, value) in self.column(column) {
                    pass.add(column, value, row);
                }
            }
        }
        Ok(())
    }
}

/// Rows of `dense` are added to rows of `out`; both are (rows, n), n being 1 for vectors.
struct Pass<T> {
    dense: *const T,
    out: *mut T,
    n: usize,
    /// The strides of rows and of elements in a row.
    dense_strides: [isize; 2],
    out_strides: [isize; 2],
}

impl<T: Element + Real> Pass<T> {
    /// Checks that `out` = (m, k) · `dense` can be.
    fn new([m, k]: [usize; 2], dense: &View<'_, T>, out: ViewMut<'_, T>) -> Result<Self> {
        let n = match *dense.shape() {
            [rows] if rows == k && out.shape() == [m] => 1,
            [rows, n] if rows == k && out.shape() == [m, n] => n,
            _ => {
                return Err(Error::new(ErrorKind::Shapes {
                    left: vec![m, k],
                    right: dense.shape().to_vec(),
                    rule: "a sparse (m, k) multiplies a dense (k,) or (k, n) into (m,) or (m, n)",
                }));
            }
        };
        let strides = |strides: &[isize]| [strides[0], strides.get(1).copied().unwrap_or(1)];
        let (dense_strides, out_strides) = (strides(dense.strides()), strides(out.strides()));
        let (from, to) = (dense.first.as_ptr().cast_const(), out.first.as_ptr());
        Output::from(out).check_alias(&[Operand::from(dense)])?;
        Ok(Self { dense: from, out: to, n, dense_strides, out_strides })
    }

    /// # Safety
    ///
    /// `row` is a row of `out`.
    #[inline(always)]
    unsafe fn clear(&mut self, row: usize) {
        for i in 0..self.n as isize {
            // SAFETY: the caller's promise.
            unsafe {
                *self.out.offset(row as isize * self.out_strides[0] + i * self.out_strides[1]) =
                    T::ZERO;
            }
        }
    }

    /// # Safety
    ///
    /// `row` is a row of `out`, `from` one of `dense`.
    #[inline(always)]
    unsafe fn add(&mut self, row: usize, value: T, from: usize) {
        // SAFETY: the caller's promise; `out` overlaps nothing that is read.
        unsafe {
            let to = self.out.offset(row as isize * self.out_strides[0]);
            let from = self.dense.offset(from as isize * self.dense_strides[0]);
            if self.dense_strides[1] == 1 && self.out_strides[1] == 1 {
                let to = std::slice::from_raw_parts_mut(to, self.n);
                let from = std::slice::from_raw_parts(from, self.n);
                for (to, &from) in to.iter_mut().zip(from) {
                    *to += value * from;
                }
            } else {
                for i in 0..self.n as isize {
                    let product = value * *from.offset(i * self.dense_strides[1]);
                    *to.offset(i * self.out_strides[1]) += product;
                }
            }
        }
    }
}
