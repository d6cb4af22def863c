//! Matrices by shape and element type.

#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use std::sync::Arc;

use populace_pool::{Dtype, ErrorKind, Fail, HostHeap, Limit, MatrixPool, ObjectPool, Statistics};

#[test]
fn each_size_makes_and_keeps_its_own_number() {
    for (shape, made, most) in [([100, 100], 10, 100), ([1024, 256], 5, 50), ([2560, 1024], 2, 10)]
    {
        let pool = MatrixPool::new(Arc::new(HostHeap), u64::MAX);
        drop(pool.acquire(&shape, Dtype::F32).unwrap());
        assert_eq!(pool.statistics()[0].idle, made, "{shape:?}");
        let held: Vec<_> = (0..120).map(|_| pool.acquire(&shape, Dtype::F32).unwrap()).collect();
        drop(held);
        assert_eq!(pool.statistics()[0].idle, most, "{shape:?}: it grew with its misses");
        // Unused, it shrinks to what it started with.
        pool.cleanup();
        pool.cleanup();
        let shelf = &pool.statistics()[0];
        assert_eq!((shelf.keeps, shelf.idle), (made, 0));
        assert_eq!(pool.idle_bytes(), 0);
    }
}

#[test]
fn spellings_of_a_type_share_a_shelf_and_shapes_do_not() {
    let pool = MatrixPool::new(Arc::new(HostHeap), u64::MAX);
    for name in ["float32", "<f4", "single", "f"] {
        drop(pool.acquire(&[3, 4], name.parse().unwrap()).unwrap());
    }
    drop(pool.acquire(&[4, 3], Dtype::F32).unwrap());
    drop(pool.acquire(&[12], Dtype::F32).unwrap());
    drop(pool.acquire(&[3, 4], Dtype::I32).unwrap());
    let all = pool.statistics();
    assert_eq!(all.len(), 4);
    assert_eq!(all.iter().map(|shelf| shelf.hits).sum::<u64>(), 3);
}

#[test]
fn elements_are_typed() {
    let pool = MatrixPool::new(Arc::new(HostHeap), u64::MAX);
    let mut matrix = pool.acquire_zeroed(&[2, 3], Dtype::F64).unwrap();
    matrix.as_mut_slice::<f64>().unwrap()[5] = 1.5;
    assert_eq!(matrix.as_slice::<f64>().unwrap(), [0.0, 0.0, 0.0, 0.0, 0.0, 1.5]);
    assert_eq!(
        (matrix.shape(), matrix.dtype(), matrix.bytes().len()),
        (&[2, 3][..], Dtype::F64, 48)
    );
    let error = matrix.as_slice::<f32>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the matrix's elements are float64, and were asked for as float32"
    );
}

#[test]
fn senseless_shapes_are_refused_and_change_nothing() {
    let pool = MatrixPool::new(Arc::new(HostHeap), u64::MAX);
    for shape in
        [&[0][..], &[3, 0, 2], &[usize::MAX, 2], &[1 << 32, 1 << 31], &[isize::MAX as usize]]
    {
        let error = pool.acquire(shape, Dtype::F64).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadShape { .. }), "{shape:?}: {error}");
    }
    assert!(pool.statistics().is_empty());
    assert!(matches!(
        "float33".parse::<Dtype>().unwrap_err().kind(),
        ErrorKind::UnknownDtype { .. }
    ));
    drop(pool.acquire(&[], Dtype::F64).unwrap());
}

#[test]
fn idle_bytes_are_bounded_over_all_shapes() {
    let upstream = Arc::new(Statistics::new(HostHeap));
    let pool = MatrixPool::new(upstream.clone(), 10_000);
    for side in 1..60 {
        drop(pool.acquire(&[side, side], Dtype::F32).unwrap());
        assert!(pool.idle_bytes() <= 10_000);
    }
    pool.trim();
    assert_eq!(upstream.totals().live(), 0);
}

#[test]
fn operands_come_together_or_not_at_all() {
    let pool = MatrixPool::new(Arc::new(Limit::new(HostHeap, 100_000, 64)), 0);
    let operands: [(&[usize], Dtype); 3] =
        [(&[50, 50], Dtype::F32), (&[50, 50], Dtype::F64), (&[100, 200], Dtype::F64)];
    pool.acquire_all(&operands).unwrap_err();
    assert!(pool.statistics().iter().all(|shelf| shelf.in_use == 0));
    assert_eq!(pool.acquire_all(&operands[..2]).unwrap().len(), 2);
    pool.count_operation("dot");
    pool.count_operation("dot");
    assert_eq!(pool.operations(), [("dot", 2)]);
}

#[test]
fn stocking_a_shelf_never_fails_the_one_who_asked() {
    let pool = MatrixPool::new(Arc::new(Fail::from_nth(HostHeap, 2)), u64::MAX);
    pool.acquire(&[10], Dtype::U8).unwrap();
    assert_eq!(pool.statistics()[0].idle, 1);
}

#[test]
fn objects_are_reset_kept_and_bounded() {
    let pool = ObjectPool::new(2, Vec::<u8>::new, Vec::clear);
    let three: Vec<_> = (0..3).map(|_| pool.acquire()).collect();
    drop(three);
    assert_eq!((pool.idle(), pool.built(), pool.acquired()), (2, 3, 3));
    let mut one = pool.acquire();
    one.push(1);
    assert_eq!(one.into_inner(), [1]);
    // What a panic interrupted is not trusted again.
    let inner = pool.clone();
    let _panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = inner.acquire();
        std::panic::resume_unwind(Box::new(()));
    }));
    pool.trim();
    assert_eq!(pool.idle(), 0);
}
