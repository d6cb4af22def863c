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
//!
//! Several factors are iterated in f64 whatever the precision: an iteration that stops one pass early
//! or late is another answer, and L goes down to −37, so that in f32 q would be off by a few 1e-6.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Real, Simd, Vector};

use super::joint::ln;
use super::kernels::{softmax, splat};
use super::scratch::Scratch;
use super::states::{Factors, gather_likelihood, product, send};
use crate::{CompiledModel, Dialect, Result};

/// The iteration stops once F changes by less.
const TOLERANCE: f64 = 1e-3;

/// What the iteration works in; empty for other models.
#[derive(Debug)]
pub(crate) struct VanillaScratch {
    /// L, over the joint states.
    said: Array<Lane<f64>>,
    /// ln(prior + 1e-16), and the beliefs and messages of all factors.
    constant: Array<Lane<f64>>,
    q: Array<Lane<f64>>,
    messages: Array<Lane<f64>>,
    /// For products of beliefs, as many as a message or the joint belief takes.
    room: Array<Lane<f64>>,
}

impl VanillaScratch {
    pub(super) fn new<T: Real>(model: &CompiledModel<T>, memory: &SharedResource) -> Result<Self> {
        let iterates =
            model.dialect == Dialect::Pymdp0 && model.states.len() > 1 && !model.infers_by_policy();
        let only = |len: usize| if iterates { len } else { 0 };
        let total = only(model.belief_len());
        let joint = only(model.groups.iter().map(|group| group.joint).sum());
        Ok(Self {
            said: Array::zeroed(memory, joint)?,
            constant: Array::zeroed(memory, total)?,
            q: Array::zeroed(memory, total)?,
            messages: Array::zeroed(memory, total)?,
            room: Array::zeroed(memory, (model.states.len() + 2) * joint)?,
        })
    }
}

/// The posteriors of all factors, in place of their beliefs; priors are there.
#[inline(always)]
pub(super) fn infer<T: Real, S: Simd>(simd: S, model: &CompiledModel<T>, scratch: &mut Scratch<T>) {
    gather_likelihood(simd, model, scratch);
    if model.states.len() == 1 {
        return one_factor(simd, scratch);
    }
    let Scratch { evidence, prior, rows, vanilla, .. } = scratch;
    ln_widened(simd, evidence, &mut vanilla.said);
    ln_widened(simd, prior, &mut vanilla.constant);
    iterate(simd, model.factors(), &model.groups[0].dependencies, model.num_iter, vanilla);
    for (q, row) in vanilla.q.iter().zip(rows.iter_mut()) {
        *row = Lane(q.0.map(T::from_f64));
    }
}

/// The posterior of the only factor.
#[inline(always)]
fn one_factor<T: Real, S: Simd>(simd: S, scratch: &mut Scratch<T>) {
    let total = scratch.prior.len();
    let given = scratch.evidence.iter().zip(scratch.prior.iter());
    for (q, (said, prior)) in scratch.rows.iter_mut().zip(given) {
        (ln(Vector::load(simd, said)) + ln(Vector::load(simd, prior))).store(q);
    }
    softmax(simd, &mut scratch.rows[..total]);
}

#[inline(always)]
fn iterate<S: Simd>(
    simd: S,
    factors: Factors<'_>,
    dependencies: &[usize],
    passes: usize,
    scratch: &mut VanillaScratch,
) {
    let belief = |f: usize| factors.first_row[f]..factors.first_row[f + 1];
    for (f, &states) in factors.states.iter().enumerate() {
        scratch.q[belief(f)].fill(Lane([1.0 / states as f64; LANES]));
    }
    let zero = splat::<f64, S>(simd, 0.0);
    let mut going = [true; LANES];
    let mut last = free_energy(simd, factors, scratch, false);
    for _ in 0..passes {
        let VanillaScratch { said, constant, q, messages, room } = scratch;
        messages.copy_from_slice(constant);
        send(simd, factors, dependencies, said, q, messages, room);
        for f in 0..factors.states.len() {
            softmax(simd, &mut messages[belief(f)]);
        }
        for (next, q) in messages.iter().zip(q.iter_mut()) {
            for lane in 0..LANES {
                q[lane] = if going[lane] { next[lane] } else { q[lane] };
            }
        }
        let energy = free_energy(simd, factors, scratch, true);
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

/// F of the beliefs, without its last term where not `heard`.
#[inline(always)]
fn free_energy<S: Simd>(
    simd: S,
    factors: Factors<'_>,
    scratch: &mut VanillaScratch,
    heard: bool,
) -> Vector<f64, S> {
    let VanillaScratch { said, constant, q, room, .. } = scratch;
    let mut sum = splat::<f64, S>(simd, 0.0);
    for (q, prior) in q.iter().zip(constant.iter()) {
        let q = Vector::load(simd, q);
        sum = q.mul_add(ln(q) - Vector::load(simd, prior), sum);
    }
    if heard {
        let rows = factors.first_row.windows(2).map(|rows| &q[rows[0]..rows[1]]);
        let q = product(simd, rows, room);
        for (q, l) in q.iter().zip(said.iter()) {
            sum = sum - Vector::load(simd, q) * Vector::load(simd, l);
        }
    }
    sum
}

/// ln(x + 1e-16) of every row.
#[inline(always)]
fn ln_widened<T: Real, S: Simd>(simd: S, from: &[Lane<T>], to: &mut [Lane<f64>]) {
    for (from, to) in from.iter().zip(to) {
        let wide = Lane(from.0.map(T::to_f64));
        ln(Vector::load(simd, &wide)).store(to);
    }
}
