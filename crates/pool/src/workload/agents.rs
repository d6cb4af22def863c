//! What a population asked for, recorded and replayed.
//!
//! The shipped trace holds every request that the engine made of its root resource during `populace run --agents
//! 100000 --steps 100 --budget 256MiB` (the built-in grid), by a [`Record`](crate::Record) under its
//! ledger. It is replayed a hundred times: the first fills the pool, the others find what it left.

use std::sync::Arc;

use super::Row;
use super::measure::{BATCH, Times};
use super::subject::{Handle, Malloc, Pooled, Subject};
use crate::{HostHeap, Pool, Result, Trace, TraceOperation};

const TRACE: &[u8] = include_bytes!("../../traces/agents.trace");
const ROUNDS: usize = 100;
/// The most that a learned class may waste.
const BOUND: f64 = 0.05;
const PEAK_RATIO: f64 = 1.1;
const IDLE_SHARE: f64 = 0.05;

pub(super) fn run() -> Result<Vec<Row>> {
    let trace = Trace::from_bytes(TRACE)?;
    let learned = trace.learn(BOUND)?;
    let small_enough =
        |row: &Row| row.peak_reserved_over_requested.is_none_or(|ratio| ratio <= PEAK_RATIO);
    let pool = || Pool::builder(Arc::new(HostHeap)).max_idle_share(IDLE_SHARE);
    let mut rows = replayed("agents", &trace, pool().build()?, ROUNDS)?;
    let pool = pool().classes(learned.classes).build()?;
    let mut row = on("agents/learned", Pooled::new(pool), &trace, ROUNDS)?;
    row.checked &= row.internal_waste < rows[0].internal_waste;
    row.checked &= row.internal_waste.is_some_and(|waste| waste <= BOUND);
    rows.insert(1, row);
    for row in &mut rows {
        row.checked &= small_enough(row);
    }
    Ok(rows)
}

/// Replays a trace `rounds` times on `pool` and on the system's allocator; `name` names the rows.
///
/// # Errors
///
/// What either answers to an allocation of the trace.
pub fn replayed(name: &str, trace: &Trace, pool: Pool, rounds: usize) -> Result<Vec<Row>> {
    Ok(vec![on(name, Pooled::new(pool), trace, rounds)?, on(name, Malloc, trace, rounds)?])
}

fn on<S: Subject>(name: &str, subject: S, trace: &Trace, rounds: usize) -> Result<Row> {
    let mut times = Times::default();
    let (mut refused, mut kept) = (None, true);
    for _ in 0..rounds {
        let mut live: Vec<Option<S::Handle>> = Vec::with_capacity(trace.allocations() as usize);
        for operations in trace.operations().chunks(2 * BATCH) {
            times.batch(operations.len().div_ceil(2), || {
                for operation in operations {
                    match *operation {
                        TraceOperation::Allocate { layout } => {
                            let handle = subject.acquire(layout.size()).map(|mut handle| {
                                handle.write(live.len() as u8);
                                handle
                            });
                            live.push(handle.map_err(|error| refused = Some(error)).ok());
                        }
                        TraceOperation::Free { number } => {
                            let handle = live.get_mut(number as usize).and_then(Option::take);
                            kept &= handle.is_some_and(|handle| handle.holds(number as u8));
                        }
                    }
                }
            });
            if let Some(error) = refused {
                return Err(error);
            }
        }
    }
    let tally = subject.tally(trace.peak_requested_bytes());
    let checked = kept && subject.settled();
    Ok(times.row(name.to_owned(), tally, checked))
}
