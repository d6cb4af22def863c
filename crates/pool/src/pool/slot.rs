//! What one thread keeps at hand: per size class a magazine of blocks and the counts of its use.
//!
//! A slot is only touched under its lock, so the counts are plain integers: that is what makes
//! statistics cheap enough to be always on. A block may be taken through one slot and come back through
//! another, so the counts of one slot mean nothing alone; only sums over all slots do.
//!
//! Invariants, per slot: Σ magazines' bytes = `idle_bytes` ≤ the slot's bound; a magazine holds at most its
//! capacity; `low` ≤ its length. Over all slots: Σ acquired − Σ released = live buffers.

use crate::Block;

/// The blocks and counts of one class in one slot.
#[derive(Debug, Default)]
pub(crate) struct Magazine {
    blocks: Vec<Block>,
    capacity: usize,
    /// The fewest blocks it has held since the last cleanup: so many lay unused.
    low: usize,
    pub(crate) counts: Counts,
}

/// Counts of one class; sums of these over slots wrap to the right value even where one slot's are
/// "negative".
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) acquired: u64,
    pub(crate) missed: u64,
    pub(crate) released: u64,
    /// Bytes as requested, of live buffers.
    pub(crate) requested_bytes: u64,
    /// Bytes as taken from the upstream, of live buffers.
    pub(crate) taken_bytes: u64,
}

impl Counts {
    #[inline(always)]
    pub(crate) fn acquire(&mut self, requested: usize, taken: usize) {
        self.acquired += 1;
        self.requested_bytes = self.requested_bytes.wrapping_add(requested as u64);
        self.taken_bytes = self.taken_bytes.wrapping_add(taken as u64);
    }

    #[inline(always)]
    pub(crate) fn release(&mut self, requested: usize, taken: usize) {
        self.released += 1;
        self.requested_bytes = self.requested_bytes.wrapping_sub(requested as u64);
        self.taken_bytes = self.taken_bytes.wrapping_sub(taken as u64);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.acquired += other.acquired;
        self.missed += other.missed;
        self.released += other.released;
        self.requested_bytes = self.requested_bytes.wrapping_add(other.requested_bytes);
        self.taken_bytes = self.taken_bytes.wrapping_add(other.taken_bytes);
    }
}

impl Magazine {
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }
}

/// How a slot answered a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The block is in its magazine and counted.
    Yes,
    /// There is no room; nothing was changed.
    Full,
    /// The pool is closed; nothing was changed.
    Closed,
}

/// One thread's magazines, one a class and a last one, of capacity 0, for what has no class.
#[derive(Debug)]
pub(crate) struct Slot {
    magazines: Box<[Magazine]>,
    idle_bytes: u64,
    max_idle_bytes: u64,
    /// Operations since the clock was last read.
    operations: u32,
    closed: bool,
}

/// How many operations pass between two looks at the clock.
const OPERATIONS_PER_LOOK: u32 = 256;

impl Slot {
    pub(crate) fn new(capacities: impl Iterator<Item = usize>, max_idle_bytes: u64) -> Self {
        let magazines = capacities.map(|capacity| Magazine { capacity, ..Magazine::default() });
        Self {
            magazines: magazines.collect(),
            idle_bytes: 0,
            max_idle_bytes,
            operations: 0,
            closed: false,
        }
    }

    /// A block of `class`, counted as acquired, and whether it is time to look at the clock.
    #[inline(always)]
    pub(crate) fn take(&mut self, class: usize, requested: usize) -> (Option<Block>, bool) {
        self.operations += 1;
        let due = self.operations >= OPERATIONS_PER_LOOK;
        if due {
            self.operations = 0;
        }
        let magazine = &mut self.magazines[class];
        let block = magazine.blocks.pop();
        if let Some(block) = block {
            magazine.low = magazine.low.min(magazine.blocks.len());
            magazine.counts.acquire(requested, block.size_bytes);
            self.idle_bytes -= block.size_bytes as u64;
        }
        (block, due)
    }

    /// Keeps a block that came back, counted as released.
    #[inline(always)]
    pub(crate) fn keep(&mut self, class: usize, block: Block, requested: usize) -> Kept {
        if self.closed {
            return Kept::Closed;
        }
        if !self.push(class, block) {
            return Kept::Full;
        }
        self.magazines[class].counts.release(requested, block.size_bytes);
        Kept::Yes
    }

    /// Counts a block as acquired that did not come from here; `missed` if from no cache at all.
    pub(crate) fn count_acquired(
        &mut self,
        class: usize,
        block: Block,
        requested: usize,
        missed: bool,
    ) {
        let counts = &mut self.magazines[class].counts;
        counts.acquire(requested, block.size_bytes);
        counts.missed += u64::from(missed);
    }

    /// Counts a block as released that is kept elsewhere; `false`, and not counted, if closed.
    pub(crate) fn count_released(&mut self, class: usize, block: Block, requested: usize) -> bool {
        if !self.closed {
            self.magazines[class].counts.release(requested, block.size_bytes);
        }
        !self.closed
    }

    /// Puts an idle block into its magazine, if there is room.
    #[inline(always)]
    pub(crate) fn push(&mut self, class: usize, block: Block) -> bool {
        let magazine = &mut self.magazines[class];
        let idle_bytes = self.idle_bytes + block.size_bytes as u64;
        if magazine.blocks.len() >= magazine.capacity || idle_bytes > self.max_idle_bytes {
            return false;
        }
        if magazine.blocks.capacity() == 0 {
            magazine.blocks.reserve_exact(magazine.capacity);
        }
        magazine.blocks.push(block);
        self.idle_bytes = idle_bytes;
        true
    }

    /// Moves the longest-idle half of a magazine, at least one block, into `out`.
    pub(crate) fn spill(&mut self, class: usize, out: &mut Vec<Block>) {
        let count = self.magazines[class].blocks.len().div_ceil(2);
        self.drain(class, count, out);
    }

    /// Moves into `out` what lay unused since this was last called.
    pub(crate) fn drain_unused(&mut self, class: usize, out: &mut Vec<Block>) {
        let low = self.magazines[class].low;
        self.drain(class, low, out);
        self.magazines[class].low = self.magazines[class].blocks.len();
    }

    /// Moves everything of a class into `out`.
    pub(crate) fn drain_all(&mut self, class: usize, out: &mut Vec<Block>) {
        let count = self.magazines[class].blocks.len();
        self.drain(class, count, out);
    }

    fn drain(&mut self, class: usize, count: usize, out: &mut Vec<Block>) {
        let magazine = &mut self.magazines[class];
        for block in magazine.blocks.drain(..count) {
            self.idle_bytes -= block.size_bytes as u64;
            out.push(block);
        }
        magazine.low = magazine.low.min(magazine.blocks.len());
    }

    /// Marks the slot closed and answers how many more blocks it gave than it got.
    pub(crate) fn close(&mut self) -> i64 {
        self.closed = true;
        let counts = self.magazines.iter().map(|magazine| &magazine.counts);
        counts.map(|counts| counts.acquired.wrapping_sub(counts.released) as i64).sum()
    }

    pub(crate) fn magazines(&self) -> &[Magazine] {
        &self.magazines
    }

    pub(crate) fn idle_bytes(&self) -> u64 {
        self.idle_bytes
    }
}
