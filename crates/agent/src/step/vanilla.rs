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
    let zero = splat::<T, S>(simd, 0.0);
    let mut going = splat::<T, S>(simd, 1.0);
    let mut last = complexity(simd, &scratch.rows[..total], &scratch.constant);
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
            let next = Vector::load(simd, next);
            zero.less(going).select(next, Vector::load(simd, q)).store(q);
        }
        let energy = complexity(simd, &scratch.rows[..total], &scratch.constant)
            - expected(simd, model, scratch);
        let change = (last - energy).max(energy - last);
        going = change.less(splat(simd, TOLERANCE)).select(zero, going);
        last = energy;
        let mut left = Lane([T::ZERO; LANES]);
        going.store(&mut left);
        if left.0.iter().all(|&going| going == T::ZERO) {
            break;
        }
    }
}

/// Σ q·(ln(q + 1e-16) − ln prior).
#[inline(always)]
fn complexity<T: Real, S: Simd>(simd: S, q: &[Lane<T>], ln_prior: &[Lane<T>]) -> Vector<T, S> {
    let mut sum = splat::<T, S>(simd, 0.0);
    for (q, prior) in q.iter().zip(ln_prior) {
        let q = Vector::load(simd, q);
        sum = q.mul_add(ln(q) - Vector::load(simd, prior), sum);
    }
    sum
}

/// E_q\[L\].
#[inline(always)]
fn expected<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    scratch: &mut Scratch<T>,
) -> Vector<T, S> {
    let rows = &scratch.rows;
    let beliefs =
        (0..model.states.len()).map(|f| &rows[model.first_row[f]..model.first_row[f + 1]]);
    let q = product(simd, beliefs, &mut scratch.joint);
    let mut sum = splat::<T, S>(simd, 0.0);
    for (q, l) in q.iter().zip(scratch.evidence.iter()) {
        sum = Vector::load(simd, q).mul_add(Vector::load(simd, l), sum);
    }
    sum
}
