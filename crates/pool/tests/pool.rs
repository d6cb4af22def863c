//! What a pool keeps, for how long, and what becomes of it.

#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use populace_pool::{
    Cleaner, Clock, Contents, ErrorKind, Event, EventSink, Eviction, Fail, HostHeap, Limit,
    NullResource, Pool, PoolBuilder, Resource, Scope, SharedResource, SizeClasses, Statistics,
};
use proptest::prelude::*;

fn over(upstream: &Arc<Statistics<HostHeap>>) -> PoolBuilder {
    let upstream: SharedResource = upstream.clone();
    Pool::builder(upstream).threads(1)
}

fn counted() -> Arc<Statistics<HostHeap>> {
    Arc::new(Statistics::new(HostHeap))
}

fn consistent(pool: &Pool) {
    let now = pool.snapshot();
    assert_eq!(now.reserved_bytes, now.all.in_use_bytes + pool.idle_bytes());
    assert_eq!(
        now.upstream_allocations - now.upstream_deallocations,
        now.all.in_use_count + now.all.idle_count
    );
    assert_eq!(now.all.hits + now.all.misses - now.all.releases, now.all.in_use_count);
    assert_eq!(
        now.classes.iter().map(|class| class.in_use_count).sum::<u64>(),
        now.all.in_use_count
    );
}

#[test]
fn what_comes_back_is_given_again() {
    let pool = Pool::new(HostHeap);
    let first = pool.acquire(1000).unwrap();
    let address = first.as_ptr();
    drop(first);
    let second = pool.acquire(900).unwrap();
    assert_eq!(second.as_ptr(), address, "900 and 1000 share a class");
    let now = pool.snapshot();
    assert_eq!((now.all.hits, now.all.misses, now.all.in_use_count), (1, 1, 1));
    assert_eq!(
        (now.all.requested_bytes, now.all.in_use_bytes, now.all.padding_bytes()),
        (900, 1024, 124)
    );
    consistent(&pool);
}

#[test]
fn the_largest_sizes_are_kept_by_the_page_and_only_given_for_the_same_layout() {
    let upstream = counted();
    let pool = over(&upstream).classes(SizeClasses::new(&[4096]).unwrap()).build().unwrap();
    drop(pool.acquire(10_000).unwrap());
    assert_eq!(upstream.totals().used_bytes, 12_288);
    drop(pool.acquire(12_288).unwrap());
    drop(pool.acquire(12_289).unwrap());
    drop(pool.acquire_aligned(12_288, 256).unwrap());
    let now = pool.snapshot();
    assert_eq!((now.all.hits, now.all.misses), (1, 3));
    consistent(&pool);
}

#[test]
fn idle_bytes_are_bounded_and_the_least_recently_used_goes_first() {
    let clock = Clock::manual();
    let upstream = counted();
    let pool = over(&upstream).max_idle_bytes(300 << 10).clock(clock.clone()).build().unwrap();
    let sizes = [96 << 10, 112 << 10, 128 << 10];
    let buffers = sizes.map(|size| pool.acquire(size).unwrap());
    for buffer in buffers {
        drop(buffer);
        clock.advance(Duration::from_secs(1));
        assert!(pool.idle_bytes() <= 300 << 10);
    }
    // The first had to go for the third.
    let now = pool.snapshot();
    assert_eq!(now.evictions[Eviction::Bytes.index()], 1);
    assert_eq!(upstream.totals().used_bytes, (112 << 10) + (128 << 10));
    drop(pool.acquire(sizes[0]).unwrap());
    assert_eq!(pool.snapshot().all.misses, 4);
    consistent(&pool);
}

#[test]
fn idle_memory_makes_way_for_growth() {
    let pool = over(&counted()).max_idle_share(0.5).build().unwrap();
    // One after the other, each in a class of its own; without the bound all of them would be kept.
    for step in 0..20 {
        drop(pool.acquire((4 << 20) + step * (1 << 20)).unwrap());
        let now = pool.snapshot();
        let largest = (24 << 20) + (8 << 20);
        assert!(now.reserved_bytes <= largest * 3 / 2, "{now:?}");
    }
    consistent(&pool);
}

#[test]
fn idle_buffers_of_a_class_are_bounded() {
    let pool = over(&counted()).max_idle_count(10).build().unwrap();
    let buffers: Vec<_> = (0..50).map(|_| pool.acquire(4096).unwrap()).collect();
    drop(buffers);
    let now = pool.snapshot();
    assert!(now.all.idle_count <= 10, "{now:?}");
    assert!(now.evictions[Eviction::Count.index()] >= 40, "{now:?}");
    consistent(&pool);
}

