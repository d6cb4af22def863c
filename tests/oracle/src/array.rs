//! A dense array: a shape, row-major data, and the loops that everything else is written with.

/// A dense array of numbers, row-major.
///
/// ```
/// use populace_oracle::Array;
/// let a = Array::new(vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// assert_eq!(a.at(&[1, 2]), 6.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Length of every axis.
    pub shape: Vec<usize>,
    /// The numbers, the last axis fastest.
    pub data: Vec<f64>,
}

impl Array {
    /// An array of this shape.
    ///
    /// # Panics
    /// When the data do not fill the shape.
    pub fn new(shape: Vec<usize>, data: Vec<f64>) -> Self {
        let expected: usize = shape.iter().product();
        assert_eq!(expected, data.len(), "{} numbers do not fill shape {shape:?}", data.len());
        Array { shape, data }
    }

    /// An array of zeros.
    pub fn zeros(shape: &[usize]) -> Self {
        Array { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] }
    }

    /// One axis.
    pub fn vector(data: Vec<f64>) -> Self {
        Array { shape: vec![data.len()], data }
    }

    /// Where an index lies in `data`.
    pub fn position(&self, index: &[usize]) -> usize {
        let mut position = 0;
        for (axis, &i) in index.iter().enumerate() {
            position = position * self.shape[axis] + i;
        }
        position
    }

    /// The number at an index.
    pub fn at(&self, index: &[usize]) -> f64 {
        self.data[self.position(index)]
    }

    /// Calls `visit(index, number)` for every entry, in row-major order.
    pub fn each(&self, mut visit: impl FnMut(&[usize], f64)) {
        let mut position = 0;
        each_index(&self.shape, |index| {
            visit(index, self.data[position]);
            position += 1;
        });
    }

    /// The same array with every number replaced.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Array {
        Array { shape: self.shape.clone(), data: self.data.iter().map(|&x| f(x)).collect() }
    }

    /// The slice `[…, last]`.
    pub fn select_last(&self, last: usize) -> Array {
        let axes = self.shape.len() - 1;
        let data = self.data.iter().skip(last).step_by(self.shape[axes]).copied().collect();
        Array::new(self.shape[..axes].to_vec(), data)
    }

    /// Multiplies by a weight along every axis that has one and sums over those axes; the axes
    /// without (None) are kept, in order.
    pub fn contract(&self, weights: &[Option<&[f64]>]) -> Array {
        let kept: Vec<usize> = (0..self.shape.len()).filter(|&i| weights[i].is_none()).collect();
        let shape: Vec<usize> = kept.iter().map(|&axis| self.shape[axis]).collect();
        let mut result = Array::zeros(&shape);
        self.each(|index, x| {
            let mut term = x;
            for (axis, weight) in weights.iter().enumerate() {
                if let Some(weight) = weight {
                    term *= weight[index[axis]];
                }
            }
            let mut position = 0;
            for &axis in &kept {
                position = position * self.shape[axis] + index[axis];
            }
            result.data[position] += term;
        });
        result
    }

    /// Divides every column (the entries that differ in their first index only) by its sum.
    pub fn normalise_columns(&self) -> Array {
        let columns = self.data.len() / self.shape[0];
        let mut result = self.clone();
        for column in 0..columns {
            let entries = || (0..self.shape[0]).map(|row| row * columns + column);
            let sum: f64 = entries().map(|i| self.data[i]).sum();
            for i in entries() {
                result.data[i] /= sum;
            }
        }
        result
    }
}

/// Calls `visit` with every index of a shape, in row-major order.
pub(crate) fn each_index(shape: &[usize], mut visit: impl FnMut(&[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; shape.len()];
    loop {
        visit(&index);
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}
