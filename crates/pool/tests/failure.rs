//! Each allocation of a scenario fails in turn: no panic, nothing lost, budgets back where they were.

#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use std::sync::Arc;

use populace_pool::{
    Budget, Budgeted, Buffer, Charge, Class, Contents, Dtype, Fail, HostHeap, Ledger, Limit,
    MatrixPool, Pool, Record, Region, Result, Scope, SharedBuffer, SharedResource, Statistics,
    Tracking,
};

type Counted = Arc<Statistics<HostHeap>>;
type Failing = fn(Counted, u64) -> Fail<Counted>;

/// Runs `scenario` without failures, and then once for each allocation that it makes, with that one and
/// with it and all later ones failing.
fn each_allocation_fails(scenario: impl Fn(SharedResource) -> Result<()>) {
    let upstream = Arc::new(Statistics::new(HostHeap));
    let budget = Budget::new("all", 1 << 30);
    let run = |fail: Failing, nth| {
        let fail = Arc::new(fail(upstream.clone(), nth));
        let resource: SharedResource = Arc::new(Budgeted::new(fail.clone(), budget.clone(), 64));
        let outcome = scenario(resource);
        assert_eq!(upstream.totals().live(), 0, "allocation {nth} failed, and something leaked");
        assert_eq!(
            budget.used_bytes(),
            0,
            "allocation {nth} failed, and the budget was not given back"
        );
        (outcome, fail.allocations())
    };
    let (outcome, allocations) = run(Fail::nth, u64::MAX);
    outcome.unwrap();
    assert!(allocations > 0);
    for nth in 1..=allocations {
        // A pool may survive one failure by emptying itself and asking again; a lasting one it passes on.
        let _survived = run(Fail::nth, nth).0;
        let _refused = run(Fail::from_nth, nth).0;
    }
    run(Fail::from_nth, 1).0.unwrap_err();
}

#[test]
fn pools() {
    each_allocation_fails(|resource| {
        let pool = Pool::builder(resource).max_idle_bytes(20_000).build()?;
        let mut held = Vec::new();
        for round in 0..40_usize {
            held.push(pool.acquire(100 + round * 97 % 9000)?);
            if round % 3 == 2 {
                held.swap_remove(round % held.len());
            }
        }
        drop(pool.acquire_aligned(3000, 4096)?);
        drop(pool.acquire(70 << 20)?);
        drop(pool.acquire_shared(100)?);
        Ok(())
    });
}

#[test]
fn pools_over_pools_of_every_content() {
    for contents in [Contents::AsIs, Contents::Zeroed, Contents::Wiped] {
        each_allocation_fails(|resource| {
            let below = Pool::builder(resource).max_idle_bytes(30_000).build()?;
            let pool =
                Pool::builder(below.resource()).contents(contents).max_idle_share(0.1).build()?;
            let held = [pool.acquire(5000)?, pool.acquire(700)?, pool.acquire(100_000)?];
            drop(held);
            pool.trim_to(1000);
            below.cleanup();
            drop(pool.acquire(700)?);
            pool.release(pool.acquire(5000)?)?;
            pool.trim();
            drop(pool.acquire_region(40_000, 128)?);
            Ok(())
        });
    }
}

#[test]
fn buffers_that_another_thread_releases() {
    each_allocation_fails(|resource| {
        let pool = Pool::builder(resource).max_idle_bytes(20_000).build()?;
        let mut outcome = Ok(());
        for _ in 0..3 {
            let sizes = 1..30_usize;
            let buffers: Result<Vec<_>> = sizes.map(|size| pool.acquire(size * 300)).collect();
            match buffers {
                Ok(buffers) => std::thread::spawn(move || drop(buffers)).join().unwrap(),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    });
}

#[test]
fn adaptors_one_over_the_other() {
    each_allocation_fails(|resource| {
        let ledger = Arc::new(Ledger::default());
        let limit: SharedResource = Arc::new(Limit::new(resource, 1 << 20, 64));
        let charge = Charge::new(limit, ledger.clone(), Class(3));
        let stack: SharedResource = Arc::new(Tracking::new(Statistics::new(Record::new(charge))));
        let outcome = (|| {
            let region = Region::new(&stack, 100, 64)?;
            let shared = SharedBuffer::new(Buffer::new(&stack, 5000, 128)?);
            let clone = shared.clone();
            drop((region, shared));
            drop(Buffer::new(&stack, 64, 64)?);
            drop(clone);
            Ok(())
        })();
        assert_eq!((ledger.used_bytes(Class(3)), ledger.padding_bytes()), (0, 0));
        outcome
    });
}

#[test]
fn scopes() {
    each_allocation_fails(|resource| {
        let pool = Pool::builder(resource).build()?;
        let scope = Scope::new(&pool);
        for size in 1..20 {
            scope.bytes(size * 100)?.fill(1);
        }
        let escaped = scope.share(pool.acquire(5000)?);
        drop(scope);
        drop(escaped);
        Ok(())
    });
}

#[test]
fn matrices() {
    each_allocation_fails(|resource| {
        let pool = MatrixPool::new(resource, 1 << 20);
        let one = pool.acquire(&[10, 10], Dtype::F32)?;
        let both = pool.acquire_all(&[(&[10, 10], Dtype::F64), (&[300, 300], Dtype::F64)])?;
        drop((one, both));
        pool.acquire_zeroed(&[10, 10], Dtype::F32)?;
        Ok(())
    });
}

#[test]
fn replays() {
    let record = Arc::new(Record::new(HostHeap));
    let resource: SharedResource = record.clone();
    let pool = Pool::builder(resource).max_idle_bytes(0).build().unwrap();
    let held: Vec<_> = (1..30).map(|size| pool.acquire(size * 1000).unwrap()).collect();
    drop(held);
    let trace = record.trace();
    each_allocation_fails(|resource| trace.replay(&resource).map(|_| ()));
}
