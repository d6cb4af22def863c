//! Learning A, from what is seen, and B, from two beliefs and the action between them.

use populace_tensor::lanes::{LANES, Lane, contract_lanes};
use populace_tensor::simd::{Real, Simd, Vector};

use super::belief;
use super::vectors::kept;
use crate::compiled::learning::{FLAGS, Family, Joint, Learning};
use crate::step::kernels::splat;
use crate::step::scratch::{NONE, Scratch};
use crate::step::states::product;
use crate::{CompiledModel, Dialect, EPSILON};

#[inline(always)]
pub(super) fn learn_a<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    learning: &Learning<T>,
    scratch: &mut Scratch<T>,
    m: usize,
    learns: [bool; LANES],
) {
    let counts = learning.a[m];
    let joint = counts.joint;
    let dependencies = &model.evidence[m].dependencies;
    let beliefs = dependencies.iter().map(|&f| belief(model, &scratch.rows, f));
    let q = match dependencies[..] {
        [f] => belief(model, &scratch.rows, f),
        _ => product(simd, beliefs, &mut scratch.joint),
    };
    let masked = learning.dialect == Dialect::Pymdp0;
    let keep_zeros = learning.keep_zeros;
    let rates = learning.rates[Family::A as usize];
    let first_outcome: usize = model.outcomes[..m].iter().sum();
    for lane in (0..LANES).filter(|&lane| learns[lane]) {
        scratch.learning.set(lane, Family::A as usize);
        if !counts.grow {
            continue;
        }
        let (soft, observed) = (&scratch.soft, scratch.observations[m][lane]);
        let seen = |o: usize| match scratch.use_soft {
            true => soft[first_outcome + o][lane],
            false if observed == o as i32 => T::ONE,
            false => T::ZERO,
        };
        if let Some(keep) = rates.keep
            && (0..counts.rows).any(|o| seen(o) != T::ZERO)
        {
            for o in 0..counts.rows {
                scratch.learning.set(lane, FLAGS + counts.first_block + o);
            }
            for count in &mut scratch.learning.counts[counts.range()] {
                count[lane] = kept(keep, count[lane]);
            }
        }
        for o in 0..counts.rows {
            let seen = seen(o);
            if seen == T::ZERO {
                continue;
            }
            scratch.learning.set(lane, FLAGS + counts.first_block + o);
            let weight = rates.learn * seen;
            let least = if masked { T::ZERO } else { least(weight) };
            let start = counts.first + o * joint;
            let own = &mut scratch.learning;
            for ((count, a), q) in own.counts[start..].iter_mut().zip(&own.expected[start..]).zip(q)
            {
                let closed =
                    (masked && a[lane] <= T::ZERO) || (keep_zeros && count[lane] <= T::ZERO);
                if !closed {
                    let term = weight * q[lane];
                    count[lane] += if term > least { term } else { least };
                }
            }
        }
    }
}

/// The least that a count grows by which grows at all. What `pymdp-1` is worth to learn jumps where a
/// count is above 0, and pymdp computes in double precision, where the product of a weight and a belief
/// is; in single precision it may not be.
#[inline(always)]
fn least<T: Real>(weight: T) -> T {
    if T::SINGLE && weight > T::ZERO { T::from_f64(f64::from(f32::MIN_POSITIVE)) } else { T::ZERO }
}

#[inline(always)]
pub(super) fn learn_b<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    learning: &Learning<T>,
    scratch: &mut Scratch<T>,
    f: usize,
) {
    let counts = learning.b[f];
    let taken = scratch.taken[f];
    let q = belief(model, &scratch.rows, f);
    let own = &mut scratch.learning;
    let dependencies = &model.transitions[f].dependencies;
    let before = match dependencies[..] {
        [g] => belief(model, &own.before, g),
        _ => {
            let beliefs = dependencies.iter().map(|&g| belief(model, &own.before, g));
            product(simd, beliefs, &mut scratch.joint)
        }
    };
    let masked = learning.dialect == Dialect::Pymdp0;
    let epsilon = splat::<T, S>(simd, EPSILON);
    let zero = splat::<T, S>(simd, 0.0);
    let rates = learning.rates[Family::B as usize];
    for (lane, &action) in taken.iter().enumerate() {
        if action == NONE || taken[..lane].contains(&action) {
            continue;
        }
        let action = action as usize;
        let mut weight = Lane([T::ZERO; LANES]);
        let mut keep = Lane([T::ONE; LANES]);
        for lane in (0..LANES).filter(|&lane| taken[lane] as usize == action) {
            weight[lane] = rates.learn;
            keep[lane] = rates.keep.unwrap_or(T::ONE);
            let bit = lane * own.mask_bytes;
            let block = FLAGS + counts.first_block + action;
            own.masks[bit] |= 1 << Family::B as usize;
            own.masks[bit + block / 8] |= u8::from(counts.grow) << (block % 8);
        }
        if !counts.grow {
            continue;
        }
        let lanes_least = Lane(weight.0.map(least));
        let (weight, keep) = (Vector::load(simd, &weight), Vector::load(simd, &keep));
        let table = counts.table(action);
        let b = &own.expected[table.clone()];
        let smoothed = learning.joint != Joint::Independent;
        if smoothed {
            contract_lanes(simd, b, before, &mut own.sums[..counts.rows]);
        }
        let rows = own.counts[table].chunks_exact_mut(counts.joint);
        for (next, (row, b)) in rows.zip(b.chunks_exact(counts.joint)).enumerate() {
            let mut scale = weight * Vector::load(simd, &q[next]);
            if smoothed {
                let norm = Vector::load(simd, &own.sums[next]);
                let norm = match learning.joint {
                    Joint::Smoothed => zero.less(norm).select(norm, epsilon),
                    _ => norm.max(epsilon),
                };
                scale = scale / norm;
            }
            for ((count, b), before) in row.iter_mut().zip(b).zip(before) {
                let b = Vector::load(simd, b);
                let mut term = scale * Vector::load(simd, before);
                if smoothed {
                    term = term * b;
                }
                if masked {
                    term = zero.less(b).select(term, zero);
                } else {
                    let some = Vector::load(simd, &lanes_least).max(term);
                    term = if smoothed { zero.less(b).select(some, term) } else { some };
                }
                let mut left = Vector::load(simd, count);
                if learning.keep_zeros {
                    term = zero.less(left).select(term, zero);
                }
                if rates.keep.is_some() {
                    // At least ε, of what was more: the lanes that keep all stay as they are.
                    let floor = epsilon.less(left).select(epsilon, left);
                    left = (left * keep).max(floor);
                }
                (left + term).store(count);
            }
        }
    }
}
