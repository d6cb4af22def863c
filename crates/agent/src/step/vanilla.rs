//! States of the dialect `pymdp-0` (its `VANILLA`), from the joint likelihood of all modalities.
//!
//! ```text
//! L = ln(Π_m A_m[o_m] + 1e-16)                    over the joint states
//! ln q_f ← ln(prior_f + 1e-16) + E_{other factors' q}[L]      all at once, from uniform q
//! F = Σ_f q·(ln(q + 1e-16) − ln(prior + 1e-16)) − E_q[L]
//! ```
//!
//! at most `num_iter` times, until F changes by less than 1e-3; the first change is from F of the
//! uniform q without its last term. One factor: one pass, exact. A lane that has stopped does not
//! change while others go on.

use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Real, Simd, Vector};

use super::joint::ln;
use super::kernels::{add, softmax, splat};
use super::scratch::Scratch;
use super::states::{gather_likelihood, product, send};
use crate::CompiledModel;

/// The iteration stops once F changes by less.
const TOLERANCE: f64 = 1e-3;

/// The posteriors of all factors, in place of their beliefs; priors are there.
#[inline(always)]
pub(super) fn infer<T: Real, S: Simd>(simd: S, model: &CompiledModel<T>, scratch: &mut Scratch<T>) {
    gather_likelihood(simd, model, scratch);
    for row in scratch.evidence.iter_mut() {
        ln(Vector::load(simd, row)).store(row);
    }
    for (prior, constant) in scratch.prior.iter().zip(scratch.constant.iter_mut()) {
        ln(Vector::load(simd, prior)).store(constant);
    }
    let total = scratch.prior.len();
    let factors = model.states.len();
    for f in 0..factors {
        let uniform = Lane([T::from_f64(1.0 / model.states[f] as f64); LANES]);
        scratch.rows[model.first_row[f]..model.first_row[f + 1]].fill(uniform);
    }
    let zero = splat::<f64, S>(simd, 0.0);
    let mut going = [true; LANES];
    let mut last = free_energy(simd, model, scratch, false);
    let passes = if factors == 1 { 1 } else { model.num_iter };
    for _ in 0..passes {
        scratch.messages.copy_from_slice(&scratch.constant);
        if factors == 1 {
            add(simd, &scratch.evidence, &mut scratch.messages);
        } else {
            let q = &scratch.rows[..total];
            let dependencies = &model.groups[0].dependencies;
            send(
                simd,
                model,
                dependencies,
                &scratch.evidence,
                q,
                &mut scratch.messages,
                &mut scratch.joint,
            );
        }
        for f in 0..factors {
            softmax(simd, &mut scratch.messages[model.first_row[f]..model.first_row[f + 1]]);
        }
        for (next, q) in scratch.messages.iter().zip(scratch.rows.iter_mut()) {
            for lane in 0..LANES {
                q[lane] = if going[lane] { next[lane] } else { q[lane] };
            }
        }
        if factors == 1 {
            return;
        }
        let energy = free_energy(simd, model, scratch, true);
        let change = last - energy;
        let mut size = Lane([0.0; LANES]);
        change.max(zero - change).store(&mut size);
        for lane in 0..LANES {
            going[lane] &= size[lane] >= TOLERANCE;
        }
        last = energy;
        if going == [false; LANES] {
            return;
        }
    }
}

/// F of the beliefs, without its last term where not `heard`; in f64 whatever the precision, because
/// changes of F decide when to stop.
#[inline(always)]
fn free_energy<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    scratch: &mut Scratch<T>,
    heard: bool,
) -> Vector<f64, S> {
    let (q, room) = scratch.wide.split_at_mut(scratch.prior.len());
    let mut sum = splat::<f64, S>(simd, 0.0);
    for ((wide, q), prior) in q.iter_mut().zip(scratch.rows.iter()).zip(scratch.constant.iter()) {
        *wide = widened(q);
        let q = Vector::load(simd, wide);
        sum = q.mul_add(ln(q) - Vector::load(simd, &widened(prior)), sum);
    }
    if heard {
        let beliefs =
            (0..model.states.len()).map(|f| &q[model.first_row[f]..model.first_row[f + 1]]);
        let q = product(simd, beliefs, room);
        for (q, l) in q.iter().zip(scratch.evidence.iter()) {
            sum = sum - Vector::load(simd, q) * Vector::load(simd, &widened(l));
        }
    }
    sum
}

#[inline(always)]
fn widened<T: Real>(row: &Lane<T>) -> Lane<f64> {
    let mut wide = Lane([0.0; LANES]);
    for lane in 0..LANES {
        wide[lane] = row[lane].to_f64();
    }
    wide
}
