//! Measures the crate's workload and prints a JSON row a line, for `benches/compare_numpy.py`.
//!
//! `cargo run --release -p populace-tensor --example measure -- [THREADS] [MILLISECONDS] [FILTER]`

use std::alloc::Layout;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use populace_pool::{Block, Pages, Resource, SharedResource};
use populace_tensor::workload;

/// Keeps what was given back, by layout: the least that a pool does.
struct Keep(Mutex<HashMap<Layout, Vec<Block>>>);

// SAFETY: blocks are numbers here; only one of `kept` and the caller has each.
unsafe impl Send for Keep {}
// SAFETY: as above, behind a mutex.
unsafe impl Sync for Keep {}

// SAFETY: a block is handed out once until it comes back, and came from `Pages`.
unsafe impl Resource for Keep {
    fn allocate(&self, layout: Layout) -> populace_pool::Result<Block> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.entry(layout).or_default().pop() {
            Some(block) => Ok(block),
            None => Pages.allocate(layout),
        }
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry(layout).or_default().push(block);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let threads = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let milliseconds = arguments.next().map_or(Ok(100), |text| text.parse())?;
    let filter = arguments.next().unwrap_or_default();
    let resource: SharedResource = Arc::new(Keep(Mutex::default()));
    for case in workload::cases() {
        if !case.name().contains(&filter) {
            continue;
        }
        let row =
            workload::measure(&case, &resource, threads, Duration::from_millis(milliseconds))?;
        println!("{}", serde_json::to_string(&row)?);
    }
    Ok(())
}
