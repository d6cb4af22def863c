//! Requests that make no sense: each is refused in words that name it and the limit it breaks, and
//! leaves pool and budget as they were.

#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use populace_pool::{
    Budget, Budgeted, Dtype, Error, Event, EventSink, HostHeap, MatrixPool, Pages, Pool, Resource,
};

const LIMIT_BYTES: u64 = 1 << 20;

/// A pool under a budget of 1 MiB, of which a buffer is held and another is idle.
fn under_a_budget<R>(refuse: impl Fn(&Pool) -> R) {
    let budget = Budget::new("run", LIMIT_BYTES);
    let pool = Pool::new(Budgeted::new(HostHeap, budget.clone(), 64));
    let held = pool.acquire(1000).unwrap();
    drop(pool.acquire(5000).unwrap());
    let before = (pool.snapshot(), budget.used_bytes());
    refuse(&pool);
    let after = (pool.snapshot(), budget.used_bytes());
    assert_eq!(after, before);
    drop(held);
}

fn says<T: std::fmt::Debug>(answer: Result<T, Error>, words: &str) {
    assert_eq!(answer.unwrap_err().to_string(), words);
}

#[test]
fn sizes_of_nothing_and_beyond_the_address_space() {
    under_a_budget(|pool| {
        says(pool.acquire(0), "a block of 0 bytes was requested; the least is 1");
        for size in [usize::MAX, isize::MAX as usize] {
            let words = format!(
                "a block of {size} bytes aligned to 64 was requested; the address space has {}",
                isize::MAX
            );
            says(pool.acquire(size), &words);
        }
    });
}

#[test]
fn alignments_that_are_no_power_of_two_or_more_than_there_is() {
    under_a_budget(|pool| {
        for align in [0, 3, 96] {
            let words = format!("an alignment of {align} was requested; it must be a power of two");
            says(pool.acquire_aligned(100, align), &words);
        }
    });
    let layout = std::alloc::Layout::from_size_align(100, 1 << 30).unwrap();
    says(
        Pages.allocate(layout).map(|_| ()),
        "a block of 100 bytes was requested, but this resource aligns none to 1073741824",
    );
}

#[test]
fn more_than_the_budget() {
    let budget = Budget::new("run", LIMIT_BYTES);
    let pool = Pool::new(Budgeted::new(HostHeap, budget.clone(), 64));
    let held = pool.acquire(1 << 19).unwrap();
    says(
        pool.acquire(3 << 18),
        "768.0 KiB requested, but 512.0 KiB of budget 'run' of 1.0 MiB is taken and 512.0 KiB \
         remains; largest holders: run 512.0 KiB",
    );
    assert_eq!(budget.used_bytes(), 1 << 19);
    drop(held);
}

#[test]
fn shapes_and_types_that_do_not_fit() {
    under_a_budget(|pool| {
        let matrices = MatrixPool::new(pool.resource(), 0);
        says(
            matrices.acquire(&[3, 0], Dtype::F32),
            "a matrix of shape [3, 0] with elements of 4 bytes: it has no elements",
        );
        says(
            matrices.acquire(&[1 << 40, 1 << 40], Dtype::F32),
            "a matrix of shape [1099511627776, 1099511627776] with elements of 4 bytes: its size \
             overflows the address space",
        );
        assert!("float33".parse::<Dtype>().unwrap_err().to_string().starts_with("'float33' names"));
        assert!(matrices.statistics().is_empty());
    });
}

/// A stale handle cannot be written down: releasing one consumes it.
#[test]
fn handles_of_another_pool() {
    under_a_budget(|pool| {
        let other = Pool::new(HostHeap);
        says(
            pool.release(other.acquire(4096).unwrap()),
            "this pool was asked to take back 4.0 KiB that it did not give; they went home",
        );
        assert_eq!(other.snapshot().all.in_use_count, 0);
    });
}

/// The one foreign code that a pool calls while it works is its event sink's.
#[test]
fn a_sink_that_panics_loses_nothing() {
    struct Panics;
    impl EventSink for Panics {
        fn note(&self, event: Event) {
            if matches!(event, Event::Refused { .. }) {
                resume_unwind(Box::new(()));
            }
        }
    }
    let budget = Budget::new("run", LIMIT_BYTES);
    let upstream = Arc::new(Budgeted::new(HostHeap, budget.clone(), 64));
    let pool = Pool::builder(upstream).events(Panics).build().unwrap();
    let held = pool.acquire(1000).unwrap();
    let before = (pool.snapshot().all, budget.used_bytes());
    catch_unwind(AssertUnwindSafe(|| pool.acquire(2 << 20))).unwrap_err();
    assert_eq!((pool.snapshot().all, budget.used_bytes()), before);
    drop(held);
    drop(pool.acquire(1000).unwrap());
    pool.trim();
    assert_eq!(budget.used_bytes(), 0);
}
