//! Tensors: both forms say the same, and what does not fit together is refused.
#![allow(clippy::unwrap_used)]

use populace_agent::{Precision, Reals, Tensor};
use proptest::prelude::*;

fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..5, 1..4)
}

fn tensors() -> impl Strategy<Value = Tensor> {
    shapes().prop_flat_map(|shape| {
        let len = shape.iter().product::<usize>();
        let value = prop_oneof![Just(0.0), -4.0..4.0_f64];
        (Just(shape), prop::collection::vec(value, len), any::<bool>()).prop_map(
            |(shape, values, single)| {
                let values = match single {
                    true => Reals::F32(values.iter().map(|&value| value as f32).collect()),
                    false => Reals::F64(values),
                };
                Tensor::dense(shape, values).unwrap()
            },
        )
    })
}

proptest! {
    #[test]
    fn both_forms_say_the_same(dense in tensors()) {
        let sparse = dense.to_sparse();
        prop_assert!(sparse.is_sparse() && !dense.is_sparse());
        prop_assert_eq!(sparse.shape(), dense.shape());
        prop_assert_eq!(sparse.precision(), dense.precision());
        prop_assert_eq!(sparse.to_f64(), dense.to_f64());
        prop_assert_eq!(&sparse.to_dense(), &dense);
        prop_assert_eq!(sparse.nonzeros(), dense.nonzeros());
        for flat in 0..dense.len() {
            prop_assert_eq!(sparse.value(flat), dense.value(flat));
        }
        for column in 0..dense.columns() {
            let expected: Vec<(usize, f64)> = (0..dense.rows())
                .map(|row| (row, dense.value(row * dense.columns() + column)))
                .filter(|&(_, value)| value != 0.0)
                .collect();
            prop_assert_eq!(&dense.column(column).collect::<Vec<_>>(), &expected);
            prop_assert_eq!(&sparse.column(column).collect::<Vec<_>>(), &expected);
        }
        prop_assert_eq!(sparse.column_sums(), dense.column_sums());
    }

    #[test]
    fn column_indices_count_row_major(tensor in tensors()) {
        let axes = &tensor.shape()[1..];
        for column in 0..tensor.columns() {
            let index = tensor.column_index(column);
            let flat = index.iter().zip(axes).fold(0, |flat, (&place, &axis)| flat * axis + place);
            prop_assert_eq!(flat, column);
        }
    }
}

#[test]
fn sparse_keeps_single_precision() {
    let dense = Tensor::dense([2, 1], vec![0.1_f32, 0.9]).unwrap();
    assert_eq!(dense.precision(), Precision::F32);
    assert_eq!(dense.to_sparse().to_dense(), dense);
}

#[test]
fn what_does_not_fit_is_refused() {
    let sparse = |indptr: &[u64], indices: &[u32], values: usize| {
        Tensor::sparse([3, 2], indptr.to_vec(), indices.to_vec(), vec![1.0; values])
    };
    let cases = [
        (Tensor::dense([], vec![1.0]), "has no axis, but at least one is needed"),
        (Tensor::dense([2, 0], Vec::<f64>::new()), "shape (2, 0) has nothing along axis 1"),
        (Tensor::dense([2, 3], vec![1.0; 5]), "shape (2, 3) needs 6 values, not 5"),
        (Tensor::dense([usize::MAX, 2], vec![1.0]), "shape (18446744073709551615, 2) is too large"),
        (
            Tensor::sparse([1 << 33, 1], vec![0, 1], vec![0], vec![1.0]),
            "8589934592 rows, but row numbers have 32 bits",
        ),
        (sparse(&[], &[], 0), "indptr has 0 entries, but 2 columns need 3"),
        (sparse(&[0, 1], &[0], 1), "indptr has 2 entries, but 2 columns need 3"),
        (sparse(&[0, 1, 2], &[0, 1], 1), "2 indices, but 1 values"),
        (sparse(&[1, 1, 2], &[0, 1], 2), "indptr starts at 1, not 0"),
        (sparse(&[0, 2, 1], &[0, 1], 2), "indptr[2] is 1, not between 2 and 2"),
        (
            sparse(&[0, 1, u64::MAX], &[0, 1], 2),
            "indptr[2] is 18446744073709551615, not between 1 and 2",
        ),
        (sparse(&[0, 1, 1], &[0, 1], 2), "indptr ends at 1, but there are 2 values"),
        (sparse(&[0, 1, 2], &[0, 3], 2), "column (1,): row 3 is out of range, there are 3"),
        (sparse(&[0, 2, 2], &[1, 1], 2), "column (0,): row 1 follows row 1, but rows must ascend"),
    ];
    for (result, message) in cases {
        assert_eq!(result.unwrap_err().to_string(), message);
    }
}
