//! A recorded trace, replayed: what a population asked for.

use super::Row;
use super::measure::{BATCH, Times};
use super::subject::{Handle, Malloc, Pooled, Subject};
use crate::{Pool, Result, Trace, TraceOperation};

/// Replays a trace on `pool` and on the system's allocator; `name` names the rows.
///
/// # Errors
///
/// What either answers to an allocation of the trace.
pub fn replayed(name: &str, trace: &Trace, pool: Pool) -> Result<Vec<Row>> {
    Ok(vec![on(name, Pooled::new(pool), trace)?, on(name, Malloc, trace)?])
}

fn on<S: Subject>(name: &str, mut subject: S, trace: &Trace) -> Result<Row> {
    let mut times = Times::default();
    let mut live: Vec<Option<S::Handle>> = Vec::with_capacity(trace.allocations() as usize);
    let (mut refused, mut kept) = (None, true);
    subject.warmed_up();
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
    drop(live);
    let tally = subject.tally(trace.peak_requested_bytes());
    let checked = kept && subject.settled();
    Ok(times.row(name.to_owned(), tally, checked))
}
