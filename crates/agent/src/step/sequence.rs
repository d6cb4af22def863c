//! States from a window of observations: marginal (`mmp`) and variational (`vmp`) message passing.
//!
//! From uniform beliefs, `num_iter` times, all steps t and factors f at once:
//!
//! ```text
//! q_t ← softmax(ln A_t + past_t + future_t)
//! mmp  past   w·ln max(B q_{t−1}, ε); at t = 0 w·ln max(D, ε); w = ½ before the last step, else 1
//!      future ½·Σ_g ln max(B̃ᵀ q_{g,t+1}, ε), g ∋ f in B_dependencies: B̃ = B_g, its other dependencies
//!             contracted with their q_t, each row s' divided by max(Σ_s, ε)
//! vmp  past   ln B contracted with q_{t−1}; at t = 0 ln max(D, ε)
//!      future Σ_g ln B_g contracted with q_{g,t+1} and the other dependencies' q_t
//! ```
//!
//! ln A_t is the expected evidence under the other factors' current q_t. B is that of the action taken
//! from t, by lane.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane, contract_lanes};
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::kernels::{add, ln_clipped, softmax, splat};
use super::scratch::Scratch;
use super::states::{product, send};
use super::window::gather_window;
use crate::compiled::sequence::{Passing, Sequence, Window};
use crate::{CompiledModel, EPSILON, Result};

/// Beliefs and messages over a window; all empty where none are passed.
#[derive(Debug)]
pub(crate) struct SequenceScratch<T: Real> {
    /// Beliefs by step, and the logarithms that they are computed from.
    q: Array<Lane<T>>,
    ln_q: Array<Lane<T>>,
    /// ln max(D, ε), of all factors.
    ln_initial: Array<T>,
    /// B at every lane's action, and with all dependencies but one contracted.
    b: Array<Lane<T>>,
    rest: Array<Lane<T>>,
    /// A message.
    message: Array<Lane<T>>,
}

impl<T: Real> SequenceScratch<T> {
    pub(super) fn new(
        model: &CompiledModel<T>,
        window: Window,
        memory: &SharedResource,
    ) -> Result<Self> {
        let rows = |len| Array::zeroed(memory, len);
        let used = model.sequence.is_some() && model.by_policy.is_none();
        let only = |len: usize| if used { len } else { 0 };
        let size = only((window.observations + 1) * model.belief_len());
        let joint = |deps: &[usize]| deps.iter().map(|&f| model.states[f]).product::<usize>();
        let tables = model.transitions.iter().map(|t| t.states * joint(&t.dependencies));
        let widest = model.states.iter().copied().max().unwrap_or(0);
        let ln_initial = model.initial.iter().map(|&d| T::from_f64(d.to_f64().max(EPSILON).ln()));
        let ln_initial: Vec<T> = ln_initial.take(only(model.belief_len())).collect();
        Ok(Self {
            q: rows(size)?,
            ln_q: rows(size)?,
            ln_initial: Array::copied(memory, &ln_initial)?,
            b: rows(only(tables.max().unwrap_or(0)))?,
            rest: rows(only(widest * widest))?,
            message: rows(only(widest))?,
        })
    }
}

impl<T: Real> Scratch<T> {
    /// The beliefs of every step of the block's window, the present last; of each step the rows of
    /// [`Scratch::beliefs`].
    pub fn window_beliefs(&self) -> &[Lane<T>] {
        &self.sequence.q[..(self.window.steps + 1) * self.prior.len()]
    }
}

pub(super) struct InferSequence<'a, T: Real> {
    pub(super) model: &'a CompiledModel<T>,
    pub(super) sequence: Sequence,
    pub(super) scratch: &'a mut Scratch<T>,
}

