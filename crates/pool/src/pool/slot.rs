//! What one thread keeps at hand: per size class a magazine of blocks and the counts of its use.
//!
//! A slot is only touched under its lock, so the counts are plain integers: that is what makes
//! statistics cheap enough to be always on. A block may be taken through one slot and come back through
//! another, so the counts of one slot mean nothing alone; only sums over all slots do.
//!
//! A magazine leases room in the centre for all the blocks that it may hold, twice as much whenever it is full,
//! and returns the lease when it was not used between two cleanups; so the fast path compares lengths only,
//! never bytes. (Leasing all that it might ever hold at once would leave none for the classes that come last.)
//!
//! Invariants, per slot: Σ magazines' bytes ≤ Σ leases = `leased_bytes` ≤ `max_leased_bytes`; a magazine's
//! length ≤ its room ≤ `most`; `low` ≤ its length. Over all slots: Σ acquired − Σ released = live buffers.

use std::ptr::NonNull;

use smallvec::SmallVec;

use crate::Block;

/// Blocks on their way from a magazine to the centre.
pub(crate) type Blocks = SmallVec<[Block; 64]>;

/// The blocks and counts of one class in one slot.
#[derive(Debug, Default)]
pub(crate) struct Magazine {
    /// Places for `most` blocks from the first lease on, of which the first `len` are taken. (A `Vec` of as
    /// many could grow for all the compiler knows, and a release would make ready for that call.)
    blocks: Box<[Block]>,
    len: usize,
    /// How many blocks it may hold now.
    room: usize,
    /// How many blocks it would lease room for.
    most: usize,
    leased_bytes: u64,
    /// The fewest blocks it has held since the last cleanup: so many lay unused.
    low: usize,
    pub(crate) counts: Counts,
}

/// Counts of one class. What is live is a difference of two of them, summed over slots first.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) acquired: u64,
    pub(crate) missed: u64,
    pub(crate) released: u64,
    /// As requested, like the next.
    pub(crate) acquired_bytes: u64,
    pub(crate) released_bytes: u64,
}

impl Counts {
    #[inline(always)]
    fn acquire(&mut self, requested: usize) {
        self.acquired += 1;
        self.acquired_bytes += requested as u64;
    }

    #[inline(always)]
    fn release(&mut self, requested: usize) {
        self.released += 1;
        self.released_bytes += requested as u64;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.acquired += other.acquired;
        self.missed += other.missed;
        self.released += other.released;
        self.acquired_bytes += other.acquired_bytes;
        self.released_bytes += other.released_bytes;
    }
}

/// What lies where no block was put yet.
const NOTHING: Block = Block { address: NonNull::dangling(), size_bytes: 0 };

impl Magazine {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<Block> {
        let last = self.len.checked_sub(1)?;
        let block = *self.blocks.get(last)?;
        self.len = last;
        self.low = self.low.min(last);
        Some(block)
    }

    #[inline(always)]
    fn push(&mut self, block: Block) -> bool {
        let fits = self.len < self.room;
        if fits && let Some(place) = self.blocks.get_mut(self.len) {
            *place = block;
            self.len += 1;
        }
        fits
    }

    /// Places for all blocks that it may ever hold; `false` if there is no memory for them.
    fn make_places(&mut self) -> bool {
        if self.blocks.is_empty() {
            let mut places = Vec::new();
            if places.try_reserve_exact(self.most).is_err() {
                return false;
            }
            places.resize(self.most, NOTHING);
            self.blocks = places.into_boxed_slice();
        }
        true
    }

    /// Moves the first `count` blocks, those that came first, into `out`.
    fn drain(&mut self, count: usize, out: &mut Blocks) {
        out.extend_from_slice(&self.blocks[..count]);
        self.blocks.copy_within(count..self.len, 0);
        self.len -= count;
        self.low = self.low.min(self.len);
    }

    /// How many blocks it may hold now.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// How many blocks it may hold if there is room.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    fn idle_bytes(&self) -> u64 {
        self.blocks[..self.len].iter().map(|block| block.size_bytes as u64).sum()
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
    leased_bytes: u64,
    max_leased_bytes: u64,
    closed: bool,
}

/// How many acquires of a class pass between two looks at the clock; a power of two.
const ACQUIRES_PER_LOOK: u64 = 256;

