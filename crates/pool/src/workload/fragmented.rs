//! 10³ to 10⁶ free buffers are held between as many live ones, while 64 others come and go: the time of a pair
//! must not depend on how many are held.

use std::sync::Arc;

use super::Row;
use super::measure::{BATCH, Random, Times};
use super::subject::{Handle, Malloc, Pooled, Subject};
use crate::{NullResource, Pool, Result};

const SMALLEST: usize = 256;
const LARGEST: usize = 1024;
const BATCHES: usize = 2000;
const HIT_RATE: f64 = 0.99;

pub(super) fn run() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for free in [1_000, 10_000, 100_000, 1_000_000] {
        let pool = Pool::builder(Arc::new(NullResource::new()))
            .max_idle_bytes(u64::MAX)
            .max_idle_count(4 * free)
            .build()?;
        rows.push(on(Pooled::new(pool), free)?);
        rows.push(on(Malloc, free)?);
    }
    Ok(rows)
}

fn on<S: Subject>(mut subject: S, free: usize) -> Result<Row> {
    let mut random = Random::new(1);
    let mut requested = 0;
    let mut live = Vec::with_capacity(2 * free);
    for _ in 0..2 * free {
        let size = random.size(SMALLEST, LARGEST);
        requested += size as u64;
        live.push(subject.acquire(size)?);
    }
    // In random order, so that neighbours in memory are not neighbours in the cache.
    for end in (1..live.len()).rev() {
        live.swap(end, random.below(end + 1));
    }
    live.truncate(free);
    let mut others: Vec<_> = (0..BATCH).map(|_| None).collect();
    subject.warmed_up();
    let mut times = Times::default();
    let mut refused = None;
    for _ in 0..BATCHES {
        let sizes: Vec<_> = (0..BATCH).map(|_| random.size(SMALLEST, LARGEST)).collect();
        times.batch(BATCH, || {
            for (other, &size) in others.iter_mut().zip(&sizes) {
                match subject.acquire(size) {
                    Ok(mut handle) => {
                        handle.write(1);
                        *other = Some(handle);
                    }
                    Err(error) => refused = Some(error),
                }
            }
        });
    }
    if let Some(error) = refused {
        return Err(error);
    }
    drop((live, others));
    let tally = subject.tally(requested);
    let checked = subject.settled() && tally.hit_rate.is_none_or(|rate| rate >= HIT_RATE);
    Ok(times.row(format!("fragmented/{free}"), tally, checked))
}
