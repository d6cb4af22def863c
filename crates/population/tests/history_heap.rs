//! What compressing takes on the heap is charged beforehand, and ticks with history allocate nothing.
//!
//! One test only: the counts are the process's.
#![allow(clippy::unwrap_used)] // tests' helpers

use populace_agent::models::{GridOptions, grid};
use populace_pool::CountingAllocator;
use populace_population::history::Codec;
use populace_population::{History, Settings, Simulation};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const STEPS: u64 = 60;

/// Heap bytes that a simulation holds, its scratch, and heap allocations in the second half of it.
fn run(history: Option<History>) -> (u64, u64, u64) {
    let model = grid(&GridOptions { side: 12, ..GridOptions::default() }).unwrap();
    let settings = Settings { agents: 3000, threads: 1, history, ..Settings::default() };
    let before = CountingAllocator::live_bytes();
    let mut run = Simulation::new(&model, None, &settings, STEPS, false).unwrap();
    let held = CountingAllocator::live_bytes() - before;
    let allocations = run.on_worker(|run| {
        (0..STEPS / 2).for_each(|_| run.tick().unwrap());
        let before = CountingAllocator::allocations();
        (STEPS / 2..STEPS).for_each(|_| run.tick().unwrap());
        CountingAllocator::allocations() - before
    });
    let grown = CountingAllocator::live_bytes() - before;
    assert!(grown <= held + 4096, "{grown} bytes on the heap after the run, {held} before it");
    (held, run.memory().scratch, allocations)
}

#[test]
fn what_libraries_hold_is_charged_and_a_tick_allocates_nothing() {
    let history = |codec| Some(History { ticks: 20, codec, ..History::default() });
    let (bare_heap, bare_scratch, _) = run(None);
    let (heap, scratch, allocations) = run(history(Codec::None));
    assert_eq!(allocations, 0);
    // The reader's contexts, and a few hundred bytes of lists.
    println!("reader: {} bytes on Rust's heap", heap.saturating_sub(bare_heap));
    assert!(
        heap - bare_heap <= scratch - bare_scratch,
        "{heap} {bare_heap} {scratch} {bare_scratch}"
    );
    for codec in [Codec::Zstd, Codec::Zlib, Codec::Lz4] {
        let (pressed_heap, pressed_scratch, allocations) = run(history(codec));
        // zstd is not on Rust's heap; it says itself what it holds.
        let (held, charged) = (pressed_heap.saturating_sub(heap), pressed_scratch - scratch);
        // The pool has a list more for a size more.
        let most = charged + 1024;
        assert!(held <= most, "{codec:?} holds {held} bytes and {charged} are charged");
        assert_eq!(allocations, 0, "{codec:?}");
        println!("{codec:?}: {held} bytes on Rust's heap, {charged} charged");
    }
}