impl<T: Real> Kernel for InferSequence<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { model, sequence, scratch } = self;
        let (steps, total) = (scratch.window.steps + 1, model.belief_len());
        gather_window(simd, model, scratch);
        for t in 0..steps {
            for f in 0..model.states.len() {
                let uniform = Lane([T::from_f64(1.0 / model.states[f] as f64); LANES]);
                let rows = model.first_row[f]..model.first_row[f + 1];
                scratch.sequence.q[t * total..][rows].fill(uniform);
            }
        }
        for _ in 0..model.num_iter {
            for t in 0..steps {
                hear(simd, model, scratch, t);
            }
            begin(simd, model, sequence.passing, scratch, steps);
            for t in 0..steps - 1 {
                for g in 0..model.states.len() {
                    pass(simd, model, sequence.passing, scratch, t, g, steps);
                }
            }
            let size = steps * total;
            let beliefs = &mut scratch.sequence;
            beliefs.q[..size].copy_from_slice(&beliefs.ln_q[..size]);
            for q in beliefs.q[..size].chunks_exact_mut(total) {
                for f in 0..model.states.len() {
                    softmax(simd, &mut q[model.first_row[f]..model.first_row[f + 1]]);
                }
            }
        }
        let last = (steps - 1) * total;
        scratch.rows[..total].copy_from_slice(&scratch.sequence.q[last..last + total]);
    }
}

/// ln q_t ← ln A_t.
#[inline(always)]
fn hear<T: Real, S: Simd>(simd: S, model: &CompiledModel<T>, scratch: &mut Scratch<T>, t: usize) {
    let total = model.belief_len();
    let size = scratch.evidence.len();
    let window = &scratch.window;
    let q = &scratch.sequence.q[t * total..(t + 1) * total];
    let ln_q = &mut scratch.sequence.ln_q[t * total..(t + 1) * total];
    ln_q.fill(Lane([T::ZERO; LANES]));
    let mut first = t * size;
    for group in &model.groups {
        let said = &window.evidence[first..first + group.joint];
        first += group.joint;
        match group.dependencies[..] {
            [f] => add(simd, said, &mut ln_q[model.first_row[f]..]),
            _ => {
                let (factors, room) = (model.factors(), &mut scratch.joint);
                send(simd, factors, &group.dependencies, said, q, ln_q, room);
            }
        }
    }
}

/// The prior's message to the first step.
#[inline(always)]
fn begin<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    passing: Passing,
    scratch: &mut Scratch<T>,
    steps: usize,
) {
    let beliefs = &mut scratch.sequence;
    let weight = splat(simd, past_weight(passing, 0, steps));
    if let Some(counts) = model.learning.as_ref().and_then(|learning| learning.d.first()) {
        // Every lane's own D, all factors one after another.
        let own = &scratch.learning.expected[counts.first..];
        let epsilon = splat::<T, S>(simd, EPSILON);
        for (row, d) in beliefs.ln_q[..model.belief_len()].iter_mut().zip(own) {
            let ln = Vector::load(simd, d).max(epsilon).ln();
            weight.mul_add(ln, Vector::load(simd, row)).store(row);
        }
        return;
    }
    for (row, &ln) in beliefs.ln_q.iter_mut().zip(beliefs.ln_initial.iter()) {
        weight.mul_add(Vector::splat(simd, ln), Vector::load(simd, row)).store(row);
    }
}

/// What the message from the past weighs at step t.
#[inline(always)]
fn past_weight(passing: Passing, t: usize, steps: usize) -> f64 {
    if passing == Passing::Marginal && t + 1 < steps { 0.5 } else { 1.0 }
}

