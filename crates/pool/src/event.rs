//! What a pool or an adaptor tells the outside, and what those who own memory do.

use crate::{Owner, Stage};

/// Why a cached buffer was given back to the upstream resource.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Eviction {
    /// The bound on idle bytes was reached; the least recently used went first.
    Bytes,
    /// The bound on idle buffers of one size was reached.
    Count,
    /// It was not used for the time to live.
    Age,
    /// Somebody asked for it, or the upstream had no more to give.
    Trim,
}

impl Eviction {
    /// Every cause, in the order of [`Self::index`].
    pub const ALL: [Self; 4] = [Self::Bytes, Self::Count, Self::Age, Self::Trim];

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Something that happened to memory, or to an owner of it.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The upstream resource gave a block.
    Grew {
        /// What it took, in bytes.
        taken_bytes: u64,
    },
    /// A cached block went back to the upstream resource.
    Evicted {
        /// Why.
        cause: Eviction,
        /// What it held, in bytes.
        freed_bytes: u64,
    },
    /// The upstream resource refused, even after the cache was emptied.
    Refused {
        /// What was asked for, in bytes.
        requested_bytes: u64,
    },
    /// An owner passed from one stage of its life to another.
    Passed {
        /// Who.
        owner: Owner,
        /// Where it was; nowhere before its birth.
        from: Option<Stage>,
        /// Where it is now.
        to: Stage,
    },
}

/// Listens to [`Event`]s.
///
/// Events come from slow paths only (the upstream was called), without any lock held: a sink may
/// use the pool that calls it. It must not panic: blocks on their way back would be lost. A pool without a sink pays one branch for each.
pub trait EventSink: Send + Sync {
    /// Takes note of an event.
    fn note(&self, event: Event);
}
