//! A tensor of a model, dense or in compressed columns.
//!
//! A tensor of shape (R, n₁, n₂, …) is read as a matrix of R rows and K = Π nᵢ columns, the
//! trailing axes flattened row-major. For `A` and `B` a column is one distribution.
//!
//! Invariants, which [`Tensor::dense`] and [`Tensor::sparse`] check (the variants' fields are open,
//! so [`Model::check`](crate::Model::check) checks them again):
//!
//! - dense: `values.len() == R · K`
//! - sparse: `indptr.len() == K + 1`, `indptr[0] == 0`, ascending, `indptr[K] == indices.len() ==
//!   values.len()`; within a column, rows ascend strictly and are below R
//! - no axis is empty, and there is at least one

use crate::{Error, Result};

/// Numbers in the precision they came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Reals {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

/// The precision of [`Reals`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Single precision, 4 bytes a value.
    F32,
    /// Double precision, 8 bytes a value.
    F64,
}

impl Precision {
    /// How far a sum of probabilities may be from 1: 1e-4 in single precision, 1e-6 in double.
    pub fn tolerance(self) -> f64 {
        match self {
            Self::F32 => 1e-4,
            Self::F64 => 1e-6,
        }
    }
}

impl Reals {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `index`. Panics where there is none.
    pub fn get(&self, index: usize) -> f64 {
        match self {
            Self::F32(values) => f64::from(values[index]),
            Self::F64(values) => values[index],
        }
    }

    /// The precision.
    pub fn precision(&self) -> Precision {
        match self {
            Self::F32(_) => Precision::F32,
            Self::F64(_) => Precision::F64,
        }
    }

    /// All values in double precision.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.len()).map(|index| self.get(index))
    }
}

impl From<Vec<f32>> for Reals {
    fn from(values: Vec<f32>) -> Self {
        Self::F32(values)
    }
}

impl From<Vec<f64>> for Reals {
    fn from(values: Vec<f64>) -> Self {
        Self::F64(values)
    }
}

/// A tensor of a model, row-major; its *columns* run along the first axis.
///
/// The sparse form keeps, for every column (the trailing axes flattened row-major), the rows that
/// are not zero in ascending order, as the file format has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    /// Every value.
    Dense {
        /// The shape.
        shape: Vec<usize>,
        /// Π shape values, row-major.
        values: Reals,
    },
    /// Compressed columns.
    Sparse {
        /// The shape of the dense tensor.
        shape: Vec<usize>,
        /// Where each column starts; one more than there are columns.
        indptr: Vec<u64>,
        /// The row of each value.
        indices: Vec<u32>,
        /// The values.
        values: Reals,
    },
}

impl Tensor {
    /// A dense tensor of `shape`, `values` row-major.
    ///
    /// ```
    /// use populace_agent::Tensor;
    ///
    /// let a = Tensor::dense([2, 3], vec![1.0, 0.5, 0.0, 0.0, 0.5, 1.0])?;
    /// assert_eq!((a.rows(), a.columns()), (2, 3));
    /// assert_eq!(a.column(1).collect::<Vec<_>>(), [(0, 0.5), (1, 0.5)]);
    /// # Ok::<(), populace_agent::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The shape has no axis, an empty one, or does not hold as many values.
    pub fn dense(shape: impl Into<Vec<usize>>, values: impl Into<Reals>) -> Result<Self> {
        let tensor = Self::Dense { shape: shape.into(), values: values.into() };
        tensor.check()?;
        Ok(tensor)
    }

    /// A tensor of `shape` in compressed columns.
    ///
    /// # Errors
    ///
    /// The parts do not fit the shape or each other (see the module's invariants).
    pub fn sparse(
        shape: impl Into<Vec<usize>>,
        indptr: Vec<u64>,
        indices: Vec<u32>,
        values: impl Into<Reals>,
    ) -> Result<Self> {
        let tensor = Self::Sparse { shape: shape.into(), indptr, indices, values: values.into() };
        tensor.check()?;
        Ok(tensor)
    }

    /// A vector in double precision.
    pub fn vector(values: Vec<f64>) -> Self {
        Self::Dense { shape: vec![values.len()], values: Reals::F64(values) }
    }

    /// The uniform distribution over `len` outcomes.
    pub fn uniform(len: usize) -> Self {
        Self::vector(vec![1.0 / len as f64; len])
    }

