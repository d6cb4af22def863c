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
//! from t, by lane. All lanes of a block have windows of the same length, so none is padded.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::kernels::{add, contract_lanes, ln_clipped, softmax, splat};
use super::scratch::Scratch;
use super::states::{gather_groups, product, send};
use crate::compiled::sequence::{Passing, Sequence, Window};
use crate::{CompiledModel, EPSILON, Result};

/// The past of a block; all empty where states are inferred from the present alone.
#[derive(Debug)]
pub(crate) struct WindowScratch<T: Real> {
    /// Past steps of the block's window.
    steps: usize,
    /// The outcome of every past step, modality and lane.
    outcomes: Vec<[i32; LANES]>,
    /// Soft observations by past step, all modalities one after another.
    soft: Array<Lane<T>>,
    /// The action of every past step, factor and lane.
    actions: Vec<[u32; LANES]>,
    /// Evidence of all groups, by step.
    evidence: Array<Lane<T>>,
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

impl<T: Real> WindowScratch<T> {
    pub(super) fn new(
        model: &CompiledModel<T>,
        window: Window,
        memory: &SharedResource,
    ) -> Result<Self> {
        let rows = |len| Array::zeroed(memory, len);
        let used = model.sequence.is_some();
        let steps = if used { window.observations + 1 } else { 0 };
        let (total, past) = (model.belief_len(), steps.saturating_sub(1));
        let evidence: usize = model.groups.iter().map(|group| group.joint).sum();
        let joint = |deps: &[usize]| deps.iter().map(|&f| model.states[f]).product::<usize>();
        let tables = model.transitions.iter().map(|t| t.states * joint(&t.dependencies));
        let widest = model.states.iter().copied().max().unwrap_or(0);
        let only = |len: usize| if used { len } else { 0 };
        let ln_initial = model.initial.iter().map(|&d| T::from_f64(d.to_f64().max(EPSILON).ln()));
        let ln_initial: Vec<T> = ln_initial.take(only(total)).collect();
        Ok(Self {
            steps: 0,
            outcomes: vec![[-1; LANES]; past * model.outcomes.len()],
            soft: rows(past * model.outcomes.iter().sum::<usize>())?,
            actions: vec![[0; LANES]; past * model.states.len()],
            evidence: rows(steps * evidence)?,
            q: rows(steps * total)?,
            ln_q: rows(steps * total)?,
            ln_initial: Array::copied(memory, &ln_initial)?,
            b: rows(only(tables.max().unwrap_or(0)))?,
            rest: rows(only(widest * widest))?,
            message: rows(only(widest))?,
        })
    }
}

impl<T: Real> CompiledModel<T> {
    /// Whether states are inferred from a window, so that agents keep some of their past.
    pub fn infers_windows(&self) -> bool {
        self.sequence.is_some()
    }

    /// What of its past an agent keeps over a run of `steps` steps (any number: `None`); nothing,
    /// where states are inferred from the present alone.
    ///
    /// # Errors
    ///
    /// The window is the whole run, and nobody knows how long that is.
    pub fn window(&self, steps: Option<u64>) -> Result<Window> {
        self.sequence.map_or(Ok(Window::default()), |sequence| sequence.window(steps))
    }
}

impl<T: Real> Scratch<T> {
    /// How many past steps the block's window has; then each of them is set.
    pub fn set_past(&mut self, steps: usize) {
        self.window.steps = steps;
    }

    /// The beliefs of every step of the block's window, the present last; of each step the rows of
    /// [`Scratch::beliefs`].
    pub fn window_beliefs(&self) -> &[Lane<T>] {
        &self.window.q[..(self.window.steps + 1) * self.prior.len()]
    }

    /// What an agent observed at a past step, by modality; −1 is nothing.
    pub fn past_observed(
        &mut self,
        step: usize,
        lane: usize,
        outcomes: impl IntoIterator<Item = i32>,
    ) {
        let modalities = self.observations.len();
        let rows = &mut self.window.outcomes[step * modalities..];
        for (row, outcome) in rows.iter_mut().zip(outcomes) {
            row[lane] = outcome;
        }
    }

    /// What an agent observed at a past step as distributions, all modalities one after another.
    pub fn past_observed_soft(&mut self, step: usize, lane: usize, outcomes: &[T]) {
        let rows = &mut self.window.soft[step * outcomes.len()..];
        for (row, &p) in rows.iter_mut().zip(outcomes) {
            row[lane] = p;
        }
    }

