//! A global allocator that counts, so that "nothing is allocated" can be asserted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static TAKEN_BYTES: AtomicU64 = AtomicU64::new(0);
static GIVEN_BYTES: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counting every allocation and reallocation of the process.
///
/// ```
/// # use populace_pool::CountingAllocator;
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator;
///
/// let before = CountingAllocator::allocations();
/// let boxed = std::hint::black_box(Box::new(7_u64));
/// assert!(CountingAllocator::allocations() > before);
/// # drop(boxed);
/// ```
#[derive(Debug, Default, Clone, Copy)]
pub struct CountingAllocator;

impl CountingAllocator {
    /// Heap allocations of the process so far; 0 where it is not the global allocator.
    pub fn allocations() -> u64 {
        ALLOCATIONS.load(Ordering::Relaxed)
    }

    /// Heap bytes of the process now, as they were asked for; 0 where it is not the global allocator.
    pub fn live_bytes() -> u64 {
        let given = GIVEN_BYTES.load(Ordering::Relaxed);
        TAKEN_BYTES.load(Ordering::Relaxed).saturating_sub(given)
    }

    fn took(bytes: usize) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        TAKEN_BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn gave(bytes: usize) {
        GIVEN_BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::took(layout.size());
        // SAFETY: the caller's contract, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::took(layout.size());
        // SAFETY: the caller's contract, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::gave(layout.size());
        // SAFETY: the caller's contract, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::took(size);
        Self::gave(layout.size());
        // SAFETY: the caller's contract, passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
