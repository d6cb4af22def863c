//! What all threads share: per size class a queue of idle blocks, oldest first, each under its own
//! lock, within one bound on the bytes of all of them.
//!
//! Invariants: Σ bytes of queued blocks + Σ magazines' leases ≤ `reserved_bytes` ≤ `max_idle_bytes` at any moment,
//! with equality of the first two between operations; a queue holds at most `max_idle_count` blocks; within a queue, stamps do not
//! decrease.

use std::alloc::Layout;
use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::{Block, Eviction};

/// An idle block and when it was put down, in nanoseconds of the pool's clock.
#[derive(Debug, Clone, Copy)]
struct Idle {
    block: Block,
    stamp: u64,
}

/// Blocks on their way out: rarely more than a few, so that giving memory back allocates none.
pub(super) type EvictedBlocks = SmallVec<[Evicted; 64]>;

/// A block on its way back to the upstream, with the layout that it came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evicted {
    pub(crate) block: Block,
    pub(crate) layout: Layout,
    pub(crate) cause: Eviction,
}

/// The idle blocks of one class.
#[derive(Debug)]
#[repr(align(128))]
struct Queue {
    idle: Mutex<VecDeque<Idle>>,
    /// The first block's stamp, or `NEVER`; a hint that is read without the lock.
    oldest: AtomicU64,
    layout: Layout,
}

const NEVER: u64 = u64::MAX;

impl Queue {
    fn new(layout: Layout) -> Self {
        Self { idle: Mutex::new(VecDeque::new()), oldest: AtomicU64::new(NEVER), layout }
    }

    fn note_oldest(&self, idle: &VecDeque<Idle>) {
        let oldest = idle.front().map_or(NEVER, |first| first.stamp);
        self.oldest.store(oldest, Ordering::Relaxed);
    }
}

/// The centre of a pool.
#[derive(Debug)]
pub(crate) struct Centre {
    queues: Box<[Queue]>,
    /// Blocks of no class, oldest first, each with the layout that it came by; `max_idle_count` of
    /// them at most, so that searching them all is cheap beside what such sizes cost to touch.
    unclassed: Mutex<Vec<(Layout, Idle)>>,
    reserved_bytes: Bound,
    max_idle_count: usize,
}

/// Bytes that may be used up to a limit; reserved first, by compare-and-swap.
#[derive(Debug)]
#[repr(align(128))]
struct Bound {
    used: AtomicU64,
    limit: u64,
}

impl Centre {
    pub(crate) fn new(
        layouts: impl Iterator<Item = Layout>,
        max_idle_bytes: u64,
        max_idle_count: usize,
    ) -> Self {
        Self {
            queues: layouts.map(Queue::new).collect(),
            // Room at once for what may lie there, so that putting a block down allocates nothing.
            unclassed: Mutex::new(Vec::with_capacity(max_idle_count.min(1024))),
            reserved_bytes: Bound { used: AtomicU64::new(0), limit: max_idle_bytes },
            max_idle_count,
        }
    }

