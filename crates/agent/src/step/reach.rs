//! Inductive inference of agents that learn B: every lane's own paths to its goal.
//!
//! The rows of I as the shared paths have them, from each lane's own B:
//! I\[k + 1\]\[s\] = 1 if an action leads from s into I\[k\] with more than the threshold.

use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Real, Simd, Vector};

use super::kernels::splat;
use crate::compiled::inductive::Goals;

/// What each predicted state of a factor is worth to every lane, from its most probable present
/// state. `goal` is H of the factor, `tables` its B by action; `rows` holds I.
#[inline(always)]
pub(super) fn worth<T: Real, S: Simd>(
    simd: S,
    goals: &Goals<T>,
    goal: &[T],
    tables: &[Lane<T>],
    present: &[Lane<T>],
    rows: &mut [Lane<T>],
    out: &mut [Lane<T>],
) {
    let states = goal.len();
    let rows = &mut rows[..goals.depth * states];
    for (row, &goal) in rows.iter_mut().zip(goal) {
        *row = Lane([goal; LANES]);
    }
    let (zero, one) = (splat::<T, S>(simd, 0.0), splat::<T, S>(simd, 1.0));
    let threshold = Vector::splat(simd, goals.threshold);
    for k in 1..goals.depth {
        let (held, next) = rows[(k - 1) * states..(k + 1) * states].split_at_mut(states);
        next.fill(Lane([T::ZERO; LANES]));
        for table in tables.chunks_exact(states * states) {
            for (held, b) in held.iter().zip(table.chunks_exact(states)) {
                let into = zero.less(Vector::load(simd, held)).select(one, zero);
                for (b, next) in b.iter().zip(next.iter_mut()) {
                    let leads = threshold.less(Vector::load(simd, b)).select(into, zero);
                    Vector::load(simd, next).max(leads).store(next);
                }
            }
        }
    }
    for lane in 0..LANES {
        let mut here = 0;
        for (state, q) in present.iter().enumerate() {
            if q[lane] > present[here][lane] {
                here = state;
            }
        }
        let (mut first, mut most, mut sum) = (0, T::ZERO, T::ZERO);
        for k in 0..goals.depth {
            let held = rows[k * states + here][lane];
            sum += held;
            if held > most {
                (first, most) = (k, held);
            }
        }
        let available = if sum > T::ONE { T::ONE } else { sum };
        let target = first.saturating_sub(1) * states;
        for (out, held) in out.iter_mut().zip(&rows[target..target + states]) {
            out[lane] = available * goals.cost * (T::ONE - held[lane]);
        }
    }
}
