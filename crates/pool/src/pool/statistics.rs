//! How a pool is doing: sums over its slots, taken at one moment each.

use super::core::Core;
use super::slot::Counts;
use crate::Eviction;
use crate::sync::atomic::Ordering::Relaxed;

/// A pool's numbers at one moment.
///
/// Taken while other threads work, each number is right for some moment during the call; on a quiet
/// pool they agree: reserved = in use + idle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolStatistics {
    /// All classes together.
    pub all: ClassStatistics,
    /// Each class that was ever used, ascending.
    pub classes: Vec<ClassStatistics>,
    /// Bytes taken from the upstream now.
    pub reserved_bytes: u64,
    /// The most bytes ever taken from the upstream at a time.
    pub peak_reserved_bytes: u64,
    /// Bytes taken from the upstream in all.
    pub total_reserved_bytes: u64,
    /// Blocks taken from the upstream in all.
    pub upstream_allocations: u64,
    /// Blocks given back to the upstream in all.
    pub upstream_deallocations: u64,
    /// Cached buffers given back, by cause, in the order of [`Eviction::ALL`].
    pub evictions: [u64; Eviction::ALL.len()],
}

/// The numbers of one size class, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassStatistics {
    /// The class's size in bytes; 0 for what has no class, and for the sum of all.
    pub class_bytes: u64,
    /// Acquires that found a cached buffer.
    pub hits: u64,
    /// Acquires that went to the upstream.
    pub misses: u64,
    /// Buffers that came back.
    pub releases: u64,
    /// Live buffers.
    pub in_use_count: u64,
    /// Bytes of live buffers: of one class, by the class's size; of all and of what has no class, as taken
    /// from the upstream.
    pub in_use_bytes: u64,
    /// Bytes of live buffers, as requested.
    pub requested_bytes: u64,
    /// Bytes of all buffers ever acquired, as requested.
    pub total_requested_bytes: u64,
    /// Cached buffers.
    pub idle_count: u64,
}

impl ClassStatistics {
    /// Hits over acquires; 1 if there were none.
    pub fn hit_rate(&self) -> f64 {
        match self.hits + self.misses {
            0 => 1.0,
            acquires => self.hits as f64 / acquires as f64,
        }
    }

    /// What rounding adds to the live buffers, in bytes.
    pub fn padding_bytes(&self) -> u64 {
        self.in_use_bytes.saturating_sub(self.requested_bytes)
    }

    fn new(class_bytes: u64, counts: &Counts, idle_count: u64) -> Self {
        let in_use_count = counts.acquired.saturating_sub(counts.released);
        Self {
            class_bytes,
            hits: counts.acquired.saturating_sub(counts.missed),
            misses: counts.missed,
            releases: counts.released,
            in_use_count,
            in_use_bytes: in_use_count * class_bytes,
            // A sum over slots that others change in between may be off by what they do.
            requested_bytes: counts.acquired_bytes.saturating_sub(counts.released_bytes),
            total_requested_bytes: counts.acquired_bytes,
            idle_count,
        }
    }
}

impl PoolStatistics {
    /// Bytes of cached buffers.
    pub fn idle_bytes(&self) -> u64 {
        self.reserved_bytes.saturating_sub(self.all.in_use_bytes)
    }

    pub(super) fn of(core: &Core) -> Self {
        let sizes = core.parts().classes.sizes_bytes();
        let mut counts = vec![(Counts::default(), 0); sizes.len() + 1];
        let idle_bytes = core.idle_bytes();
        core.visit_slots(|slot| {
            for ((sum, idle), magazine) in counts.iter_mut().zip(slot.magazines()) {
                sum.add(&magazine.counts);
                *idle += magazine.len() as u64;
            }
        });
        let mut all = (Counts::default(), 0);
        let mut classes = Vec::new();
        for (class, (sum, idle)) in counts.iter_mut().enumerate() {
            *idle += core.centre().idle_count(class) as u64;
            all.0.add(sum);
            all.1 += *idle;
            if sum.acquired > 0 {
                let size = sizes.get(class).copied().unwrap_or(0) as u64;
                classes.push(ClassStatistics::new(size, sum, *idle));
            }
        }
        let gauges = core.gauges();
        let reserved_bytes = gauges.reserved_bytes.load(Relaxed);
        let mut all = ClassStatistics::new(0, &all.0, all.1);
        all.in_use_bytes = reserved_bytes.saturating_sub(idle_bytes);
        if let Some(unclassed) = classes.last_mut().filter(|last| last.class_bytes == 0) {
            unclassed.in_use_bytes = gauges.unclassed_bytes.load(Relaxed);
        }
        Self {
            all,
            classes,
            reserved_bytes,
            peak_reserved_bytes: gauges.peak_reserved_bytes.load(Relaxed),
            total_reserved_bytes: gauges.total_reserved_bytes.load(Relaxed),
            upstream_allocations: gauges.upstream_allocations.load(Relaxed),
            upstream_deallocations: gauges.upstream_deallocations.load(Relaxed),
            evictions: Eviction::ALL.map(|cause| gauges.evictions[cause.index()].load(Relaxed)),
        }
    }
}
