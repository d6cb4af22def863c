//! Size classes that fit what was asked for.

use super::{Trace, waste};
use crate::{CACHE_LINE_BYTES, Result, SizeClasses};

/// Size classes learned from a trace, and what they would have saved on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// The classes: the fewest that keep the bound on the trace's sizes, and the geometric ones for sizes
    /// that the trace has not seen.
    pub classes: SizeClasses,
    /// The waste of the geometric classes on the trace (see [`Trace::waste`]).
    pub geometric_waste: f64,
    /// The waste of the learned classes on the trace.
    pub learned_waste: f64,
}

impl Trace {
    /// Learns classes under which no size of the trace wastes more than `bound` of its buffer, sizes
    /// counted in whole cache lines: (c − s) / c ≤ `bound`.
    ///
    /// Sizes above the geometric classes stay without one. From the largest size down, each class covers all sizes that the bound lets it cover, which is the
    /// least number of classes.
    ///
    /// # Errors
    ///
    /// A trace whose sizes need more classes than a ladder may have; a larger bound needs fewer. A trace without
    /// allocations teaches nothing and gives the geometric classes.
    pub fn learn(&self, bound: f64) -> Result<Learned> {
        let histogram = self.histogram();
        let geometric = SizeClasses::geometric();
        let mut sizes = geometric.sizes_bytes().to_vec();
        let mut covered_down_to = f64::INFINITY;
        // Larger ones are kept by the page, which wastes less than any class.
        let largest = sizes.last().copied().unwrap_or(usize::MAX);
        for &size in histogram.keys().rev().filter(|&&size| size <= largest) {
            let class = size.next_multiple_of(CACHE_LINE_BYTES);
            if (class as f64) < covered_down_to {
                sizes.push(class);
                covered_down_to = class as f64 * (1.0 - bound.clamp(0.0, 1.0));
            }
        }
        let classes = SizeClasses::new(&sizes)?;
        Ok(Learned {
            geometric_waste: waste(&histogram, &geometric),
            learned_waste: waste(&histogram, &classes),
            classes,
        })
    }
}