    /// The action of every factor that an agent took at a past step, the last factor's first.
    pub fn past_took_last_first(
        &mut self,
        step: usize,
        lane: usize,
        actions: impl IntoIterator<Item = u32>,
    ) {
        let factors = self.taken.len();
        let rows = &mut self.window.actions[step * factors..(step + 1) * factors];
        for (row, action) in rows.iter_mut().rev().zip(actions) {
            row[lane] = action;
        }
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
                scratch.window.q[t * total..][rows].fill(uniform);
            }
        }
        for _ in 0..model.num_iter {
            for t in 0..steps {
                hear(simd, model, scratch, t);
            }
            begin(simd, sequence.passing, scratch, steps);
            for t in 0..steps - 1 {
                for g in 0..model.states.len() {
                    pass(simd, model, sequence.passing, scratch, t, g, steps);
                }
            }
            let size = steps * total;
            let window = &mut scratch.window;
            window.q[..size].copy_from_slice(&window.ln_q[..size]);
            for q in window.q[..size].chunks_exact_mut(total) {
                for f in 0..model.states.len() {
                    softmax(simd, &mut q[model.first_row[f]..model.first_row[f + 1]]);
                }
            }
        }
        let last = (steps - 1) * total;
        scratch.rows[..total].copy_from_slice(&scratch.window.q[last..last + total]);
    }
}

/// The evidence of every step of the window, the present last.
#[inline(always)]
fn gather_window<T: Real, S: Simd>(simd: S, model: &CompiledModel<T>, scratch: &mut Scratch<T>) {
    let steps = scratch.window.steps;
    let modalities = scratch.observations.len();
    let (size, width) = (scratch.evidence.len(), scratch.soft.len());
    // The present first, whose observations then give way to the past's, and come back.
    for t in (0..=steps).rev() {
        if t < steps {
            let past = &mut scratch.window.outcomes[t * modalities..(t + 1) * modalities];
            scratch.observations.swap_with_slice(past);
            let past = &mut scratch.window.soft[t * width..(t + 1) * width];
            scratch.soft.swap_with_slice(past);
        }
        gather_groups(simd, model, scratch);
        scratch.window.evidence[t * size..(t + 1) * size].copy_from_slice(&scratch.evidence);
        if t < steps {
            let past = &mut scratch.window.outcomes[t * modalities..(t + 1) * modalities];
            scratch.observations.swap_with_slice(past);
            let past = &mut scratch.window.soft[t * width..(t + 1) * width];
            scratch.soft.swap_with_slice(past);
        }
    }
}

/// ln q_t ← ln A_t.
#[inline(always)]
fn hear<T: Real, S: Simd>(simd: S, model: &CompiledModel<T>, scratch: &mut Scratch<T>, t: usize) {
    let total = model.belief_len();
    let size = scratch.evidence.len();
    let window = &mut scratch.window;
    let q = &window.q[t * total..(t + 1) * total];
    let ln_q = &mut window.ln_q[t * total..(t + 1) * total];
    ln_q.fill(Lane([T::ZERO; LANES]));
    let mut first = t * size;
    for group in &model.groups {
        let said = &window.evidence[first..first + group.joint];
        first += group.joint;
        match group.dependencies[..] {
            [f] => add(simd, said, &mut ln_q[model.first_row[f]..]),
            _ => send(simd, model, &group.dependencies, said, q, ln_q, &mut scratch.joint),
        }
    }
}

/// The prior's message to the first step.
#[inline(always)]
fn begin<T: Real, S: Simd>(simd: S, passing: Passing, scratch: &mut Scratch<T>, steps: usize) {
    let window = &mut scratch.window;
    let weight = splat(simd, past_weight(passing, 0, steps));
    for (row, &ln) in window.ln_q.iter_mut().zip(window.ln_initial.iter()) {
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
    let window = &mut scratch.window;
    let actions =
        if t == window.steps - 1 { scratch.taken[g] } else { window.actions[t * factors + g] };
    let joint_len: usize = transition.dependencies.iter().map(|&f| model.states[f]).product();
    let b = &mut window.b[..states * joint_len];
    transition.gather(simd, &scratch.learning.expected, &actions, b);
    if passing == Passing::Variational {
        let epsilon = splat::<T, S>(simd, EPSILON);
        for row in b.iter_mut() {
            Vector::load(simd, row).max(epsilon).ln().store(row);
        }
    }
    let b = &*b;
    let (before, after) = window.q.split_at((t + 1) * total);
    let before = &before[t * total..];
    let belief = |f: usize| &before[model.first_row[f]..model.first_row[f + 1]];
    let next = &after[model.first_row[g]..model.first_row[g] + states];
    let message = &mut window.message[..states];
    match transition.dependencies[..] {
        [f] => contract_lanes(simd, b, belief(f), message),
        _ => {
            let beliefs = transition.dependencies.iter().map(|&f| belief(f));
            contract_lanes(simd, b, product(simd, beliefs, &mut scratch.joint), message);
        }
    }
    let to = &mut window.ln_q[(t + 1) * total + model.first_row[g]..][..states];
    tell(simd, passing, past_weight(passing, t + 1, steps), message, to);
    for (place, &f) in transition.dependencies.iter().enumerate() {
        let size = model.states[f];
        let rest = &mut window.rest[..states * size];
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
        let message = &mut window.message[..size];
        message.fill(Lane([T::ZERO; LANES]));
        for (row, next) in rest.chunks_exact(size).zip(next) {
            let next = Vector::load(simd, next);
            for (x, message) in row.iter().zip(message.iter_mut()) {
                next.mul_add(Vector::load(simd, x), Vector::load(simd, message)).store(message);
            }
        }
        let to = &mut window.ln_q[t * total + model.first_row[f]..][..size];
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
