//! Sparse columns times dense, against dense products.
#![allow(clippy::unwrap_used)]

mod support;

use populace_tensor::{Columns, ErrorKind, View, ViewMut};
use proptest::prelude::*;

proptest! {
    #[test]
    fn products_equal_the_dense_ones(
        rows in 1_usize..8, columns in 1_usize..8, n in 0_usize..5,
        entries in proptest::collection::vec((0_usize..8, 0_usize..8, -9_i32..9), 0..20),
        reversed in any::<bool>(),
    ) {
        let mut entries: Vec<_> = entries.into_iter()
            .filter(|&(row, column, _)| row < rows && column < columns).collect();
        entries.sort_by_key(|entry| entry.1);
        let indptr: Vec<u64> = (0..=columns)
            .map(|c| entries.iter().filter(|entry| entry.1 < c).count() as u64).collect();
        let indices: Vec<u32> = entries.iter().map(|entry| entry.0 as u32).collect();
        let values: Vec<f64> = entries.iter().map(|entry| f64::from(entry.2)).collect();
        let sparse = Columns::new(rows, &indptr, &indices, &values).unwrap();
        let cell = |r: usize, c: usize| -> f64 {
            entries.iter().filter(|e| (e.0, e.1) == (r, c)).map(|e| f64::from(e.2)).sum()
        };
        for transposed in [false, true] {
            let (m, k) = if transposed { (columns, rows) } else { (rows, columns) };
            let dense: Vec<f64> = (0..k * n).map(|i| i as f64 - 3.0).collect();
            let view = if reversed && n > 0 {
                View::with_strides(&dense, &[k, n], &[n as isize, -1], n - 1).unwrap()
            } else {
                View::new(&dense, &[k, n]).unwrap()
            };
            let mut out = vec![f64::NAN; m * n];
            let to = ViewMut::new(&mut out, &[m, n]).unwrap();
            if transposed {
                sparse.transposed_multiply_into(&view, to).unwrap();
            } else {
                sparse.multiply_into(&view, to).unwrap();
            }
            for i in 0..m {
                for j in 0..n {
                    let matrix = |p| if transposed { cell(p, i) } else { cell(i, p) };
                    let exact: f64 = (0..k).map(|p| matrix(p) * view.get(&[p, j]).unwrap()).sum();
                    prop_assert_eq!(out[i * n + j], exact);
                }
            }
        }
    }
}

#[test]
fn malformed_columns_are_refused() {
    let refused = |indptr: &[u64], indices: &[u32], count: usize| {
        let values = vec![1.0_f32; count];
        let error = Columns::new(3, indptr, indices, &values).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadColumns(_)));
        error.to_string()
    };
    assert!(refused(&[], &[], 0).contains("start with 0"));
    assert!(refused(&[1, 1], &[0], 1).contains("start with 0"));
    assert!(refused(&[0, 2, 1], &[0], 1).contains("must not fall"));
    assert!(refused(&[0, 2], &[0], 1).contains("number of values"));
    assert!(refused(&[0, 1], &[], 1).contains("index for every value"));
    assert!(refused(&[0, 1], &[3], 1).contains("number of rows"));
}

#[test]
fn shapes_must_agree() {
    let sparse = Columns::new(2, &[0, 1, 1, 1], &[1], &[2.0]).unwrap();
    let dense = View::new(&[1.0, 2.0], &[2]).unwrap();
    let mut out = [5.0; 2];
    let to = ViewMut::new(&mut out, &[2]).unwrap();
    let error = sparse.multiply_into(&dense, to).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Shapes { .. }));
    assert_eq!(out, [5.0; 2]);
}
