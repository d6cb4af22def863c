//! The machine inside a pool: slots, centre, upstream, and the count that keeps them alive.
//!
//! **Who keeps it alive.** A reference count that every acquire and release changed would make two threads fight
//! for one cache line. The slots count both anyway, so a core's live buffers are Σ acquired − Σ released
//! over its slots. While the pool's handle lives that sum is never asked for. When the handle goes,
//! each slot is closed under its lock and its difference moves to `remaining`; from then on a release counts
//! there, and whoever brings it to 0 frees the core.
//!
//! Invariant: counting a release (in a slot, or in `remaining`) is the last thing that a release does to
//! the core; after it, the core may be gone.
//!
//! **Who waits for whom.** A slot's lock may be held while a centre queue's is taken, never the reverse; the
//! upstream and the event sink are called with no lock held.

use std::alloc::Layout;
use std::ptr::NonNull;

use super::centre::{Centre, Evicted, EvictedBlocks};
use super::gauges::Gauges;
use super::slot::{Blocks, Kept, Slot};
use super::{Contents, SizeClasses};
use crate::biased::{BiasedLock, visit_all};
use crate::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};
use crate::{
    Block, CACHE_LINE_BYTES, Clock, Event, EventSink, Eviction, Resource, Result, SharedResource,
};

/// Above every number of live buffers, so that `remaining` cannot reach 0 while it is being made up.
const BIAS: i64 = 1 << 62;

/// Sizes above the largest class are rounded to this, so that nearly equal ones can share.
const UNCLASSED_GRANULE_BYTES: usize = 4096;

/// Debug builds overwrite so much of what comes back; overwriting all of it would commit pages that
/// its user never touched.
const POISONED_BYTES: usize = 64 << 10;
/// What debug builds overwrite it with.
const POISON: u8 = 0xDE;

/// What a core is made of; checked by the builder.
pub(super) struct Parts {
    pub(super) upstream: SharedResource,
    pub(super) classes: SizeClasses,
    pub(super) slots: usize,
    pub(super) max_idle_bytes: u64,
    pub(super) max_idle_count: usize,
    pub(super) max_idle_share: Option<f64>,
    pub(super) time_to_live_ns: u64,
    pub(super) cleanup_every_ns: u64,
    pub(super) contents: Contents,
    pub(super) clock: Clock,
    pub(super) events: Option<Box<dyn EventSink>>,
}

pub(crate) struct Core {
    parts: Parts,
    host_accessible: bool,
    slots: Box<[BiasedLock<Slot>]>,
    centre: Centre,
    gauges: Gauges,
    /// When the last cleanup was, in nanoseconds of the clock.
    cleaned_ns: AtomicU64,
    remaining: AtomicI64,
}

