//! What a population asked for, recorded and replayed.
//!
//! The shipped trace holds every request that chunks and threads of a run made of the engine's pool: 200,000
//! agents, 40 ticks, in a grid where one move in ten slips, so that beliefs, and chunks with them, grow at
//! different times. The example `record_agents_trace` of `populace-population` made it, by a
//! [`Record`](crate::Record) between pool and ledger. It is replayed ten times.
//!
//! Such a run mostly asks for more than it ever gave back, so what this shows is not how often something lay ready,
//! but how little a pool adds: what is reserved stays within a tenth of what is requested, by classes learned
//! from the trace, whose bound is checked, and by the geometric ones, which waste more. Idle memory is bounded by a share of what is in use, and makes way when the pool grows. The upstream
//! gives places without memory behind them, as for `random`: what fresh memory costs is shown by `touch`.

use std::sync::Arc;

use super::Row;
use super::measure::{BATCH, Times};
use super::subject::{Handle, Malloc, Pooled, Subject};
use crate::{NullResource, Pool, Result, Trace, TraceOperation};

const TRACE: &[u8] = include_bytes!("../../traces/agents.trace");
const ROUNDS: usize = 10;
/// The most that a learned class may waste.
const BOUND: f64 = 0.05;
const PEAK_RATIO: f64 = 1.1;
const IDLE_SHARE: f64 = 0.03;

pub(super) fn run() -> Result<Vec<Row>> {
    let trace = Trace::from_bytes(TRACE)?;
    let learned = trace.learn(BOUND)?;
    let pool = || Pool::builder(Arc::new(NullResource::new())).max_idle_share(IDLE_SHARE);
    let mut rows = replayed("agents", &trace, pool().classes(learned.classes).build()?, ROUNDS)?;
    let geometric = on("agents/geometric", Pooled::new(pool().build()?), &trace, ROUNDS)?;
    rows[0].checked &= rows[0].internal_waste.is_some_and(|waste| waste <= BOUND);
    rows[0].checked &= rows[0].internal_waste < geometric.internal_waste;
    rows.insert(1, geometric);
    for row in &mut rows[..2] {
        row.checked &= row.peak_reserved_over_requested.is_some_and(|ratio| ratio <= PEAK_RATIO);
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
