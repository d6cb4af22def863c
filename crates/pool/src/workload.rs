//! The pool's benchmark workloads: what is done, defined once, and what must come out.
//!
//! Each runs on a pool and on the system's allocator, one after the other. Times are medians and 99th
//! percentiles over batches of pairs (one acquire and one release), because reading the clock costs more
//! than a pair does. Contents, counts and bounds are checked; times are not.
//!
//! ```no_run
//! for name in populace_pool::workload::NAMES {
//!     for row in populace_pool::workload::run(name)? {
//!         println!("{} {}: {:.1} ns", row.name, row.resource, row.ns_per_pair_median);
//!     }
//! }
//! # Ok::<(), populace_pool::Error>(())
//! ```

mod agents;
mod cross_thread;
mod fragmented;
mod interleaved;
mod measure;
mod random;
mod sequential;
mod subject;
mod touch;

pub use agents::replayed;

use crate::{Error, ErrorKind, Result};

/// The workloads' names. The first depends most on what the process did before: memory that the system's
/// allocator has kept from earlier work is warm, and no longer its own.
pub const NAMES: &[&str] =
    &["touch", "sequential", "interleaved", "random", "agents", "cross-thread", "fragmented"];

/// What one workload came to on one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The workload, with its size after a slash if it has several.
    pub name: String,
    /// "pool", or "system" for the system's allocator.
    pub resource: &'static str,
    /// Nanoseconds a pair: half of the batches took less.
    pub ns_per_pair_median: f64,
    /// Nanoseconds a pair: 99 of 100 batches took less.
    pub ns_per_pair_p99: f64,
    /// Acquires that found a cached buffer, over acquires; `None` for the system's allocator, which does
    /// not say.
    pub hit_rate: Option<f64>,
    /// Padding over taken bytes, over all acquires; `None` for the system's allocator.
    pub internal_waste: Option<f64>,
    /// The most bytes taken from the upstream at a time over the most bytes requested at a time; `None` for
    /// the system's allocator.
    pub peak_reserved_over_requested: Option<f64>,
    /// Whether contents, counts and bounds were as they must be.
    pub checked: bool,
}

/// Runs a workload on a pool and on the system's allocator.
///
/// # Errors
///
/// A name that is not among [`NAMES`], or memory that the machine does not have.
pub fn run(name: &str) -> Result<Vec<Row>> {
    match name {
        "sequential" => sequential::run(),
        "interleaved" => interleaved::run(),
        "random" => random::run(),
        "agents" => agents::run(),
        "cross-thread" => cross_thread::run(),
        "fragmented" => fragmented::run(),
        "touch" => touch::run(),
        _ => Err(Error::new(ErrorKind::UnknownWorkload { name: name.to_owned(), known: NAMES })),
    }
}
