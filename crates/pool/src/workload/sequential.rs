//! One buffer at a time: acquire, write one byte, release; 256 B to 32 KiB by powers of two, over and
//! over.

use super::Row;
use super::measure::{BATCH, Times};
use super::subject::{Handle, Malloc, Pooled, Subject};
use crate::{HostHeap, Pool, Result};

const SIZES: [usize; 8] = [256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768];
const BATCHES: usize = 4000;
const WARM_UP: usize = 50;
const HIT_RATE: f64 = 0.99;

pub(super) fn run() -> Result<Vec<Row>> {
    Ok(vec![on(Pooled::new(Pool::new(HostHeap)))?, on(Malloc)?])
}

fn on(mut subject: impl Subject) -> Result<Row> {
    let mut times = Times::default();
    let (mut refused, mut kept) = (None, true);
    for batch in 0..WARM_UP + BATCHES {
        if batch == WARM_UP {
            times = Times::default();
            subject.warmed_up();
        }
        times.batch(BATCH, || {
            for pair in 0..BATCH {
                match subject.acquire(SIZES[pair % SIZES.len()]) {
                    Ok(mut handle) => {
                        handle.write(pair as u8);
                        kept &= handle.holds(pair as u8);
                    }
                    Err(error) => refused = Some(error),
                }
            }
        });
    }
    if let Some(error) = refused {
        return Err(error);
    }
    let tally = subject.tally(SIZES[7] as u64);
    let checked = kept && subject.settled() && tally.hit_rate.is_none_or(|rate| rate >= HIT_RATE);
    Ok(times.row("sequential".to_owned(), tally, checked))
}