/// The messages through B of factor g between t and t + 1, both ways.
#[inline(always)]
fn pass<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    passing: Passing,
    scratch: &mut Scratch<T>,
    t: usize,
    g: usize,
    steps: usize,
) {
    let (total, factors) = (model.belief_len(), model.states.len());
    let transition = &model.transitions[g];
    let states = transition.states;
    let actions = match t + 1 == scratch.window.steps {
        true => scratch.taken[g],
        false => scratch.window.actions[t * factors + g],
    };
    let work = &mut scratch.sequence;
    let joint_len: usize = transition.dependencies.iter().map(|&f| model.states[f]).product();
    let b = &mut work.b[..states * joint_len];
    transition.gather(simd, &scratch.learning.expected, &actions, b);
    if passing == Passing::Variational {
        let epsilon = splat::<T, S>(simd, EPSILON);
        for row in b.iter_mut() {
            Vector::load(simd, row).max(epsilon).ln().store(row);
        }
    }
    let b = &*b;
    let (before, after) = work.q.split_at((t + 1) * total);
    let before = &before[t * total..];
    let belief = |f: usize| &before[model.first_row[f]..model.first_row[f + 1]];
    let next = &after[model.first_row[g]..model.first_row[g] + states];
    let message = &mut work.message[..states];
    match transition.dependencies[..] {
        [f] => contract_lanes(simd, b, belief(f), message),
        _ => {
            let beliefs = transition.dependencies.iter().map(|&f| belief(f));
            contract_lanes(simd, b, product(simd, beliefs, &mut scratch.joint), message);
        }
    }
    let to = &mut work.ln_q[(t + 1) * total + model.first_row[g]..][..states];
    tell(simd, passing, past_weight(passing, t + 1, steps), message, to);
    for (place, &f) in transition.dependencies.iter().enumerate() {
        let size = model.states[f];
        let rest = &mut work.rest[..states * size];
        let others = transition.dependencies.iter().filter(|&&h| h != f).map(|&h| belief(h));
        let others = product(simd, others, &mut scratch.joint);
        let fast: usize =
            transition.dependencies[place + 1..].iter().map(|&h| model.states[h]).product();
        but_one(simd, b, others, size, fast, rest);
        if passing == Passing::Marginal {
            let epsilon = splat::<T, S>(simd, EPSILON);
            for row in rest.chunks_exact_mut(size) {
                let mut sum = splat::<T, S>(simd, 0.0);
                for x in row.iter() {
                    sum = sum + Vector::load(simd, x);
                }
                let norm = sum.max(epsilon);
                for x in row {
                    (Vector::load(simd, x) / norm).store(x);
                }
            }
        }
        let message = &mut work.message[..size];
        message.fill(Lane([T::ZERO; LANES]));
        for (row, next) in rest.chunks_exact(size).zip(next) {
            let next = Vector::load(simd, next);
            for (x, message) in row.iter().zip(message.iter_mut()) {
                next.mul_add(Vector::load(simd, x), Vector::load(simd, message)).store(message);
            }
        }
        let to = &mut work.ln_q[t * total + model.first_row[f]..][..size];
        let weight = if passing == Passing::Marginal { 0.5 } else { 1.0 };
        tell(simd, passing, weight, message, to);
    }
}

/// Adds a message: its logarithm (`mmp`) or itself (`vmp`), weighed.
#[inline(always)]
fn tell<T: Real, S: Simd>(
    simd: S,
    passing: Passing,
    weight: f64,
    message: &mut [Lane<T>],
    to: &mut [Lane<T>],
) {
    let weight = splat::<T, S>(simd, weight);
    for (message, to) in message.iter_mut().zip(to) {
        if passing == Passing::Marginal {
            let row = *message;
            ln_clipped(simd, &[row], std::slice::from_mut(message));
        }
        weight.mul_add(Vector::load(simd, message), Vector::load(simd, to)).store(to);
    }
}

/// out\[s', s\] = Σ over the other dependencies' joint states of b · `others`; `fast` of them run
/// faster than s.
#[inline(always)]
fn but_one<T: Real, S: Simd>(
    simd: S,
    b: &[Lane<T>],
    others: &[Lane<T>],
    size: usize,
    fast: usize,
    out: &mut [Lane<T>],
) {
    out.fill(Lane([T::ZERO; LANES]));
    for (b, out) in b.chunks_exact(size * others.len()).zip(out.chunks_exact_mut(size)) {
        for (b, others) in b.chunks_exact(size * fast).zip(others.chunks_exact(fast)) {
            for (b, out) in b.chunks_exact(fast).zip(out.iter_mut()) {
                let mut sum = Vector::load(simd, out);
                for (b, other) in b.iter().zip(others) {
                    sum = Vector::load(simd, b).mul_add(Vector::load(simd, other), sum);
                }
                sum.store(out);
            }
        }
    }
}
