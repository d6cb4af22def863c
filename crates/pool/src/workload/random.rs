//! Sizes from 256 B to 64 MiB, log-uniform: 73 % of the operations acquire until 16 GiB are live, from then
//! on as many release as acquire. 10⁶ operations, of which the second half counts. The pool's upstream gives
//! places without memory behind them, and idle memory must never be more than a quarter of what was live.

use std::sync::Arc;

use super::Row;
use super::measure::{BATCH, Random, Times};
use super::subject::{Handle, Malloc, Pooled, Subject};
use crate::{NullResource, Pool, Result};

const SMALLEST: usize = 256;
const LARGEST: usize = 64 << 20;
const LIVE_BYTES: u64 = 16 << 30;
const ACQUIRE_SHARE: f64 = 0.73;
const OPERATIONS: usize = 1_000_000;
const HIT_RATE: f64 = 0.85;
const WASTE: f64 = 0.09;

pub(super) fn run() -> Result<Vec<Row>> {
    let pool =
        Pool::builder(Arc::new(NullResource::new())).max_idle_bytes(LIVE_BYTES / 4).build()?;
    Ok(vec![on(Pooled::new(pool))?, on(Malloc)?])
}

fn on<S: Subject>(mut subject: S) -> Result<Row> {
    let mut random = Random::new(1);
    let mut times = Times::default();
    let mut live: Vec<S::Handle> = Vec::new();
    let (mut requested, mut peak, mut most_idle) = (0_u64, 0, 0);
    let mut filled = false;
    // Once filled, operations come as a release and an acquire in random order: as many of each.
    let mut second = None;
    let mut acquires = |random: &mut Random, filled: bool| match second.take() {
        Some(acquire) => acquire,
        None if !filled => random.unit() < ACQUIRE_SHARE,
        None => {
            let acquire = random.below(2) == 0;
            second = Some(!acquire);
            acquire
        }
    };
    let mut refused = None;
    for batch in 0..OPERATIONS / (2 * BATCH) {
        if batch == OPERATIONS / (4 * BATCH) {
            subject.warmed_up();
            times = Times::default();
        }
        let steps: Vec<_> = (0..2 * BATCH)
            .map(|_| {
                let acquire = acquires(&mut random, filled);
                (acquire.then(|| random.size(SMALLEST, LARGEST)), random.unit())
            })
            .collect();
        times.batch(BATCH, || {
            for &(size, which) in &steps {
                if let Some(size) = size {
                    match subject.acquire(size) {
                        Ok(handle) => {
                            requested += size as u64;
                            peak = peak.max(requested);
                            live.push(handle);
                        }
                        Err(error) => refused = Some(error),
                    }
                } else if !live.is_empty() {
                    let handle = live.swap_remove((which * live.len() as f64) as usize);
                    requested -= handle.len() as u64;
                }
            }
        });
        filled |= requested >= LIVE_BYTES;
        most_idle = most_idle.max(subject.idle_bytes());
    }
    if let Some(error) = refused {
        return Err(error);
    }
    drop(live);
    let tally = subject.tally(peak);
    let checked = filled
        && subject.settled()
        && most_idle <= peak / 4
        && tally.hit_rate.is_none_or(|rate| rate >= HIT_RATE)
        && tally.internal_waste.is_none_or(|waste| waste < WASTE);
    Ok(times.row("random".to_owned(), tally, checked))
}
