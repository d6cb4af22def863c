//! What is to be calculated, without names: which axes of which operand carry which label.
//!
//! `out[output labels] = Σ over all other labels of Π operands[their labels]`. Every operation of
//! the crate becomes one of these before it is planned.

use smallvec::SmallVec;

use crate::layout::element_count;
use crate::{Error, ErrorKind, Result};

/// A label: an index below [`MAX_LABELS`].
pub(crate) type Label = u8;

/// As many as there are letters, as in NumPy.
pub(crate) const MAX_LABELS: usize = 52;

/// A set of labels, one bit each.
pub(crate) type LabelSet = u64;

pub(crate) fn bit(label: Label) -> LabelSet {
    1 << label
}

/// The labels of every axis of every operand and of the output, and the labels' sizes.
///
/// Invariant: an operand's axis has its label's size or 1 (it is then repeated); every output
/// label is in an operand, and stands once.
#[derive(Debug, Clone)]
pub(crate) struct Contraction {
    pub(crate) inputs: Vec<Vec<Label>>,
    pub(crate) output: Vec<Label>,
    pub(crate) sizes: Vec<usize>,
}

impl Contraction {
    /// The size of every axis of the result.
    pub(crate) fn output_shape(&self) -> SmallVec<[usize; 8]> {
        self.output.iter().map(|&label| self.sizes[usize::from(label)]).collect()
    }

    /// NumPy's matmul: the last two axes multiply, the others are broadcast; a vector on the left
    /// is a row, on the right a column, and its axis is not in the result.
    pub(crate) fn matmul(left: &[usize], right: &[usize]) -> Result<Self> {
        let refuse = |rule| shapes(left, right, rule);
        if left.is_empty() || right.is_empty() {
            return Err(refuse("matmul needs at least one axis on both sides"));
        }
        let mut labels = Labels::default();
        let inner = labels.add(left[left.len() - 1]);
        let row = (left.len() > 1).then(|| labels.add(left[left.len() - 2]));
        let column = (right.len() > 1).then(|| labels.add(right[right.len() - 1]));
        if right[right.len().saturating_sub(2)] != left[left.len() - 1] {
            return Err(refuse(
                "the last axis of the left must have the size of the last but one \
                               of the right (of the only one, if it is a vector)",
            ));
        }
        let (left_batch, right_batch) = (left.len().max(2) - 2, right.len().max(2) - 2);
        let axes = left_batch.max(right_batch);
        let mut batch = Vec::with_capacity(axes);
        for axis in 0..axes {
            let size = |shape: &[usize], count: usize| {
                (axis + count).checked_sub(axes).map_or(1, |own| shape[own])
            };
            batch.push(match (size(left, left_batch), size(right, right_batch)) {
                (a, b) if a == b || b == 1 => labels.add(a),
                (1, b) => labels.add(b),
                _ => return Err(refuse("the leading axes must be equal, 1 or missing")),
            });
        }
        let suffix = |count: usize| batch[axes - count..].iter().copied();
        let inputs = vec![
            suffix(left_batch).chain(row).chain([inner]).collect(),
            suffix(right_batch).chain([inner]).chain(column).collect(),
        ];
        labels.contraction(inputs, suffix(axes).chain(row).chain(column).collect())
    }

    /// NumPy's dot: the last axis of the left and the last but one of the right are summed over;
    /// all others are in the result. A scalar multiplies.
    pub(crate) fn dot(left: &[usize], right: &[usize]) -> Result<Self> {
        let mut labels = Labels::default();
        let mut a: Vec<_> = left.iter().map(|&size| labels.add(size)).collect();
        let mut b: Vec<_> = right.iter().map(|&size| labels.add(size)).collect();
        if a.is_empty() || b.is_empty() {
            let output = a.iter().chain(&b).copied().collect();
            return labels.contraction(vec![a, b], output);
        }
        let (last, inner) = (a.len() - 1, b.len().saturating_sub(2));
        if left[last] != right[inner] {
            return Err(shapes(
                left,
                right,
                "the last axis of the left must have the size of the \
                                            last but one of the right (of the only one, if it is a vector)",
            ));
        }
        b[inner] = a[last];
        let kept = b.iter().enumerate().filter(|(axis, _)| *axis != inner).map(|(_, &label)| label);
        let output = a[..last].iter().copied().chain(kept).collect();
        a.truncate(last + 1);
        labels.contraction(vec![a, b], output)
    }

    /// A shared matrix times many vectors: `out[…, i] = Σⱼ matrix[i, j]·vectors[…, j]`.
    pub(crate) fn matvecs(matrix: &[usize], vectors: &[usize]) -> Result<Self> {
        let refuse = || shapes(matrix, vectors, "a matrix (i, j) multiplies vectors (…, j)");
        let (&[rows, columns], Some((&inner, batch))) = (matrix, vectors.split_last()) else {
            return Err(refuse());
        };
        if columns != inner {
            return Err(refuse());
        }
        let mut labels = Labels::default();
        let (i, j) = (labels.add(rows), labels.add(columns));
        let batch: Vec<_> = batch.iter().map(|&size| labels.add(size)).collect();
        let with = |label| batch.iter().copied().chain([label]).collect();
        labels.contraction(vec![vec![i, j], with(j)], with(i))
    }
}

fn shapes(left: &[usize], right: &[usize], rule: &'static str) -> Error {
    Error::new(ErrorKind::Shapes { left: left.to_vec(), right: right.to_vec(), rule })
}

/// Labels given out in order.
#[derive(Default)]
struct Labels {
    sizes: Vec<usize>,
}

impl Labels {
    fn add(&mut self, size: usize) -> Label {
        self.sizes.push(size);
        // Beyond the limit the label is not used: `contraction` refuses.
        (self.sizes.len() - 1).min(usize::from(Label::MAX)) as Label
    }

    fn contraction(self, inputs: Vec<Vec<Label>>, output: Vec<Label>) -> Result<Contraction> {
        if self.sizes.len() > MAX_LABELS {
            return Err(Error::new(ErrorKind::TooManyLabels));
        }
        let contraction = Contraction { inputs, output, sizes: self.sizes };
        element_count(&contraction.output_shape())?;
        Ok(contraction)
    }
}
