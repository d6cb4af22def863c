//! One buffer at a time, one byte written in every page of it: 4 KiB, 64 KiB, 1 MiB, 16 MiB and 64 MiB.

use super::Row;
use super::measure::Times;
use super::subject::{Handle, Malloc, Pooled, Subject};
use crate::{HostHeap, Pool, Result};

const SIZES: [usize; 5] = [4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20];
/// Pages touched for each size and resource.
const PAGES: usize = 1 << 21;
const BATCHES: usize = 32;

pub(super) fn run() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for size in SIZES {
        rows.push(on(Pooled::new(Pool::new(HostHeap)), size)?);
        rows.push(on(Malloc, size)?);
    }
    Ok(rows)
}

fn on(mut subject: impl Subject, size: usize) -> Result<Row> {
    let pairs = (PAGES / (size / 4096) / BATCHES).max(1);
    let mut times = Times::default();
    let (mut refused, mut kept) = (None, true);
    for batch in 0..BATCHES + 1 {
        if batch == 1 {
            times = Times::default();
            subject.warmed_up();
        }
        times.batch(pairs, || {
            for _ in 0..pairs {
                match subject.acquire(size) {
                    Ok(mut handle) => {
                        handle.touch(batch as u8);
                        kept &= handle.holds(batch as u8);
                    }
                    Err(error) => refused = Some(error),
                }
            }
        });
    }
    if let Some(error) = refused {
        return Err(error);
    }
    let tally = subject.tally(size as u64);
    let checked = kept && subject.settled() && tally.hit_rate.is_none_or(|rate| rate == 1.0);
    Ok(times.row(format!("touch/{size}"), tally, checked))
}