    /// Bytes of the queued blocks and of the leases.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        self.reserved_bytes.used.load(Ordering::Relaxed)
    }

    pub(crate) fn layout(&self, class: usize) -> Layout {
        self.queues[class].layout
    }

    pub(crate) fn classes(&self) -> usize {
        self.queues.len()
    }

    /// How many blocks of a class lie here; the class after the last counts those of no class.
    pub(crate) fn idle_count(&self, class: usize) -> usize {
        match self.queues.get(class) {
            Some(queue) => queue.idle.lock().len(),
            None => self.unclassed.lock().len(),
        }
    }

    /// The newest block of a class, and up to `more` others that `keep` takes.
    pub(crate) fn take(
        &self,
        class: usize,
        more: usize,
        mut keep: impl FnMut(Block) -> bool,
    ) -> Option<Block> {
        let queue = &self.queues[class];
        if queue.oldest.load(Ordering::Relaxed) == NEVER {
            // A hint: a block put down this instant is missed and found the next time.
            return None;
        }
        let mut idle = queue.idle.lock();
        let block = idle.pop_back()?.block;
        let mut bytes = block.size_bytes as u64;
        for _ in 0..more {
            let Some(next) = idle.back().filter(|next| keep(next.block)) else { break };
            bytes += next.block.size_bytes as u64;
            idle.pop_back();
        }
        queue.note_oldest(&idle);
        drop(idle);
        self.reserved_bytes.used.fetch_sub(bytes, Ordering::Relaxed);
        Some(block)
    }

    /// The newest block of no class that came by exactly this layout.
    pub(crate) fn take_unclassed(&self, layout: Layout) -> Option<Block> {
        let mut unclassed = self.unclassed.lock();
        let index = unclassed.iter().rposition(|(its, _)| *its == layout)?;
        let block = unclassed.remove(index).1.block;
        drop(unclassed);
        self.reserved_bytes.used.fetch_sub(block.size_bytes as u64, Ordering::Relaxed);
        Some(block)
    }

    /// Puts a block down; whatever no longer fits, itself perhaps, goes to `evicted`.
    pub(crate) fn put(&self, class: usize, block: Block, stamp: u64, evicted: &mut EvictedBlocks) {
        let queue = &self.queues[class];
        if self.make_room(block, queue.layout, evicted) {
            self.push(queue, &[block], stamp, evicted);
        }
    }

    /// Puts several blocks down at the price of one, if there is room for all of them.
    pub(crate) fn put_all(
        &self,
        class: usize,
        blocks: &[Block],
        stamp: u64,
        evicted: &mut EvictedBlocks,
    ) {
        let bytes = blocks.iter().map(|block| block.size_bytes as u64).sum();
        if self.reserve(bytes) {
            self.push(&self.queues[class], blocks, stamp, evicted);
        } else {
            blocks.iter().for_each(|&block| self.put(class, block, stamp, evicted));
        }
    }

    /// Queues blocks whose bytes are reserved.
    fn push(&self, queue: &Queue, blocks: &[Block], stamp: u64, evicted: &mut EvictedBlocks) {
        let mut idle = queue.idle.lock();
        // Blocks that waited in a magazine may be older than what lies here.
        let behind = idle.iter().rev().take_while(|other| other.stamp > stamp).count();
        let place = idle.len() - behind;
        for (index, &block) in blocks.iter().enumerate() {
            idle.insert(place + index, Idle { block, stamp });
        }
        while idle.len() > self.max_idle_count
            && let Some(Idle { block, .. }) = idle.pop_front()
        {
            self.leave(block, queue.layout, Eviction::Count, evicted);
        }
        queue.note_oldest(&idle);
    }

    /// Puts a block of no class down; whatever no longer fits goes to `evicted`.
    pub(crate) fn put_unclassed(
        &self,
        layout: Layout,
        block: Block,
        stamp: u64,
        evicted: &mut EvictedBlocks,
    ) {
        if !self.make_room(block, layout, evicted) {
            return;
        }
        let mut unclassed = self.unclassed.lock();
        unclassed.push((layout, Idle { block, stamp }));
        if unclassed.len() > self.max_idle_count {
            let (layout, Idle { block, .. }) = unclassed.remove(0);
            self.leave(block, layout, Eviction::Count, evicted);
        }
    }

    /// Reserves a block's bytes, at the price of the least recently used; `false`, with the block
    /// itself evicted, if nothing is left to evict instead.
    fn make_room(&self, block: Block, layout: Layout, evicted: &mut EvictedBlocks) -> bool {
        let fits = self.reserve_evicting(block.size_bytes as u64, evicted);
        if !fits {
            evicted.push(Evicted { block, layout, cause: Eviction::Bytes });
        }
        fits
    }

    /// Reserves bytes, at the price of the least recently used blocks.
    pub(crate) fn reserve_evicting(&self, bytes: u64, evicted: &mut EvictedBlocks) -> bool {
        while !self.reserve(bytes) {
            let fits = bytes <= self.reserved_bytes.limit;
            match fits.then(|| self.take_oldest()).flatten() {
                Some(oldest) => evicted.push(oldest),
                None => return false,
            }
        }
        true
    }

    /// Gives up what was reserved for a lease.
    pub(crate) fn unreserve(&self, bytes: u64) {
        self.reserved_bytes.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn reserve(&self, bytes: u64) -> bool {
        let bound = &self.reserved_bytes;
        bound
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= bound.limit)
            })
            .is_ok()
    }

    fn leave(&self, block: Block, layout: Layout, cause: Eviction, evicted: &mut EvictedBlocks) {
        self.reserved_bytes.used.fetch_sub(block.size_bytes as u64, Ordering::Relaxed);
        evicted.push(Evicted { block, layout, cause });
    }

    /// The least recently used block of all; `None` if there is none.
    fn take_oldest(&self) -> Option<Evicted> {
        loop {
            let oldest = |queue: &&Queue| queue.oldest.load(Ordering::Relaxed);
            let queue = self.queues.iter().min_by_key(oldest).filter(|queue| oldest(queue) < NEVER);
            let mut unclassed = self.unclassed.lock();
            if let Some((_, first)) = unclassed.first()
                && queue.is_none_or(|queue| first.stamp <= oldest(&queue))
            {
                let (layout, Idle { block, .. }) = unclassed.remove(0);
                let mut out = EvictedBlocks::new();
                self.leave(block, layout, Eviction::Bytes, &mut out);
                return out.pop();
            }
            drop(unclassed);
            let queue = queue?;
            let mut idle = queue.idle.lock();
            let first = idle.pop_front();
            queue.note_oldest(&idle);
            if let Some(Idle { block, .. }) = first {
                self.reserved_bytes.used.fetch_sub(block.size_bytes as u64, Ordering::Relaxed);
                return Some(Evicted { block, layout: queue.layout, cause: Eviction::Bytes });
            }
            // Another thread emptied the queue in between, and its hint now says so: look again.
        }
    }

    /// Takes out every block that was put down before `stamp`; all of them for `u64::MAX`.
    pub(crate) fn take_older(&self, stamp: u64, cause: Eviction, evicted: &mut EvictedBlocks) {
        for queue in &self.queues {
            let mut idle = queue.idle.lock();
            while let Some(first) = idle.front().filter(|first| first.stamp < stamp) {
                let block = first.block;
                idle.pop_front();
                self.leave(block, queue.layout, cause, evicted);
            }
            queue.note_oldest(&idle);
        }
        self.unclassed.lock().retain(|(layout, idle)| {
            let stays = idle.stamp >= stamp;
            if !stays {
                self.leave(idle.block, *layout, cause, evicted);
            }
            stays
        });
    }

    /// Takes out the least recently used until at most `bytes` are left.
    pub(crate) fn take_down_to(&self, bytes: u64, evicted: &mut EvictedBlocks) {
        while self.reserved_bytes() > bytes {
            match self.take_oldest() {
                Some(oldest) => evicted.push(Evicted { cause: Eviction::Trim, ..oldest }),
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Idle;
    use crate::Region;

    #[test]
    fn metadata_stays_within_64_bytes_a_buffer() {
        assert!(size_of::<Idle>() <= 24, "idle: {}", size_of::<Idle>());
        assert!(size_of::<Region>() <= 64, "live: {}", size_of::<Region>());
    }
}
