//! What a workload runs on: a pool, or the system's allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::NonNull;

use crate::{CACHE_LINE_BYTES, Error, Pool, PoolStatistics, Region, Result};

/// Gives memory that goes back when its handle is dropped.
pub(super) trait Subject: Sync {
    type Handle: Handle;

    fn acquire(&self, size: usize) -> Result<Self::Handle>;

    /// From now on counts count; earlier operations were there to warm it up.
    fn warmed_up(&mut self) {}

    /// Bytes that lie idle, where that is known.
    fn idle_bytes(&self) -> u64 {
        0
    }

    /// What was counted, with the most bytes that the workload had requested at a time.
    fn tally(&self, peak_requested: u64) -> Tally;

    /// Whether nothing is live and no count contradicts another.
    fn settled(&self) -> bool;
}

pub(super) trait Handle: Send {
    /// The first byte, where there are bytes.
    fn address(&self) -> Option<NonNull<u8>>;

    fn len(&self) -> usize;

    /// Writes one byte, if there are bytes.
    #[inline(always)]
    fn write(&mut self, byte: u8) {
        if let Some(address) = self.address() {
            // SAFETY: a handle holds at least one byte and is its only owner.
            unsafe { address.as_ptr().write_volatile(byte) }
        }
    }

    /// Writes one byte in each page.
    fn touch(&mut self, byte: u8) {
        if let Some(address) = self.address() {
            // SAFETY: a handle is the only owner of so many bytes.
            unsafe { touch_pages(address, self.len(), byte) }
        }
    }

    /// Whether the first byte is `byte`, or there are none.
    fn holds(&self, byte: u8) -> bool {
        // SAFETY: as above; whoever asks has written before.
        self.address().is_none_or(|address| unsafe { address.as_ptr().read_volatile() } == byte)
    }
}

/// Writes one byte in each page, each time in the next line of it: at the same place in all pages they would
/// drive each other, and whatever else has that place, out of the first cache.
///
/// Not inlined, so that it is the same code for all: compiled into its callers, the loop differed by a tenth.
///
/// # Safety
///
/// So many bytes can be written there.
#[inline(never)]
unsafe fn touch_pages(address: NonNull<u8>, len: usize, byte: u8) {
    for page in 0..len.div_ceil(4096) {
        let offset = (page * 4096 + page % 64 * CACHE_LINE_BYTES).min(len - 1);
        // SAFETY: below the length.
        unsafe { address.as_ptr().add(offset).write_volatile(byte) }
    }
}

/// The columns of a row that are counted, not timed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    pub(super) resource: &'static str,
    pub(super) hit_rate: Option<f64>,
    pub(super) internal_waste: Option<f64>,
    pub(super) peak_reserved_over_requested: Option<f64>,
}

/// A pool, with its numbers when it was warm.
pub(super) struct Pooled {
    pool: Pool,
    warm: PoolStatistics,
}

impl Pooled {
    pub(super) fn new(pool: Pool) -> Self {
        let warm = pool.snapshot();
        Self { pool, warm }
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Subject for Pooled {
    type Handle = Region;

    #[inline(always)]
    fn acquire(&self, size: usize) -> Result<Region> {
        self.pool.acquire_region(size, CACHE_LINE_BYTES)
    }

    fn warmed_up(&mut self) {
        self.warm = self.pool.snapshot();
    }

    fn idle_bytes(&self) -> u64 {
        self.pool.idle_bytes()
    }

    fn tally(&self, peak_requested: u64) -> Tally {
        let now = self.pool.snapshot();
        let (hits, misses) =
            (now.all.hits - self.warm.all.hits, now.all.misses - self.warm.all.misses);
        Tally {
            resource: "pool",
            hit_rate: Some(hits as f64 / (hits + misses).max(1) as f64),
            internal_waste: Some(waste(&now, &self.warm)),
            peak_reserved_over_requested: Some(
                now.peak_reserved_bytes as f64 / peak_requested.max(1) as f64,
            ),
        }
    }

    fn settled(&self) -> bool {
        let now = self.pool.snapshot();
        now.all.in_use_count == 0
            && now.all.requested_bytes == 0
            && now.all.hits + now.all.misses == now.all.releases
            && now.reserved_bytes == self.pool.idle_bytes()
    }
}

/// Padding over taken bytes of the acquires between two moments; without a class nothing is padded by
/// classes.
fn waste(now: &PoolStatistics, warm: &PoolStatistics) -> f64 {
    let (mut requested, mut taken) = (0.0, 0.0);
    for class in &now.classes {
        let size = class.class_bytes;
        let before = warm.classes.iter().find(|class| class.class_bytes == size);
        let before = before.copied().unwrap_or_default();
        let bytes = (class.total_requested_bytes - before.total_requested_bytes) as f64;
        let count = class.hits + class.misses - before.hits - before.misses;
        requested += bytes;
        taken += if size > 0 { size as f64 * count as f64 } else { bytes };
    }
    if taken > 0.0 { 1.0 - requested / taken } else { 0.0 }
}

impl Handle for Region {
    #[inline(always)]
    fn address(&self) -> Option<NonNull<u8>> {
        self.host_accessible().then_some(self.block().address)
    }

    fn len(&self) -> usize {
        Region::len(self)
    }
}

/// The system's allocator, as C programs use it.
pub(super) struct Malloc;

pub(super) struct Allocated {
    address: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the handle is the only owner of its memory.
unsafe impl Send for Allocated {}

impl Subject for Malloc {
    type Handle = Allocated;

    #[inline(always)]
    fn acquire(&self, size: usize) -> Result<Allocated> {
        let layout = Layout::from_size_align(size, 16).ok().filter(|layout| layout.size() > 0);
        let layout = layout.ok_or_else(|| Error::bad_layout(size, 16))?;
        // SAFETY: the size is not 0.
        let address = NonNull::new(unsafe { System.alloc(layout) });
        let address = address.ok_or_else(|| Error::system(size, crate::prim::OUT_OF_MEMORY))?;
        Ok(Allocated { address, layout })
    }

    fn tally(&self, _peak_requested: u64) -> Tally {
        Tally {
            resource: "system",
            hit_rate: None,
            internal_waste: None,
            peak_reserved_over_requested: None,
        }
    }

    fn settled(&self) -> bool {
        true
    }
}

impl Handle for Allocated {
    #[inline(always)]
    fn address(&self) -> Option<NonNull<u8>> {
        Some(self.address)
    }

    fn len(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for Allocated {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the system gave it by this layout, and the handle was its only owner.
        unsafe { System.dealloc(self.address.as_ptr(), self.layout) }
    }
}