impl Core {
    pub(super) fn new(parts: Parts) -> Self {
        // Magazines may lease a quarter of the idle bytes, each a quarter of its slot's part, and half of
        // each class's buffers: room that is leased and empty is room that nothing else can use.
        let slot_bytes = parts.max_idle_bytes / 4 / parts.slots as u64;
        let most = (parts.max_idle_count / 2 / parts.slots).min(MAGAZINE_CAPACITY);
        let centre_count = parts.max_idle_count - most * parts.slots;
        let sizes = parts.classes.sizes_bytes();
        let capacity = |&size: &usize| most.min((slot_bytes / 4 / size as u64) as usize);
        let slot = || {
            let capacities = sizes.iter().map(capacity).chain([0]);
            BiasedLock::new(Slot::new(capacities, slot_bytes))
        };
        // SAFETY: classes are at most 2^46 bytes, and the alignment is a power of two.
        let layout =
            |&size: &usize| unsafe { Layout::from_size_align_unchecked(size, CACHE_LINE_BYTES) };
        let centre = Centre::new(sizes.iter().map(layout), parts.max_idle_bytes, centre_count);
        Self {
            slots: (0..parts.slots).map(|_| slot()).collect(),
            centre,
            host_accessible: parts.upstream.host_accessible(),
            gauges: Gauges::default(),
            cleaned_ns: AtomicU64::new(parts.clock.nanoseconds()),
            remaining: AtomicI64::new(BIAS),
            parts,
        }
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Shows each slot to `work`, one after the other.
    pub(super) fn visit_slots(&self, work: impl FnMut(&mut Slot)) {
        visit_all(&self.slots, work);
    }

    pub(super) fn centre(&self) -> &Centre {
        &self.centre
    }

    pub(super) fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    pub(crate) fn host_accessible(&self) -> bool {
        self.host_accessible
    }

    #[inline(always)]
    fn slot(&self, thread: usize) -> &BiasedLock<Slot> {
        &self.slots[thread & (self.slots.len() - 1)]
    }

    #[inline(always)]
    fn with_slot<R>(&self, thread: usize, work: impl FnOnce(&mut Slot) -> R) -> R {
        self.slot(thread).with(thread, work)
    }

    /// The class that serves a layout; the class after the last if none does.
    #[inline(always)]
    pub(crate) fn class(&self, layout: Layout) -> usize {
        if layout.align() <= CACHE_LINE_BYTES {
            self.parts.classes.index_of(layout.size())
        } else {
            self.centre.classes()
        }
    }

    /// The layout that is asked of the upstream for one of no class.
    fn unclassed_layout(layout: Layout) -> Result<Layout> {
        let size = layout.size().checked_next_multiple_of(UNCLASSED_GRANULE_BYTES);
        let align = layout.align().max(CACHE_LINE_BYTES);
        size.and_then(|size| Layout::from_size_align(size, align).ok())
            .ok_or_else(|| crate::Error::bad_layout(layout.size(), layout.align()))
    }

    /// The same for a layout that a block was acquired by.
    fn known_unclassed_layout(layout: Layout) -> Layout {
        match Self::unclassed_layout(layout) {
            Ok(layout) => layout,
            Err(error) => unreachable!("a block was acquired by this layout: {error}"),
        }
    }

    /// A block for `layout`, whose size is not 0 and whose class this is.
    #[inline(always)]
    pub(crate) fn acquire(&self, class: usize, layout: Layout, thread: usize) -> Result<Block> {
        let requested = layout.size();
        // By value, here and in `release`: what a closure borrows lies in memory, and a layout that is copied there in
        // one piece soon after its halves were written stalls the processor for a third of a release.
        match self.slot(thread).try_with(thread, move |slot| slot.take(class, requested)) {
            Some(Some(block)) if self.parts.contents != Contents::Zeroed => Ok(block),
            Some(Some(block)) => Ok(self.zeroed(block, requested)),
            _ => self.acquire_otherwise(class, layout, thread),
        }
    }

    /// With the slot another's, its magazine empty, or the clock to be looked at.
    #[cold]
    #[inline(never)]
    fn acquire_otherwise(&self, class: usize, layout: Layout, thread: usize) -> Result<Block> {
        let take = |slot: &mut Slot| slot.take_anyway(class, layout.size());
        let (block, due) = self.with_slot(thread, take);
        if due {
            self.look_at_the_clock();
        }
        let block = match block {
            Some(block) => block,
            None => self.acquire_elsewhere(class, layout, thread)?,
        };
        Ok(if self.parts.contents == Contents::Zeroed {
            self.zeroed(block, layout.size())
        } else {
            block
        })
    }

    #[cold]
    fn zeroed(&self, block: Block, size: usize) -> Block {
        self.fill(block, size, 0);
        block
    }

    /// From the centre, taking a few more along for next time, or else from the upstream.
    fn acquire_elsewhere(&self, class: usize, layout: Layout, thread: usize) -> Result<Block> {
        let upstream_layout = if class < self.centre.classes() {
            let cached = self.with_slot(thread, |slot| {
                let more = slot.magazines()[class].most() / 2;
                let block = self.centre.take(class, more, |block| slot.push(class, block))?;
                slot.count_acquired(class, layout.size(), false);
                Some(block)
            });
            if let Some(block) = cached {
                return Ok(block);
            }
            self.centre.layout(class)
        } else {
            let upstream_layout = Self::unclassed_layout(layout)?;
            if let Some(block) = self.centre.take_unclassed(upstream_layout) {
                self.gauges.unclassed_acquired(block);
                self.with_slot(thread, |slot| slot.count_acquired(class, layout.size(), false));
                return Ok(block);
            }
            upstream_layout
        };
        let block = self.grow(upstream_layout)?;
        if class == self.centre.classes() {
            self.gauges.unclassed_acquired(block);
        }
        self.with_slot(thread, |slot| slot.count_acquired(class, layout.size(), true));
        Ok(block)
    }

    /// A new block from the upstream; if it has no more, everything idle goes back to it first.
    fn grow(&self, layout: Layout) -> Result<Block> {
        if let Some(share) = self.parts.max_idle_share {
            self.make_way(layout.size() as u64, share);
        }
        let block = self.parts.upstream.allocate(layout).or_else(|error| {
            if self.trim() == 0 {
                return Err(error);
            }
            self.parts.upstream.allocate(layout)
        });
        match block {
            Ok(block) => {
                self.gauges.grew(block.size_bytes as u64);
                self.note(Event::Grew { taken_bytes: block.size_bytes as u64 });
                Ok(block)
            }
            Err(error) => {
                self.note(Event::Refused { requested_bytes: layout.size() as u64 });
                Err(error)
            }
        }
    }

    /// Gives idle memory back before the pool grows by `bytes`, so that it holds about 1 + `share` times the most
    /// that was ever in use, and not more.
    fn make_way(&self, bytes: u64, share: f64) {
        let reserved = self.gauges.reserved_bytes.load(Ordering::Relaxed);
        let in_use = reserved.saturating_sub(self.idle_bytes()) + bytes;
        let peak = self.gauges.peak_in_use_bytes.fetch_max(in_use, Ordering::Relaxed).max(in_use);
        let allowed = peak.saturating_add((peak as f64 * share) as u64);
        let excess = (reserved + bytes).saturating_sub(allowed);
        if excess == 0 {
            return;
        }
        let evict = |bytes: u64, evicted: &mut EvictedBlocks| {
            let left = self.centre.reserved_bytes().saturating_sub(bytes);
            self.centre.take_down_to(left, evicted);
            self.give_back(evicted)
        };
        let freed = evict(excess, &mut EvictedBlocks::new());
        if freed < excess {
            // What magazines hold was used last, so it goes last.
            let mut evicted = EvictedBlocks::new();
            self.drain_slots(self.parts.clock.nanoseconds(), &mut evicted, Slot::drain_all);
            evict(excess - freed, &mut evicted);
        }
    }

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// `core` is alive, the block came from its `acquire` with this class and layout and is not used
    /// again. The core may be gone afterwards unless the caller keeps it alive.
    #[inline(always)]
    pub(crate) unsafe fn release(
        core: NonNull<Self>,
        class: usize,
        block: Block,
        layout: Layout,
        thread: usize,
    ) {
        // SAFETY: alive, because the block that comes back has not been counted as released.
        let this = unsafe { core.as_ref() };
        let requested = layout.size();
        this.end_contents(block, requested);
        let keep = move |slot: &mut Slot| slot.keep(class, block, requested);
        if this.slot(thread).try_with(thread, keep) != Some(Kept::Yes) {
            // SAFETY: the caller's contract, passed on; nothing was counted yet.
            unsafe { Self::release_otherwise(core, class, block, layout, thread) }
        }
    }

    /// What happens to a block's bytes when it comes back.
    #[inline(always)]
    fn end_contents(&self, block: Block, size: usize) {
        if cfg!(debug_assertions) {
            self.fill(block, size.min(POISONED_BYTES), POISON);
        }
        if self.parts.contents == Contents::Wiped {
            self.wipe(block, size);
        }
    }

    /// With the slot another's or closed, or its magazine full.
    ///
    /// # Safety
    ///
    /// As for [`Self::release`].
    #[cold]
    #[inline(never)]
    unsafe fn release_otherwise(
        core: NonNull<Self>,
        class: usize,
        block: Block,
        layout: Layout,
        thread: usize,
    ) {
        // SAFETY: alive until the release is counted below.
        let this = unsafe { core.as_ref() };
        match this.with_slot(thread, |slot| slot.keep(class, block, layout.size())) {
            Kept::Yes => {}
            // SAFETY: the caller's contract, passed on; nothing was counted yet.
            Kept::Full => unsafe { Self::release_elsewhere(core, class, block, layout, thread) },
            // SAFETY: as above.
            Kept::Closed => unsafe { Self::release_closed(core, class, block, layout) },
        }
    }

    /// Makes room in the magazine, by a lease or by spilling half of it into the centre; what has no
    /// magazine goes to the centre itself.
    ///
    /// # Safety
    ///
    /// As for [`Self::release`].
    unsafe fn release_elsewhere(
        core: NonNull<Self>,
        class: usize,
        block: Block,
        layout: Layout,
        thread: usize,
    ) {
        // SAFETY: alive until the release is counted below.
        let this = unsafe { core.as_ref() };
        let stamp = this.parts.clock.nanoseconds();
        let mut evicted = EvictedBlocks::new();
        if class >= this.centre.classes() {
            this.gauges.unclassed_released(block);
            let upstream_layout = Self::known_unclassed_layout(layout);
            this.centre.put_unclassed(upstream_layout, block, stamp, &mut evicted);
        } else {
            let mut spilled = Blocks::new();
            let room = this.with_slot(thread, |slot| {
                slot.lease(class, block, |bytes| this.centre.reserve_evicting(bytes, &mut evicted));
                slot.spill(class, &mut spilled);
                slot.magazines()[class].room() > 0
            });
            if !spilled.is_empty() {
                this.centre.put_all(class, &spilled, stamp, &mut evicted);
            }
            this.give_back(&mut evicted);
            if room {
                match this.with_slot(thread, |slot| slot.keep(class, block, layout.size())) {
                    Kept::Yes => return,
                    // Another thread of the same slot was faster.
                    Kept::Full => {}
                    Kept::Closed => {
                        // SAFETY: nothing was counted yet.
                        return unsafe { Self::release_closed(core, class, block, layout) };
                    }
                }
            }
            this.centre.put(class, block, stamp, &mut evicted);
        }
        this.give_back(&mut evicted);
        if !this.with_slot(thread, |slot| slot.count_released(class, layout.size())) {
            // Closed meanwhile: the core's end gives back what now lies in the centre.
            // SAFETY: the release is not counted yet, so the core is alive.
            unsafe { Self::count_closed_release(core) };
        }
    }

    /// Gives a block that comes back after the pool's end to the upstream.
    ///
    /// # Safety
    ///
    /// As for [`Self::release`].
    #[cold]
    unsafe fn release_closed(core: NonNull<Self>, class: usize, block: Block, layout: Layout) {
        // SAFETY: alive until the release is counted below.
        let this = unsafe { core.as_ref() };
        let layout = if class < this.centre.classes() {
            this.centre.layout(class)
        } else {
            Self::known_unclassed_layout(layout)
        };
        this.gauges.shrank(block.size_bytes as u64);
        // SAFETY: the block came from the upstream with this layout.
        unsafe { this.parts.upstream.deallocate(block, layout) };
        // SAFETY: the release is not counted yet, so the core is alive.
        unsafe { Self::count_closed_release(core) };
    }

    /// Counts a release after the pool's end; the last one frees the core.
    ///
    /// # Safety
    ///
    /// `core` is alive, and the caller does not touch it again.
    unsafe fn count_closed_release(core: NonNull<Self>) {
        // SAFETY: alive, because this release is among those that `remaining` still counts.
        let before = unsafe { core.as_ref() }.remaining.fetch_sub(1, Ordering::Release);
        if before == 1 {
            fence(Ordering::Acquire);
            // SAFETY: `remaining` reached 0, so no handle and no buffer refers to the core, and it was
            // made by `Box::leak`.
            drop(unsafe { Box::from_raw(core.as_ptr()) });
        }
    }

    /// Ends the pool: idle memory goes back now, the core with the last buffer.
    ///
    /// # Safety
    ///
    /// `core` was leaked from a box, its handle is gone, and this is called once.
    pub(super) unsafe fn close(core: NonNull<Self>) {
        // SAFETY: alive, because `remaining` still holds the bias.
        let this = unsafe { core.as_ref() };
        this.trim();
        let mut live = 0;
        this.visit_slots(|slot| live += slot.close());
        let change = live - BIAS;
        let before = this.remaining.fetch_add(change, Ordering::AcqRel);
        if before + change == 0 {
            // SAFETY: as in `count_closed_release`.
            drop(unsafe { Box::from_raw(core.as_ptr()) });
        }
    }

    /// Runs a cleanup if one is due; called every few hundred operations.
    #[cold]
    fn look_at_the_clock(&self) {
        let now = self.parts.clock.nanoseconds();
        let cleaned = self.cleaned_ns.load(Ordering::Relaxed);
        if now.saturating_sub(cleaned) >= self.parts.cleanup_every_ns
            && self
                .cleaned_ns
                .compare_exchange(cleaned, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.clean(cleaned, now);
        }
    }

    /// Gives back what was not used for the time to live; answers how many bytes that were.
    pub(super) fn cleanup(&self) -> u64 {
        let now = self.parts.clock.nanoseconds();
        let cleaned = self.cleaned_ns.swap(now, Ordering::Relaxed);
        self.clean(cleaned, now)
    }

    /// `cleaned` is when the magazines were last looked through: what lay unused since then is at least
    /// that old.
    fn clean(&self, cleaned: u64, now: u64) -> u64 {
        let mut evicted = EvictedBlocks::new();
        self.drain_slots(cleaned, &mut evicted, Slot::drain_unused);
        let oldest = now.saturating_sub(self.parts.time_to_live_ns);
        self.centre.take_older(oldest, Eviction::Age, &mut evicted);
        self.give_back(&mut evicted)
    }

    /// Gives back everything idle; answers how many bytes that were.
    pub(super) fn trim(&self) -> u64 {
        self.trim_to(0)
    }

    /// Gives back the least recently used until at most `bytes` lie idle.
    pub(super) fn trim_to(&self, bytes: u64) -> u64 {
        let mut evicted = EvictedBlocks::new();
        self.drain_slots(self.parts.clock.nanoseconds(), &mut evicted, Slot::drain_all);
        if bytes == 0 {
            self.centre.take_older(u64::MAX, Eviction::Trim, &mut evicted);
        } else {
            self.centre.take_down_to(bytes, &mut evicted);
        }
        self.give_back(&mut evicted)
    }

    fn drain_slots(
        &self,
        stamp: u64,
        evicted: &mut EvictedBlocks,
        drain: impl Fn(&mut Slot, usize, &mut Blocks) -> u64,
    ) {
        let mut blocks = Blocks::new();
        self.visit_slots(|slot| {
            for class in 0..self.centre.classes() {
                self.centre.unreserve(drain(slot, class, &mut blocks));
                if !blocks.is_empty() {
                    self.centre.put_all(class, &blocks, stamp, evicted);
                    blocks.clear();
                }
            }
        });
    }

    /// Bytes of the blocks that lie idle, wherever.
    pub(super) fn idle_bytes(&self) -> u64 {
        // A lease without blocks in it is room, not memory.
        let mut room = 0;
        self.visit_slots(|slot| room += slot.leased_bytes() - slot.idle_bytes());
        self.centre.reserved_bytes().saturating_sub(room)
    }

    /// Gives blocks back to the upstream, and answers how many bytes they held. By reference: the list has room for
    /// many within itself, and is empty nearly always.
    fn give_back(&self, evicted: &mut EvictedBlocks) -> u64 {
        let mut freed = 0;
        for Evicted { block, layout, cause } in evicted.drain(..) {
            let bytes = block.size_bytes as u64;
            freed += bytes;
            self.gauges.evicted(bytes, cause);
            // SAFETY: the block came from the upstream with this layout, and its place in the cache
            // was its only owner.
            unsafe { self.parts.upstream.deallocate(block, layout) };
            self.note(Event::Evicted { cause, freed_bytes: bytes });
        }
        freed
    }

    fn note(&self, event: Event) {
        if let Some(sink) = &self.parts.events {
            sink.note(event);
        }
    }

    /// Overwrites a block's first bytes, if the host can.
    fn fill(&self, block: Block, size: usize, byte: u8) {
        if self.host_accessible {
            // SAFETY: the block is ours and idle, holds at least the size it was requested with, and
            // the upstream promises that the host may write to it.
            unsafe { block.address.as_ptr().write_bytes(byte, size) }
        }
    }

    /// Overwrites a block's bytes in a way that the compiler may not leave out.
    #[cold]
    fn wipe(&self, block: Block, size: usize) {
        self.fill(block, size, 0);
        std::hint::black_box(block.address.as_ptr());
    }
}

/// How many blocks a magazine holds at most.
pub(super) const MAGAZINE_CAPACITY: usize = 32;

impl Drop for Core {
    fn drop(&mut self) {
        self.trim();
    }
}