#[test]
fn what_is_not_used_for_the_time_to_live_goes_at_the_next_cleanup() {
    let clock = Clock::manual();
    let upstream = counted();
    let pool = over(&upstream).clock(clock.clone()).build().unwrap();
    drop(pool.acquire(1000).unwrap());
    drop(pool.acquire(20 << 20).unwrap());
    assert_eq!(pool.cleanup(), 0);
    clock.advance(Duration::from_secs(59));
    assert_eq!(pool.cleanup(), 0);
    clock.advance(Duration::from_secs(62));
    // Cleanup happens by itself in the course of use.
    for _ in 0..512 {
        drop(pool.acquire(5000).unwrap());
    }
    assert_eq!(pool.snapshot().evictions[Eviction::Age.index()], 2);
    clock.advance(Duration::from_secs(61));
    pool.cleanup();
    clock.advance(Duration::from_secs(61));
    pool.cleanup();
    assert_eq!(upstream.totals().used_bytes, 0);
    consistent(&pool);
}

#[test]
fn a_cleaner_cleans_while_nobody_uses_the_pool() {
    let upstream = counted();
    let pool = over(&upstream).time_to_live(Duration::ZERO).build().unwrap();
    drop(pool.acquire(1000).unwrap());
    let cleaner = Cleaner::start(&pool, Duration::from_millis(1)).unwrap();
    while upstream.totals().used_bytes > 0 {
        std::thread::yield_now();
    }
    drop(pool);
    drop(cleaner);
}

#[test]
fn a_trim_gives_back_what_it_says() {
    let upstream = counted();
    let pool = over(&upstream).build().unwrap();
    let buffers: Vec<_> = (0..20).map(|at| pool.acquire(1000 << (at % 8)).unwrap()).collect();
    let kept = pool.acquire(77).unwrap();
    drop(buffers);
    let idle = pool.idle_bytes();
    let some = pool.trim_to(idle / 2);
    assert!(pool.idle_bytes() <= idle / 2);
    assert_eq!(some + pool.trim(), idle);
    assert_eq!((pool.idle_bytes(), upstream.totals().live()), (0, 1));
    drop(kept);
    consistent(&pool);
}

#[test]
fn buffers_outlive_their_pool() {
    let upstream = counted();
    let pool = over(&upstream).build().unwrap();
    let mut buffers: Vec<_> = [10, 5000, 100 << 20].map(|size| pool.acquire(size).unwrap()).into();
    drop(pool.acquire(100).unwrap());
    drop(pool);
    assert_eq!(upstream.totals().live(), 3, "idle memory went with the pool");
    for buffer in &mut buffers {
        buffer.as_mut_slice()[0] = 1;
    }
    std::thread::spawn(move || drop(buffers)).join().unwrap();
    assert_eq!(upstream.totals().live(), 0);
    assert_eq!(Arc::strong_count(&upstream), 1, "nothing of the pool is left");
}

#[test]
fn contents_are_as_the_policy_says() {
    let zeroed = over(&counted()).contents(Contents::Zeroed).build().unwrap();
    let mut buffer = zeroed.acquire(3000).unwrap();
    buffer.as_mut_slice().fill(7);
    drop(buffer);
    assert!(zeroed.acquire(2900).unwrap().as_slice().iter().all(|&byte| byte == 0));

    let wiped = over(&counted()).contents(Contents::Wiped).build().unwrap();
    let mut secret = wiped.acquire(3000).unwrap();
    secret.as_mut_slice().fill(7);
    drop(secret);
    assert!(wiped.acquire(3000).unwrap().as_slice().iter().all(|&byte| byte == 0));

    if cfg!(debug_assertions) {
        let pool = over(&counted()).build().unwrap();
        drop(pool.acquire(3000).unwrap());
        assert!(pool.acquire(3000).unwrap().as_slice().iter().all(|&byte| byte == 0xDE));
    }
}

#[test]
fn contents_need_a_resource_that_the_host_can_write() {
    let builder = Pool::builder(Arc::new(NullResource::new())).contents(Contents::Zeroed);
    assert!(matches!(builder.build().unwrap_err().kind(), ErrorKind::NotHostAccessible { .. }));
    let pool = Pool::new(NullResource::new());
    assert!(matches!(pool.acquire(10).unwrap_err().kind(), ErrorKind::NotHostAccessible { .. }));
    assert_eq!(pool.snapshot().all.in_use_count, 0);
}

#[test]
fn a_refusal_first_empties_the_cache() {
    let pool = Pool::new(Limit::new(HostHeap, 1 << 20, 64));
    drop(pool.acquire(600 << 10).unwrap());
    let large = pool.acquire(1000 << 10).unwrap();
    let error = pool.acquire(100 << 10).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OverLimit { .. }), "{error}");
    drop(large);
    pool.acquire(100 << 10).unwrap();
    consistent(&pool);
}

