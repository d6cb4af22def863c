//! Batches of pairs, their times, and what is random about a workload.

use std::time::Instant;

use super::Row;
use super::subject::Tally;

/// Pairs between two looks at the clock.
pub(super) const BATCH: usize = 64;

/// Nanoseconds a pair, batch by batch.
#[derive(Debug, Default)]
pub(super) struct Times(Vec<f64>);

impl Times {
    /// Times one batch of `pairs`.
    pub(super) fn batch(&mut self, pairs: usize, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        self.push(start.elapsed().as_nanos() as f64 / pairs as f64);
    }

    pub(super) fn push(&mut self, nanoseconds_per_pair: f64) {
        self.0.push(nanoseconds_per_pair);
    }

    /// What share of batches took less than the answer.
    fn quantile(&mut self, share: f64) -> f64 {
        self.0.sort_unstable_by(f64::total_cmp);
        let last = self.0.len().saturating_sub(1);
        self.0.get((share * last as f64).round() as usize).copied().unwrap_or(0.0)
    }

    pub(super) fn row(mut self, name: String, tally: Tally, checked: bool) -> Row {
        Row {
            name,
            resource: tally.resource,
            ns_per_pair_median: self.quantile(0.5),
            ns_per_pair_p99: self.quantile(0.99),
            hit_rate: tally.hit_rate,
            internal_waste: tally.internal_waste,
            peak_reserved_over_requested: tally.peak_reserved_over_requested,
            checked,
        }
    }
}

/// SplitMix64: the workloads are the same on every machine and in every year.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Log-uniform in [low, high].
    pub(super) fn size(&mut self, low: usize, high: usize) -> usize {
        let ratio = high as f64 / low as f64;
        (low as f64 * ratio.powf(self.unit())) as usize
    }
}
