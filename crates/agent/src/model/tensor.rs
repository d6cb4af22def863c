//! A tensor of a model, dense or in compressed columns.

/// Numbers in the precision they came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Reals {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
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
