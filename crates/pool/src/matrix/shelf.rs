//! The ready buffers of one shape and element type.

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, MutexGuard};
use crate::{Buffer, CACHE_LINE_BYTES, Dtype, Result, SharedResource};

/// What all shelves share.
pub(super) struct Shared {
    pub(super) resource: SharedResource,
    pub(super) max_idle_bytes: u64,
    pub(super) idle_bytes: AtomicU64,
}

impl Shared {
    fn try_keep(&self, bytes: u64) -> bool {
        self.idle_bytes
            .fetch_update(Relaxed, Relaxed, |idle| {
                idle.checked_add(bytes).filter(|&sum| sum <= self.max_idle_bytes)
            })
            .is_ok()
    }
}

/// The numbers of one shape and element type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelfStatistics {
    /// The lengths of the axes.
    pub shape: Vec<usize>,
    /// The type of the elements.
    pub dtype: Dtype,
    /// Acquires that found a ready matrix.
    pub hits: u64,
    /// Acquires that had to wait for a new one.
    pub misses: u64,
    /// Live matrices.
    pub in_use: u64,
    /// The most that were live at once.
    pub peak_in_use: u64,
    /// Ready matrices.
    pub idle: u64,
    /// How many ready ones it keeps now.
    pub keeps: u64,
}

pub(super) struct Shelf {
    shape: Box<[usize]>,
    dtype: Dtype,
    bytes: usize,
    made: usize,
    most: usize,
    state: Mutex<State>,
    shared: std::sync::Arc<Shared>,
}

#[derive(Default)]
struct State {
    ready: Vec<Buffer>,
    keeps: usize,
    /// The fewest that were ready since the last cleanup.
    low: usize,
    hits: u64,
    misses: u64,
    in_use: u64,
    peak_in_use: u64,
}

impl State {
    fn lend(&mut self) {
        self.in_use += 1;
        self.peak_in_use = self.peak_in_use.max(self.in_use);
    }
}

impl Shelf {
    pub(super) fn new(
        shape: &[usize],
        dtype: Dtype,
        bytes: usize,
        shared: std::sync::Arc<Shared>,
    ) -> Self {
        let (made, most) = match bytes {
            0..0x10_0000 => (10, 100),
            0x10_0000..0xA0_0000 => (5, 50),
            _ => (2, 10),
        };
        let state = Mutex::new(State { keeps: made, ..State::default() });
        Self { shape: shape.into(), dtype, bytes, made, most, state, shared }
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn dtype(&self) -> Dtype {
        self.dtype
    }

    pub(super) fn is_for(&self, shape: &[usize], dtype: Dtype) -> bool {
        *self.shape == *shape && self.dtype == dtype
    }

    fn make(&self) -> Result<Buffer> {
        Buffer::new(&self.shared.resource, self.bytes, CACHE_LINE_BYTES)
    }

    pub(super) fn take(&self) -> Result<Buffer> {
        let first = {
            let mut state = self.state.lock();
            if let Some(buffer) = state.ready.pop() {
                state.low = state.low.min(state.ready.len());
                state.hits += 1;
                state.lend();
                self.shared.idle_bytes.fetch_sub(self.bytes as u64, Relaxed);
                return Ok(buffer);
            }
            state.hits + state.misses == 0
        };
        let buffer = self.make()?;
        {
            let mut state = self.state.lock();
            state.misses += 1;
            state.lend();
            if !first {
                state.keeps = (state.keeps + 1).min(self.most);
            }
        }
        if first {
            self.stock();
        }
        Ok(buffer)
    }

    /// Makes the first few ready. They are a convenience: if there is no room for them, the acquire
    /// that wanted only one still succeeds.
    fn stock(&self) {
        for _ in 0..self.made {
            let Ok(buffer) = self.make() else { return };
            if !self.keep(self.state.lock(), buffer) {
                return;
            }
        }
    }

    pub(super) fn put(&self, buffer: Buffer) {
        let mut state = self.state.lock();
        state.in_use -= 1;
        self.keep(state, buffer);
    }

    /// Keeps a buffer if there is room for it, and lets it go otherwise.
    fn keep(&self, mut state: MutexGuard<'_, State>, buffer: Buffer) -> bool {
        let keeps = state.ready.len() < state.keeps && self.shared.try_keep(self.bytes as u64);
        if keeps {
            state.ready.push(buffer);
        } else {
            // The resource is not called under the lock.
            drop(state);
            drop(buffer);
        }
        keeps
    }

    /// Lets go of what lay unused since the last time, and keeps as many fewer; answers the bytes.
    pub(super) fn clean(&self) -> u64 {
        let mut state = self.state.lock();
        let unused = state.low;
        let gone: Vec<_> = state.ready.drain(..unused).collect();
        state.keeps = state.keeps.saturating_sub(unused).max(self.made);
        state.low = state.ready.len();
        drop(state);
        self.let_go(gone)
    }

    /// Lets go of all that is ready; answers the bytes.
    pub(super) fn trim(&self) -> u64 {
        let mut state = self.state.lock();
        let gone = std::mem::take(&mut state.ready);
        state.low = 0;
        drop(state);
        self.let_go(gone)
    }

    fn let_go(&self, gone: Vec<Buffer>) -> u64 {
        let bytes = gone.len() as u64 * self.bytes as u64;
        self.shared.idle_bytes.fetch_sub(bytes, Relaxed);
        bytes
    }

    pub(super) fn statistics(&self) -> ShelfStatistics {
        let state = self.state.lock();
        ShelfStatistics {
            shape: self.shape.to_vec(),
            dtype: self.dtype,
            hits: state.hits,
            misses: state.misses,
            in_use: state.in_use,
            peak_in_use: state.peak_in_use,
            idle: state.ready.len() as u64,
            keeps: state.keeps as u64,
        }
    }
}