impl Slot {
    /// `most` gives each magazine's greatest length.
    pub(crate) fn new(most: impl Iterator<Item = usize>, max_leased_bytes: u64) -> Self {
        let magazines = most.map(|most| Magazine { most, ..Magazine::default() });
        Self { magazines: magazines.collect(), leased_bytes: 0, max_leased_bytes, closed: false }
    }

    /// A block of `class`, counted as acquired, if one lies here and it is not time to look at the clock.
    #[inline(always)]
    pub(crate) fn take(&mut self, class: usize, requested: usize) -> Option<Block> {
        let magazine = &mut self.magazines[class];
        if magazine.counts.acquired % ACQUIRES_PER_LOOK == ACQUIRES_PER_LOOK - 1 {
            return None;
        }
        let block = magazine.pop()?;
        magazine.counts.acquire(requested);
        Some(block)
    }

    /// As [`Self::take`], whatever the time; and whether it is time to look at the clock.
    pub(crate) fn take_anyway(&mut self, class: usize, requested: usize) -> (Option<Block>, bool) {
        let magazine = &mut self.magazines[class];
        let block = magazine.pop();
        if block.is_some() {
            magazine.counts.acquire(requested);
        }
        (block, magazine.counts.acquired.is_multiple_of(ACQUIRES_PER_LOOK))
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
        self.magazines[class].counts.release(requested);
        Kept::Yes
    }

    /// Counts a block as acquired that did not come from here; `missed` if from no cache at all.
    pub(crate) fn count_acquired(&mut self, class: usize, requested: usize, missed: bool) {
        let counts = &mut self.magazines[class].counts;
        counts.acquire(requested);
        counts.missed += u64::from(missed);
    }

    /// Counts a block as released that is kept elsewhere; `false`, and not counted, if closed.
    pub(crate) fn count_released(&mut self, class: usize, requested: usize) -> bool {
        if !self.closed {
            self.magazines[class].counts.release(requested);
        }
        !self.closed
    }

    /// Puts an idle block into its magazine, if there is room.
    #[inline(always)]
    pub(crate) fn push(&mut self, class: usize, block: Block) -> bool {
        self.magazines[class].push(block)
    }

    /// Room for a block more, and as much again as there was, in a magazine that is full: as far as the slot may
    /// still lease and `reserve` grants it.
    pub(crate) fn lease(&mut self, class: usize, block: Block, reserve: impl FnOnce(u64) -> bool) {
        let magazine = &mut self.magazines[class];
        let bytes = block.size_bytes as u64;
        let left = (self.max_leased_bytes - self.leased_bytes) / bytes;
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let more = magazine.room.max(1).min(magazine.most - magazine.room).min(left);
        if magazine.len < magazine.room || more == 0 {
            return;
        }
        if magazine.make_places() && reserve(bytes * more as u64) {
            magazine.room += more;
            magazine.leased_bytes += bytes * more as u64;
            self.leased_bytes += bytes * more as u64;
        }
    }

    /// Moves the longest-idle half of a full magazine into `out`; nothing if there is room.
    pub(crate) fn spill(&mut self, class: usize, out: &mut Blocks) {
        let magazine = &mut self.magazines[class];
        if magazine.len == magazine.room {
            magazine.drain(magazine.len.div_ceil(2), out);
        }
    }

    /// Moves into `out` what lay unused since this was last called; answers the lease that is returned if
    /// that was everything, in bytes.
    pub(crate) fn drain_unused(&mut self, class: usize, out: &mut Blocks) -> u64 {
        let magazine = &mut self.magazines[class];
        if magazine.low > 0 && magazine.low == magazine.len {
            return self.drain_all(class, out);
        }
        magazine.drain(magazine.low, out);
        magazine.low = magazine.len;
        0
    }

    /// Moves everything of a class into `out`; answers the lease that is returned, in bytes.
    pub(crate) fn drain_all(&mut self, class: usize, out: &mut Blocks) -> u64 {
        let magazine = &mut self.magazines[class];
        magazine.drain(magazine.len, out);
        magazine.blocks = Box::default();
        magazine.room = 0;
        let returned = std::mem::take(&mut magazine.leased_bytes);
        self.leased_bytes -= returned;
        returned
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

    /// Bytes of the blocks in its magazines.
    pub(crate) fn idle_bytes(&self) -> u64 {
        self.magazines.iter().map(Magazine::idle_bytes).sum()
    }

    /// Bytes that it leases in the centre.
    pub(crate) fn leased_bytes(&self) -> u64 {
        self.leased_bytes
    }
}
