//! No heap allocation after the first call, and temporaries as stated: asserted as counts.
//!
//! One test, because the counter is the process'.
#![allow(clippy::unwrap_used)]

mod support;

use std::alloc::Layout;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use populace_pool::{Block, CountingAllocator, Pages, Resource, SharedResource};
use populace_tensor::{Columns, Dtype, Limits, Operand, Planner, Tensor, View, ViewMut};
use support::{element, tensor};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Remembers the most bytes that were asked for at once.
#[derive(Default)]
struct Peak {
    used: AtomicUsize,
    peak: AtomicUsize,
}

// SAFETY: every call is passed to `Pages` unchanged.
unsafe impl Resource for Peak {
    fn allocate(&self, layout: Layout) -> populace_pool::Result<Block> {
        let used = self.used.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        self.peak.fetch_max(used, Ordering::Relaxed);
        Pages.allocate(layout)
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        self.used.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { Pages.deallocate(block, layout) }
    }
}

fn filled(dtype: Dtype, shape: &[usize]) -> Tensor {
    let count = shape.iter().product::<usize>() as u64;
    let values: Vec<f64> = (0..count).map(|i| element(dtype, 7, i)).collect();
    tensor(dtype, shape, &values)
}

#[test]
fn the_second_call_allocates_nothing_and_temporaries_are_as_stated() {
    let peak = Arc::new(Peak::default());
    let resource: SharedResource = peak.clone();
    let planner = Planner::with_limits(&resource, Limits { threads: 2, ..Limits::default() });
    planner.record(true);
    let cases: &[(&str, &[&[usize]], Dtype)] = &[
        ("ij,jk->ik", &[&[10, 10], &[10, 10]], Dtype::F64),
        ("ij,jk->ik", &[&[150, 140], &[140, 160]], Dtype::F32),
        ("ij,jk->ik", &[&[150, 140], &[140, 160]], Dtype::F16),
        ("ij,jk,kl->il", &[&[20, 30], &[30, 25], &[25, 7]], Dtype::F64),
        ("osr,as,ar->ao", &[&[5, 6, 7], &[30, 6], &[30, 7]], Dtype::F32),
        ("bij,bjk->bik", &[&[300, 20, 20], &[300, 20, 20]], Dtype::F32),
        ("ij,j->i", &[&[70, 90], &[90]], Dtype::F64),
        ("ii->", &[&[9, 9]], Dtype::F64),
        // In pieces.
        ("ij,ij->", &[&[700, 700], &[700, 700]], Dtype::F64),
        ("i,ij->j", &[&[700], &[700, 700]], Dtype::F16),
        ("i,j->ij", &[&[40], &[50]], Dtype::U8),
        ("i,ij,j->", &[&[40], &[40, 50], &[50]], Dtype::U8),
        ("...i,...i->...", &[&[2, 3, 4], &[3, 4]], Dtype::Bf16),
        ("ab,bc,cd,de,ef,fg,gh,hi->ai", &[&[3_usize, 3] as &[usize]; 8], Dtype::F64),
    ];
    for (expression, shapes, dtype) in cases {
        let parents: Vec<Tensor> = shapes.iter().map(|shape| filled(*dtype, shape)).collect();
        let operands: Vec<Operand<'_>> = parents.iter().map(Operand::from).collect();
        let mut out = planner.einsum(expression, &operands).unwrap();
        let mut run = || planner.einsum_into(expression, &operands, &mut out).unwrap();
        run();
        let before = CountingAllocator::allocations();
        run();
        run();
        assert_eq!(CountingAllocator::allocations() - before, 0, "{expression} {dtype}");

        let before = CountingAllocator::allocations();
        let pooled = planner.einsum(expression, &operands).unwrap();
        drop(pooled);
        assert_eq!(CountingAllocator::allocations() - before, 0, "{expression}, pooled");

        drop(out);
        let stated = planner.plan(expression, &operands).unwrap().peak_temporary_bytes();
        let result = planner.einsum(expression, &operands).unwrap();
        let base = peak.used.load(Ordering::Relaxed);
        peak.peak.store(base, Ordering::Relaxed);
        let mut out = tensor(*dtype, result.shape(), &vec![0.0; result.shape().iter().product()]);
        planner.einsum_into(expression, &operands, &mut out).unwrap();
        assert_eq!(peak.peak.load(Ordering::Relaxed) - base, stated, "{expression} {dtype}");
    }

    let (a, b) = (filled(Dtype::F32, &[100, 100]), filled(Dtype::F32, &[256, 100]));
    let mut out = filled(Dtype::F32, &[256, 100]);
    let mut square = filled(Dtype::F32, &[100, 100]);
    let mut all = || {
        planner.matvecs_into(&a, &b, &mut out).unwrap();
        planner.matmul_into(&a, &a, &mut square).unwrap();
        planner.dot_into(&a, &a, &mut square).unwrap();
    };
    all();
    let before = CountingAllocator::allocations();
    all();
    assert_eq!(CountingAllocator::allocations() - before, 0, "matvecs, matmul, dot");

    let before = CountingAllocator::allocations();
    let sparse = Columns::new(2, &[0, 2, 3], &[0, 1, 1], &[1.0, 2.0, 3.0]).unwrap();
    let mut y = [0.0; 2];
    let x = View::new(&[1.0, 10.0], &[2]).unwrap();
    sparse.multiply_into(&x, ViewMut::new(&mut y, &[2]).unwrap()).unwrap();
    assert_eq!(CountingAllocator::allocations() - before, 0, "sparse columns");
    assert_eq!(y, [1.0, 32.0]);
}
