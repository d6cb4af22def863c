//! What was asked of a resource, in order: kept in a file, replayed against any resource, learned from.
//!
//! Invariant: a `Free` names an `Allocate` before it, and no other `Free` names the same one.

mod file;
mod learn;
mod replay;

use std::alloc::Layout;
use std::collections::BTreeMap;

pub use learn::Learned;
pub use replay::Replay;

use crate::SizeClasses;

/// One operation of a [`Trace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceOperation {
    /// A block was asked for and given. Allocations are numbered from 0 in the order of the trace.
    Allocate {
        /// What was asked for.
        layout: Layout,
    },
    /// A block was given back.
    Free {
        /// The number of its allocation.
        number: u64,
    },
}

/// A sequence of allocates and frees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    operations: Vec<TraceOperation>,
    allocations: u64,
}

impl Trace {
    /// The operations in order.
    pub fn operations(&self) -> &[TraceOperation] {
        &self.operations
    }

    /// How many blocks were asked for.
    pub fn allocations(&self) -> u64 {
        self.allocations
    }

    /// The most bytes that were live at a time, as requested.
    pub fn peak_requested_bytes(&self) -> u64 {
        let mut sizes = Vec::new();
        // A file may ask for more than there is, and so for more than 2^64 bytes.
        let (mut live, mut peak) = (0_u128, 0);
        for operation in &self.operations {
            match *operation {
                TraceOperation::Allocate { layout } => {
                    sizes.push(layout.size() as u128);
                    live += layout.size() as u128;
                    peak = peak.max(live);
                }
                TraceOperation::Free { number } => live -= sizes[number as usize],
            }
        }
        u64::try_from(peak).unwrap_or(u64::MAX)
    }

    /// What rounding up to `classes` adds: padding bytes over taken bytes, summed over all allocations.
    /// Above the largest class a request takes what it asks for.
    pub fn waste(&self, classes: &SizeClasses) -> f64 {
        waste(&self.histogram(), classes)
    }

    /// How often each size was asked for.
    fn histogram(&self) -> BTreeMap<usize, u64> {
        let mut histogram = BTreeMap::new();
        for operation in &self.operations {
            if let TraceOperation::Allocate { layout } = operation {
                *histogram.entry(layout.size()).or_default() += 1;
            }
        }
        histogram
    }

    /// Appends an allocation and answers its number.
    pub(crate) fn push_allocate(&mut self, layout: Layout) -> u64 {
        self.push(TraceOperation::Allocate { layout });
        self.allocations - 1
    }

    pub(crate) fn push(&mut self, operation: TraceOperation) {
        self.allocations += u64::from(matches!(operation, TraceOperation::Allocate { .. }));
        self.operations.push(operation);
    }
}

fn waste(histogram: &BTreeMap<usize, u64>, classes: &SizeClasses) -> f64 {
    let (mut requested, mut taken) = (0.0, 0.0);
    for (&size, &count) in histogram {
        requested += size as f64 * count as f64;
        taken += classes.class_bytes(size).unwrap_or(size) as f64 * count as f64;
    }
    if taken > 0.0 { 1.0 - requested / taken } else { 0.0 }
}
