//! A pool's settings.

use std::time::Duration;

use super::core::{Core, Parts};
use super::{Contents, Pool, SizeClasses};
use crate::clock::saturating_nanoseconds;
use crate::{Clock, EventSink, Result, SharedResource};

/// A pool's settings; every one has a default.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use populace_pool::{Contents, HostHeap, Pool, SizeClasses};
///
/// let pool = Pool::builder(Arc::new(HostHeap))
///     .classes(SizeClasses::powers_of_four())
///     .max_idle_bytes(64 << 20)
///     .time_to_live(Duration::from_secs(10))
///     .contents(Contents::Zeroed)
///     .build()?;
/// assert!(pool.acquire(300)?.as_slice().iter().all(|&byte| byte == 0));
/// # Ok::<(), populace_pool::Error>(())
/// ```
pub struct PoolBuilder {
    parts: Parts,
}

impl PoolBuilder {
    pub(super) fn new(upstream: SharedResource) -> Self {
        Self {
            parts: Parts {
                upstream,
                classes: SizeClasses::default(),
                slots: default_slots(),
                max_idle_bytes: 256 << 20,
                max_idle_count: 128,
                max_idle_share: None,
                time_to_live_ns: saturating_nanoseconds(Duration::from_secs(60)),
                cleanup_every_ns: saturating_nanoseconds(Duration::from_secs(30)),
                contents: Contents::AsIs,
                clock: Clock::system(),
                events: None,
            },
        }
    }

    /// The sizes that are kept; [`SizeClasses::geometric`] by default.
    #[must_use]
    pub fn classes(mut self, classes: SizeClasses) -> Self {
        self.parts.classes = classes;
        self
    }

    /// The most bytes that may lie idle; 256 MiB by default, and 0 turns caching off.
    #[must_use]
    pub fn max_idle_bytes(mut self, bytes: u64) -> Self {
        self.parts.max_idle_bytes = bytes;
        self
    }

    /// Idle memory makes way before the pool grows: what is reserved stays within about 1 + `share` times
    /// the most that was ever in use. No such bound by default.
    #[must_use]
    pub fn max_idle_share(mut self, share: f64) -> Self {
        self.parts.max_idle_share = Some(share.max(0.0));
        self
    }

    /// The most buffers of a class that may lie idle; 128 by default.
    #[must_use]
    pub fn max_idle_count(mut self, count: usize) -> Self {
        self.parts.max_idle_count = count;
        self
    }

    /// How long a buffer may lie idle; 60 s by default.
    #[must_use]
    pub fn time_to_live(mut self, time: Duration) -> Self {
        self.parts.time_to_live_ns = saturating_nanoseconds(time);
        self
    }

    /// How long the pool is used between two cleanups; 30 s by default.
    #[must_use]
    pub fn cleanup_every(mut self, time: Duration) -> Self {
        self.parts.cleanup_every_ns = saturating_nanoseconds(time);
        self
    }

    /// What buffers hold; [`Contents::AsIs`] by default.
    #[must_use]
    pub fn contents(mut self, contents: Contents) -> Self {
        self.parts.contents = contents;
        self
    }

    /// For how many threads to keep magazines apart, rounded up to a power of two; the machine's
    /// threads by default. More threads than that share.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.parts.slots = threads.clamp(1, 1024).next_power_of_two();
        self
    }

    /// Whose time it goes by; the machine's by default.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.parts.clock = clock;
        self
    }

    /// Who is told of growth, evictions and refusals; nobody by default.
    #[must_use]
    pub fn events(mut self, sink: impl EventSink + 'static) -> Self {
        self.parts.events = Some(Box::new(sink));
        self
    }

    /// Makes the pool.
    ///
    /// # Errors
    ///
    /// [`Contents::Zeroed`] or [`Contents::Wiped`] over a resource that the host cannot write to.
    pub fn build(self) -> Result<Pool> {
        if self.parts.contents != Contents::AsIs && !self.parts.upstream.host_accessible() {
            let kind = crate::ErrorKind::NotHostAccessible { requested_bytes: 0 };
            return Err(crate::Error::new(kind));
        }
        Ok(Pool::from_core(self.into_core()))
    }

    pub(super) fn into_core(self) -> Core {
        Core::new(self.parts)
    }
}

/// Twice the machine's threads: threads that come and go overlap for a moment.
fn default_slots() -> usize {
    let threads = std::thread::available_parallelism().map_or(4, usize::from);
    (2 * threads).next_power_of_two().min(1024)
}
