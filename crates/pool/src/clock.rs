//! What time it is, for ages: the machine's monotonic clock, or one that a test turns by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A monotonic clock.
///
/// ```
/// # use populace_pool::Clock;
/// # use std::time::Duration;
/// let clock = Clock::manual();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.elapsed(), Duration::from_secs(60));
/// ```
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System(Instant),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock, from now on.
    pub fn system() -> Self {
        Self(Kind::System(Instant::now()))
    }

    /// A clock that stands still until it is advanced; clones show the same time.
    pub fn manual() -> Self {
        Self(Kind::Manual(Arc::default()))
    }

    /// Turns a manual clock forward; the machine's clock cannot be turned and is left alone.
    pub fn advance(&self, time: Duration) {
        if let Kind::Manual(nanoseconds) = &self.0 {
            nanoseconds.fetch_add(saturating_nanoseconds(time), Ordering::Relaxed);
        }
    }

    /// Time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds())
    }

    pub(crate) fn nanoseconds(&self) -> u64 {
        match &self.0 {
            Kind::System(start) => saturating_nanoseconds(start.elapsed()),
            Kind::Manual(nanoseconds) => nanoseconds.load(Ordering::Relaxed),
        }
    }
}

/// 2^64 nanoseconds are 584 years: longer times are as good as never.
pub(crate) fn saturating_nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
