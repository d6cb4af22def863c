//! Learning D, at an agent's first step, and E, wherever it weighs its policies.

use populace_tensor::lanes::LANES;
use populace_tensor::simd::Real;

use super::belief;
use crate::compiled::learning::{Counts, FLAGS, Family, Learning, Rates};
use crate::step::scratch::Scratch;
use crate::{CompiledModel, Dialect, EPSILON};

#[inline(always)]
pub(super) fn learn_d<T: Real>(
    model: &CompiledModel<T>,
    learning: &Learning<T>,
    scratch: &mut Scratch<T>,
    f: usize,
    learns: [bool; LANES],
) {
    let counts = learning.d[f];
    let q = belief(model, &scratch.rows, f);
    // Of beliefs by policy the reference adds what precedes the window: D itself.
    let given = model.infers_by_policy().then(|| &model.initial[model.first_row[f]..]);
    let own = &mut scratch.learning;
    let rates = learning.rates[Family::D as usize];
    let masked = learning.dialect == Dialect::Pymdp0 || learning.keep_zeros;
    for lane in (0..LANES).filter(|&lane| learns[lane]) {
        own.set(lane, Family::D as usize);
        if !counts.grow {
            continue;
        }
        own.set(lane, FLAGS + counts.first_block);
        for (s, count) in own.counts[counts.range()].iter_mut().enumerate() {
            let q = given.map_or(q[s][lane], |given| given[s]);
            add(rates, masked, &mut count[lane], q);
        }
    }
}

#[inline(always)]
pub(super) fn learn_e<T: Real>(learning: &Learning<T>, counts: Counts, scratch: &mut Scratch<T>) {
    let own = &mut scratch.learning;
    own.weighed = scratch.followed.map(|code| code == 0);
    for lane in 0..LANES {
        if !own.weighed[lane] {
            continue;
        }
        own.set(lane, Family::E as usize);
        own.set(lane, FLAGS + counts.first_block);
        for (count, q) in own.counts[counts.range()].iter_mut().zip(scratch.q_pi.iter()) {
            add(learning.rates[Family::E as usize], learning.keep_zeros, &mut count[lane], q[lane]);
        }
    }
}

/// A count after an event of probability q; where `masked`, one of 0 stays 0.
#[inline(always)]
fn add<T: Real>(rates: Rates<T>, masked: bool, count: &mut T, q: T) {
    if masked && *count <= T::ZERO {
        return;
    }
    if let Some(keep) = rates.keep {
        *count = kept(keep, *count);
    }
    *count += rates.learn * q;
}

/// What is left of a count: at least ε, of what was more.
#[inline(always)]
pub(super) fn kept<T: Real>(keep: T, count: T) -> T {
    let (left, epsilon) = (keep * count, T::from_f64(EPSILON));
    if count <= epsilon {
        return count;
    }
    if left < epsilon { epsilon } else { left }
}
