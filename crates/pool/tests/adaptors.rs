//! What each adaptor adds to its upstream.

#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use populace_pool::{
    Buffer, Charge, Class, ErrorKind, Fail, HostHeap, Ledger, Limit, Pages, Pool, SharedResource,
    SizeClasses, Statistics, Tracking,
};

#[test]
fn leaks_are_listed_at_shutdown_with_who_took_them() {
    let listed = Rc::new(RefCell::new(Vec::new()));
    let tracking = Arc::new(Tracking::new(HostHeap).with_backtraces());
    let list = listed.clone();
    let guard = tracking.at_shutdown(move |leaks| *list.borrow_mut() = leaks);
    let resource: SharedResource = tracking.clone();
    let freed = Buffer::new(&resource, 100, 64).unwrap();
    let leaked = Buffer::new(&resource, 2000, 64).unwrap();
    drop(freed);
    drop(guard);
    let lines: Vec<_> = listed.borrow().iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("allocation 2 of 2.0 KiB at 0x"), "{}", lines[0]);
    assert!(lines[0].contains("leaks_are_listed_at_shutdown"), "{}", lines[0]);
    drop(leaked);
    drop(tracking.at_shutdown(|leaks| panic!("{leaks:?}")));
}

#[test]
fn statistics_count_bytes_blocks_and_refusals() {
    let statistics = Arc::new(Statistics::new(Fail::above(HostHeap, 1000)));
    let resource: SharedResource = statistics.clone();
    let one = Buffer::new(&resource, 100, 64).unwrap();
    let two = Buffer::new(&resource, 1000, 64).unwrap();
    Buffer::new(&resource, 1001, 64).unwrap_err();
    drop(one);
    let totals = statistics.totals();
    assert_eq!((totals.used_bytes, totals.peak_bytes, totals.total_bytes), (1024, 1152, 1152));
    assert_eq!((totals.allocations, totals.deallocations, totals.failures), (2, 1, 1));
    assert_eq!(totals.live(), 1);
    drop(two);
}

#[test]
fn a_ledger_adds_up_by_class() {
    let ledger = Arc::new(Ledger::default());
    let statistics = Arc::new(Statistics::new(Pages));
    let home = |class| -> SharedResource {
        Arc::new(Charge::new(statistics.clone(), ledger.clone(), Class(class)))
    };
    let _one = Buffer::new(&home(0), 100, 64).unwrap();
    let two = Buffer::new(&home(1), 5000, 64).unwrap();
    let adds_up = || {
        let classes: u64 = (0..8).map(|class| ledger.used_bytes(Class(class))).sum();
        assert_eq!(classes + ledger.padding_bytes(), statistics.totals().used_bytes);
    };
    adds_up();
    assert_eq!((ledger.used_bytes(Class(0)), ledger.used_bytes(Class(1))), (100, 5000));
    assert_eq!(ledger.used_bytes(Class(200)), 0);
    drop(two);
    adds_up();
    assert_eq!(ledger.used_bytes(Class(1)), 0);
}

/// What is charged, what rounding adds and what the pool keeps are all that the root has given.
#[test]
fn every_byte_of_a_charged_pool_has_a_name() {
    let root = Arc::new(Limit::new(Pages, 64 << 20, Pages::page_bytes() as u64));
    let classes = SizeClasses::geometric_in(Pages::page_bytes(), 1 << 20);
    let pool =
        Pool::builder(root.clone()).classes(classes).max_idle_bytes(1 << 20).build().unwrap();
    let ledger = Arc::new(Ledger::default());
    let homes = [0, 1].map(|class| -> SharedResource {
        Arc::new(Charge::new(pool.resource(), ledger.clone(), Class(class)))
    });
    let mut held = Vec::new();
    for round in 0..500_usize {
        held.push(Buffer::new(&homes[round % 2], 1 + round * 7919 % 3_000_000, 64).unwrap());
        if held.len() > 20 {
            held.swap_remove(round % 20);
        }
        let charged = ledger.used_bytes(Class(0)) + ledger.used_bytes(Class(1));
        let named = charged + ledger.padding_bytes() + pool.idle_bytes();
        assert_eq!(named, root.used_bytes(), "round {round}");
    }
}

/// Large requests that are refused never fail a small one that fits, from four threads.
#[test]
fn a_limit_is_never_exceeded_and_refuses_only_what_does_not_fit() {
    let limit = Arc::new(Limit::new(HostHeap, 64 * 100, 64));
    let resource: SharedResource = limit.clone();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let resource = &resource;
            scope.spawn(move || {
                for _ in 0..20_000 {
                    if thread == 0 {
                        Buffer::new(resource, 64 * 10, 64).unwrap();
                    } else {
                        // Never fits beside itself; three of thirty always leave ten.
                        Buffer::new(resource, 64 * 101, 64).unwrap_err();
                        Buffer::new(resource, 64 * 30, 64).unwrap();
                    }
                }
            });
        }
    });
    assert!(limit.peak_bytes() <= limit.limit_bytes());
    assert_eq!(limit.used_bytes(), 0);
    let error = Buffer::new(&resource, usize::MAX / 4, 64).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OverLimit { .. }), "{error}");
}