#[test]
fn senseless_requests_are_refused_and_change_nothing() {
    let pool = Pool::new(HostHeap);
    let before = pool.snapshot();
    for (size, align) in [(0, 64), (usize::MAX, 64), (isize::MAX as usize, 64), (1, 0), (1, 3)] {
        let error = pool.acquire_aligned(size, align).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::BadLayout { .. } | ErrorKind::System { .. }),
            "{size} {align}: {error}"
        );
    }
    assert!(pool.allocate(std::alloc::Layout::from_size_align(0, 1).unwrap()).is_err());
    assert_eq!(pool.snapshot(), before);
}

#[test]
fn another_pools_buffer_is_refused_and_goes_home() {
    let (one, two) = (Pool::new(HostHeap), Pool::new(HostHeap));
    let error = one.release(two.acquire(10).unwrap()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Foreign { .. }));
    assert_eq!((one.snapshot().all.releases, two.snapshot().all.releases), (0, 1));
    one.release(one.acquire(10).unwrap()).unwrap();
}

#[test]
fn events_tell_of_growth_eviction_and_refusal() {
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<Event>>>);
    impl EventSink for Notes {
        fn note(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }
    let notes = Notes::default();
    let upstream: SharedResource = Arc::new(Fail::above(HostHeap, 4096));
    let pool = Pool::builder(upstream).events(notes.clone()).build().unwrap();
    drop(pool.acquire(1000).unwrap());
    pool.trim();
    pool.acquire(5000).unwrap_err();
    assert_eq!(
        *notes.0.lock().unwrap(),
        [
            Event::Grew { taken_bytes: 1024 },
            Event::Evicted { cause: Eviction::Trim, freed_bytes: 1024 },
            Event::Refused { requested_bytes: 5120 },
        ]
    );
}

#[test]
fn scopes_nest_and_unwind() {
    let pool = Pool::new(HostHeap);
    let outer = Scope::new(&pool);
    let kept = outer.bytes(100).unwrap();
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let inner = Scope::new(&pool);
        inner.bytes(200).unwrap().fill(1);
        inner.share(pool.acquire(300).unwrap());
        assert_eq!(pool.snapshot().all.in_use_count, 3);
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(unwound.is_err());
    kept.fill(2);
    assert_eq!(pool.snapshot().all.in_use_count, 1);
    drop(outer);
    assert_eq!(pool.snapshot().all.in_use_count, 0);
}

#[derive(Debug, Clone)]
enum Step {
    Acquire(usize),
    Release(prop::sample::Index),
    Trim(u64),
    Cleanup(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (6_u32..18, 0_usize..100).prop_map(|(log, more)| Step::Acquire((1 << log) + more)),
        4 => any::<prop::sample::Index>().prop_map(Step::Release),
        1 => (0_u64..200_000).prop_map(Step::Trim),
        1 => (0_u64..100).prop_map(Step::Cleanup),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any sequence of operations keeps contents, bounds and counts.
    #[test]
    fn any_use_keeps_contents_bounds_and_counts(
        steps in prop::collection::vec(step(), 1..300),
        max_idle_bytes in 0_u64..500_000,
        max_idle_count in 0_usize..40,
    ) {
        let (upstream, clock) = (counted(), Clock::manual());
        let pool = over(&upstream)
            .max_idle_bytes(max_idle_bytes)
            .max_idle_count(max_idle_count)
            .clock(clock.clone())
            .build()
            .unwrap();
        let mut live = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Acquire(size) => {
                    let mut buffer = pool.acquire(size).unwrap();
                    buffer.as_mut_slice().fill(number as u8);
                    live.push((buffer, number as u8));
                }
                Step::Release(which) if !live.is_empty() => {
                    let (buffer, pattern) = live.swap_remove(which.index(live.len()));
                    prop_assert!(buffer.as_slice().iter().all(|&byte| byte == pattern));
                }
                Step::Release(_) => {}
                Step::Trim(bytes) => {
                    pool.trim_to(bytes);
                    prop_assert!(pool.idle_bytes() <= bytes);
                }
                Step::Cleanup(seconds) => {
                    clock.advance(Duration::from_secs(seconds));
                    pool.cleanup();
                }
            }
            prop_assert!(pool.idle_bytes() <= max_idle_bytes);
            consistent(&pool);
        }
        let now = pool.snapshot();
        prop_assert!(now.classes.iter().all(|class| class.idle_count <= max_idle_count as u64));
        prop_assert_eq!(now.reserved_bytes, upstream.totals().used_bytes);
        drop(pool);
        drop(live);
        prop_assert_eq!(upstream.totals().live(), 0);
    }
}