    /// The tensor whose every column is certain, in compressed columns: column j is 1 at row
    /// `row_of(j)`, else 0.
    ///
    /// ```
    /// use populace_agent::Tensor;
    ///
    /// let identity = Tensor::certain([3, 3], |state| state as u32)?;
    /// assert_eq!(identity.to_f64(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    /// # Ok::<(), populace_agent::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The shape has no axis or an empty one, or a row is out of range.
    pub fn certain(shape: impl Into<Vec<usize>>, row_of: impl FnMut(usize) -> u32) -> Result<Self> {
        let shape = shape.into();
        let columns: usize = shape.iter().skip(1).product();
        Self::sparse(
            shape,
            (0..=columns as u64).collect(),
            (0..columns).map(row_of).collect(),
            vec![1.0; columns],
        )
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Dense { shape, .. } | Self::Sparse { shape, .. } => shape,
        }
    }

    /// The stored values: all of them (dense), or those of the compressed columns.
    pub fn values(&self) -> &Reals {
        match self {
            Self::Dense { values, .. } | Self::Sparse { values, .. } => values,
        }
    }

    /// The precision of the values.
    pub fn precision(&self) -> Precision {
        self.values().precision()
    }

    /// Whether the columns are compressed.
    pub fn is_sparse(&self) -> bool {
        matches!(self, Self::Sparse { .. })
    }

    /// The length of the first axis.
    pub fn rows(&self) -> usize {
        self.shape().first().copied().unwrap_or(0)
    }

    /// The product of the trailing axes; 1 for a vector.
    pub fn columns(&self) -> usize {
        self.shape().iter().skip(1).product()
    }

    /// How many values the dense form has.
    pub fn len(&self) -> usize {
        self.rows() * self.columns()
    }

    /// Whether the dense form has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at a row-major index of the dense form. Panics where there is none.
    pub fn value(&self, flat: usize) -> f64 {
        match self {
            Self::Dense { values, .. } => values.get(flat),
            Self::Sparse { indptr, indices, values, .. } => {
                let (row, column) = (flat / self.columns(), flat % self.columns());
                let start = indptr[column] as usize;
                let rows = &indices[start..indptr[column + 1] as usize];
                match rows.binary_search_by(|&candidate| (candidate as usize).cmp(&row)) {
                    Ok(position) => values.get(start + position),
                    Err(_) => 0.0,
                }
            }
        }
    }

    /// The values of a column that are not zero, as (row, value), rows ascending. Panics where
    /// there is no such column.
    pub fn column(&self, column: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let (columns, range) = match self {
            Self::Dense { .. } => {
                assert!(column < self.columns(), "column {column} of {}", self.columns());
                (self.columns(), 0..self.rows())
            }
            Self::Sparse { indptr, .. } => {
                (0, indptr[column] as usize..indptr[column + 1] as usize)
            }
        };
        range
            .map(move |position| match self {
                Self::Dense { values, .. } => (position, values.get(position * columns + column)),
                Self::Sparse { indices, values, .. } => {
                    (indices[position] as usize, values.get(position))
                }
            })
            .filter(|&(_, value)| value != 0.0)
    }

    /// The sum of each column, in double precision, rows in ascending order.
    pub fn column_sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.columns()];
        match self {
            Self::Dense { values: Reals::F32(values), .. } => {
                for row in values.chunks_exact(sums.len()) {
                    sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
                }
            }
            Self::Dense { values: Reals::F64(values), .. } => {
                for row in values.chunks_exact(sums.len()) {
                    sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value);
                }
            }
            Self::Sparse { .. } => {
                for (column, sum) in sums.iter_mut().enumerate() {
                    *sum = self.column(column).fold(0.0, |sum, (_, value)| sum + value);
                }
            }
        }
        sums
    }

    /// How many values are not zero.
    pub fn nonzeros(&self) -> usize {
        self.values().iter().filter(|&value| value != 0.0).count()
    }

    /// The share of values that are not zero, in 0 … 1.
    pub fn density(&self) -> f64 {
        self.nonzeros() as f64 / self.len() as f64
    }

    /// Every value of the dense form in double precision, row-major.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::Dense { values, .. } => values.iter().collect(),
            Self::Sparse { .. } => {
                let mut dense = vec![0.0; self.len()];
                for column in 0..self.columns() {
                    for (row, value) in self.column(column) {
                        dense[row * self.columns() + column] = value;
                    }
                }
                dense
            }
        }
    }

    /// The same tensor with every value, in its own precision.
    #[must_use]
    pub fn to_dense(&self) -> Self {
        if !self.is_sparse() {
            return self.clone();
        }
        let values = match self.precision() {
            // Every value came from single precision, so narrowing is exact.
            Precision::F32 => Reals::F32(self.to_f64().iter().map(|&value| value as f32).collect()),
            Precision::F64 => Reals::F64(self.to_f64()),
        };
        Self::Dense { shape: self.shape().to_vec(), values }
    }

    /// The same tensor in compressed columns, in its own precision; zeros are dropped.
    #[must_use]
    pub fn to_sparse(&self) -> Self {
        let mut indptr = Vec::with_capacity(self.columns() + 1);
        let mut indices = Vec::new();
        let mut kept = Vec::new();
        indptr.push(0);
        for column in 0..self.columns() {
            for (row, value) in self.column(column) {
                indices.push(row as u32);
                kept.push(value);
            }
            indptr.push(indices.len() as u64);
        }
        let values = match self.precision() {
            Precision::F32 => Reals::F32(kept.into_iter().map(|value| value as f32).collect()),
            Precision::F64 => Reals::F64(kept),
        };
        Self::Sparse { shape: self.shape().to_vec(), indptr, indices, values }
    }

    /// The indices along the trailing axes of a column: `(3, 1)`; `()` for a vector's.
    pub fn column_index(&self, column: usize) -> Vec<usize> {
        let mut rest = column;
        let mut index: Vec<usize> = self
            .shape()
            .iter()
            .skip(1)
            .rev()
            .map(|&axis| {
                let position = rest % axis;
                rest /= axis;
                position
            })
            .collect();
        index.reverse();
        index
    }

    /// Checks that shape and parts belong together.
    pub(crate) fn check(&self) -> Result<()> {
        let shape = self.shape();
        if shape.is_empty() {
            return Err(Error::invalid("has no axis, but at least one is needed"));
        }
        if let Some(axis) = shape.iter().position(|&length| length == 0) {
            return Err(Error::invalid(format!(
                "shape {} has nothing along axis {axis}",
                tuple(shape)
            )));
        }
        let Some(len) = shape.iter().try_fold(1_usize, |len, &axis| len.checked_mul(axis)) else {
            return Err(Error::invalid(format!("shape {} is too large", tuple(shape))));
        };
        match self {
            Self::Dense { values, .. } if values.len() != len => Err(Error::invalid(format!(
                "shape {} needs {len} values, not {}",
                tuple(shape),
                values.len()
            ))),
            Self::Dense { .. } => Ok(()),
            Self::Sparse { indptr, indices, values, .. } => {
                self.check_columns(indptr, indices, values)
            }
        }
    }

    fn check_columns(&self, indptr: &[u64], indices: &[u32], values: &Reals) -> Result<()> {
        let wrong = |what: String| Err(Error::invalid(what));
        if u32::try_from(self.rows()).is_err() {
            return wrong(format!("{} rows, but row numbers have 32 bits", self.rows()));
        }
        if indptr.len().checked_sub(1) != Some(self.columns()) {
            return wrong(format!(
                "indptr has {} entries, but {} columns need {}",
                indptr.len(),
                self.columns(),
                self.columns() as u128 + 1
            ));
        }
        if indices.len() != values.len() {
            return wrong(format!("{} indices, but {} values", indices.len(), values.len()));
        }
        if indptr[0] != 0 {
            return wrong(format!("indptr starts at {}, not 0", indptr[0]));
        }
        for (column, bounds) in indptr.windows(2).enumerate() {
            if bounds[1] < bounds[0] || bounds[1] > indices.len() as u64 {
                return wrong(format!(
                    "indptr[{}] is {}, not between {} and {}",
                    column + 1,
                    bounds[1],
                    bounds[0],
                    indices.len()
                ));
            }
            let rows = &indices[bounds[0] as usize..bounds[1] as usize];
            if let Some(&row) = rows.iter().find(|&&row| row as usize >= self.rows()) {
                return wrong(format!(
                    "column {}: row {row} is out of range, there are {}",
                    tuple(&self.column_index(column)),
                    self.rows()
                ));
            }
            if let Some(pair) = rows.windows(2).find(|pair| pair[0] >= pair[1]) {
                return wrong(format!(
                    "column {}: row {} follows row {}, but rows must ascend",
                    tuple(&self.column_index(column)),
                    pair[1],
                    pair[0]
                ));
            }
        }
        match indptr.last() {
            Some(&end) if end != indices.len() as u64 => {
                wrong(format!("indptr ends at {end}, but there are {} values", indices.len()))
            }
            _ => Ok(()),
        }
    }
}

/// A shape or an index as people write it: `(3, 1)`, `(3,)`, `()`; a long one is cut short.
pub(crate) fn tuple(items: &[usize]) -> String {
    match items {
        [one] => format!("({one},)"),
        _ => format!("({})", first_few(items)),
    }
}

/// A list as people write it: `[0, 1]`; a long one is cut short.
pub(crate) fn list(items: &[usize]) -> String {
    format!("[{}]", first_few(items))
}

fn first_few(items: &[usize]) -> String {
    const FEW: usize = 12;
    let mut words: Vec<String> = items.iter().take(FEW).map(usize::to_string).collect();
    if items.len() > FEW {
        words.push(format!("… {} in all", items.len()));
    }
    words.join(", ")
}
