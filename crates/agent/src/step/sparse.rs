//! One step of agents whose beliefs have small support, agent by agent.
//!
//! The same mathematics as the dense step, over lists of (state, probability). Only what is worth a
//! vector is gathered over the block: the logarithms of outcomes, and everything from the scores on.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::bound::{Bounds, Spread};
use super::door::{Number, Stage};
use super::kernels::x_ln_x;
use super::plan::{Words, combine, weigh};
use super::scratch::{NONE, Scratch};
use crate::compiled::outcome::SparseOutcome;
use crate::compiled::program::Operation;
use crate::compiled::support::Support;
use crate::{CompiledModel, EPSILON, Result};

/// The sparse beliefs of a block, and what their step works with.
#[derive(Debug)]
pub struct SparseScratch<T: Real> {
    /// Beliefs by lane, `stride` apart: those of the step before, then those after it.
    beliefs: Lists<T>,
    /// Beliefs of the plan, at their rows.
    nodes: Lists<T>,
    /// The belief being computed: where each state stands in it, plus 1; 0 is not there.
    slots: Array<u32>,
    /// Outcomes being added up; 0 between outcomes.
    sums: Array<T>,
    /// Outcomes that are not 0.
    touched: Array<u32>,
    /// Numbers of which f(x) is wanted, for many outcome values at once.
    pending: Array<T>,
    jobs: Array<u64>,
    bases: Array<T>,
    pending_len: usize,
    jobs_len: usize,
    room: Lists<T>,
    /// What policies are worth to an agent that is certain of its state, (states, policies): the
    /// same to all of them, so it is kept once it is known. NaN until then; empty if it were large.
    certain: Array<T>,
}

/// Lists of (state, probability).
#[derive(Debug)]
struct Lists<T> {
    states: Array<u32>,
    values: Array<T>,
    lens: Array<u32>,
    stride: usize,
}

impl<T: Real> Lists<T> {
    fn new(memory: &SharedResource, count: usize, stride: usize) -> Result<Self> {
        Ok(Self {
            states: Array::zeroed(memory, count * stride)?,
            values: Array::zeroed(memory, count * stride)?,
            lens: Array::zeroed(memory, count)?,
            stride,
        })
    }

    #[inline(always)]
    fn get(&self, list: usize) -> (&[u32], &[T]) {
        let range = list * self.stride..list * self.stride + self.lens[list] as usize;
        (&self.states[range.clone()], &self.values[range])
    }

    #[inline(always)]
    fn whole_mut(&mut self, list: usize) -> (&mut [u32], &mut [T], &mut u32) {
        let range = list * self.stride..(list + 1) * self.stride;
        (&mut self.states[range.clone()], &mut self.values[range], &mut self.lens[list])
    }
}

/// The most numbers of `certain`: a mebibyte in single precision.
const MOST_CERTAIN: usize = 1 << 18;

/// How many numbers are gathered before their logarithms are taken.
const PENDING: usize = 4096;

impl<T: Real> CompiledModel<T> {
    pub(super) fn sparse_scratch(
        &self,
        memory: &SharedResource,
    ) -> Result<Option<SparseScratch<T>>> {
        let Some(support) = &self.support else { return Ok(None) };
        let outcomes = self.plan.sparse.iter().map(|table| table.background.len()).max();
        let outcomes = outcomes.unwrap_or(0);
        let pending = (outcomes + PENDING).next_multiple_of(LANES);
        let certain = support.states.saturating_mul(self.plan.scores.len());
        let certain = if certain <= MOST_CERTAIN { certain } else { 0 };
        let mut certain = Array::zeroed(memory, certain)?;
        certain.fill(T::from_f64(f64::NAN));
        // Plan rows of scores and values need no list; a belief's list stands at its first row.
        Ok(Some(SparseScratch {
            beliefs: Lists::new(memory, LANES, support.states)?,
            nodes: Lists {
                states: Array::zeroed(memory, self.plan.rows)?,
                values: Array::zeroed(memory, self.plan.rows)?,
                lens: Array::zeroed(memory, self.plan.rows)?,
                stride: 1,
            },
            slots: Array::zeroed(memory, support.states)?,
            sums: Array::zeroed(memory, outcomes)?,
            touched: Array::zeroed(memory, outcomes)?,
            pending: Array::zeroed(memory, pending)?,
            jobs: Array::zeroed(memory, PENDING)?,
            bases: Array::zeroed(memory, PENDING)?,
            pending_len: 0,
            jobs_len: 0,
            room: Lists::new(memory, 1, support.states)?,
            certain,
        }))
    }

    /// Steps a block of sparse beliefs up to its posterior over policies: [`SparseScratch::belief`]
    /// before and after, then as [`CompiledModel::infer_states`] and
    /// [`CompiledModel::infer_policies`]. Lanes from `agents` on are left alone.
    ///
    /// # Panics
    ///
    /// If the model has no sparse step ([`CompiledModel::steps_sparse`]).
    pub fn infer_sparse(&self, scratch: &mut Scratch<T>, agents: usize)
    where
        T: Number,
    {
        assert!(self.support.is_some(), "the model has no sparse step");
        T::run(Stage::InferSparse { agents }, self, scratch);
    }

    /// A sparse belief drops probabilities up to this.
    pub fn sparse_threshold(&self) -> T {
        self.threshold
    }

    /// The most states that a belief can have after `steps` steps (any number, or some in which nothing
    /// is observed: `None`); all of them for a model that has no sparse step.
    pub fn support_bound(&self, steps: Option<u64>) -> usize {
        self.support.as_ref().map_or(self.belief_len(), |support| support.bound(steps))
    }
}

impl<T: Real> SparseScratch<T> {
    /// The belief of a lane: its states and their probabilities.
    #[inline]
    pub fn belief(&self, lane: usize) -> (&[u32], &[T]) {
        self.beliefs.get(lane)
    }

    /// What policies are worth to a lane that is certain of its state, or room for it; the first is
    /// NaN while it is not known.
    #[inline(always)]
    fn certain(&mut self, lane: usize) -> Option<&mut [T]> {
        let &[state] = self.beliefs.get(lane).0 else { return None };
        let policies = self.certain.len() / self.slots.len();
        let worth = &mut self.certain[state as usize * policies..][..policies];
        (!worth.is_empty()).then_some(worth)
    }

    /// Room for the belief of a lane, and its length to set.
    #[inline]
    pub fn belief_mut(&mut self, lane: usize) -> (&mut [u32], &mut [T], &mut u32) {
        self.beliefs.whole_mut(lane)
    }
}

pub(super) struct InferSparse<'a, T: Real> {
    pub(super) model: &'a CompiledModel<T>,
    pub(super) support: &'a Support<T>,
    pub(super) scratch: &'a mut Scratch<T>,
    pub(super) agents: usize,
}

impl<T: Real> Kernel for InferSparse<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { model, support, scratch, agents } = self;
        let Scratch { sparse: Some(sparse), rows, observations, taken, bounds, .. } = scratch
        else {
            panic!("the scratch is another model's");
        };
        let agents = agents.min(LANES);
        for lane in 0..agents {
            sparse.predict(support, lane, taken[0][lane]);
            sparse.observe(model, support, lane, |m| observations[m][lane], bounds.as_mut());
            if sparse.certain(lane).is_some_and(|worth| !worth[0].to_f64().is_nan()) {
                continue;
            }
            let mut words = Words { words: &model.plan.words };
            while let Some(operation) = words.operation() {
                sparse.execute(simd, model, support, lane, operation, &mut words, rows);
            }
        }
        sparse.settle(simd, rows);
        let mut words = Words { words: &model.plan.words };
        while let Some(operation) = words.operation() {
            match operation {
                Operation::Belief | Operation::Family | Operation::Sparse => {
                    skip(operation, &mut words);
                }
                _ => combine(simd, model, rows, operation, &mut words),
            }
        }
        for lane in 0..agents {
            let Some(worth) = sparse.certain(lane) else { continue };
            let known = !worth[0].to_f64().is_nan();
            for (worth, &row) in worth.iter_mut().zip(model.plan.scores.iter()) {
                let score = &mut rows[row as usize][lane];
                if known { *score = *worth } else { *worth = *score }
            }
        }
        weigh(simd, model, scratch);
    }
}

/// Passes over an operation of a model of one factor.
#[inline(always)]
fn skip(operation: Operation, words: &mut Words<'_>) {
    let arguments = match operation {
        Operation::Belief | Operation::Sparse => 4,
        Operation::Family => 3,
        _ => unreachable!("a model with a sparse step has no {operation:?}"),
    };
    words.list(arguments);
}

impl<T: Real> SparseScratch<T> {
    /// The prior of a lane, in `room`; its states are in `slots`.
    #[inline(always)]
    fn predict(&mut self, support: &Support<T>, lane: usize, action: u32) {
        let (states, values, len) = self.room.whole_mut(0);
        if action == NONE {
            let count = support.initial_states.len();
            states[..count].copy_from_slice(&support.initial_states);
            values[..count].copy_from_slice(&support.initial_values);
            *len = count as u32;
            for (k, &s) in states[..count].iter().enumerate() {
                self.slots[s as usize] = k as u32 + 1;
            }
            return;
        }
        let belief = self.beliefs.get(lane);
        let count = follow(support, action as usize, belief, &mut self.slots, states, values);
        *len = count as u32;
    }

    /// The posterior of a lane, from `room` to its belief; `slots` are 0 again.
    #[inline(always)]
    fn observe(
        &mut self,
        model: &CompiledModel<T>,
        support: &Support<T>,
        lane: usize,
        observed: impl Fn(usize) -> i32,
        mut bounds: Option<&mut Bounds<T>>,
    ) {
        let (states, values, len) = self.room.whole_mut(0);
        let epsilon = T::from_f64(EPSILON);
        let mut count = *len as usize;
        for value in &mut values[..count] {
            *value = if *value > epsilon { *value } else { epsilon };
        }
        if let Some(bounds) = &mut bounds {
            bounds.prior[..count].copy_from_slice(&values[..count]);
        }
        let held = count;
        // What a state outside the list weighs.
        let mut outside = epsilon;
        let mut blind = true;
        for (m, evidence) in model.evidence.iter().enumerate() {
            let crate::compiled::likelihood::EvidenceTable::Structured(rows) = &evidence.table
            else {
                unreachable!("a sparse step needs structured evidence");
            };
            if m > 0 {
                let most = values[..count].iter().fold(outside, |a, &b| if b > a { b } else { a });
                let scale = T::ONE / most;
                values[..count].iter_mut().for_each(|value| *value = *value * scale);
                outside = outside * scale;
            }
            let o = observed(m);
            if o < 0 {
                continue;
            }
            blind = false;
            for (s, ratio) in rows.row(o as usize) {
                let slot = &mut self.slots[s];
                if *slot == 0 {
                    states[count] = s as u32;
                    values[count] = outside * ratio;
                    count += 1;
                    *slot = count as u32;
                } else {
                    let value = &mut values[*slot as usize - 1];
                    *value = *value * ratio;
                }
            }
        }
        let mut missing = T::from_f64((self.slots.len() - count) as f64);
        let mut sum = missing * outside;
        for &value in &values[..count] {
            sum += value;
        }
        let scale = T::ONE / sum;
        if support.keeps_outside((outside * scale).to_f64(), blind) {
            for (s, _) in self.slots.iter().enumerate().filter(|(_, slot)| **slot == 0) {
                states[count] = s as u32;
                values[count] = outside;
                count += 1;
            }
            missing = T::ZERO;
        }
        if let Some(bounds) = bounds {
            bounds.prior[held..count].fill(epsilon);
            carry(bounds, lane, &values[..count], held, scale, (missing, outside), model.threshold);
        }
        let (kept_states, kept_values, kept) = self.beliefs.whole_mut(lane);
        let mut k = 0;
        for (&s, &value) in states[..count].iter().zip(&values[..count]) {
            self.slots[s as usize] = 0;
            let q = value * scale;
            if q > model.threshold {
                kept_states[k] = s;
                kept_values[k] = q;
                k += 1;
            }
        }
        if k == 1 {
            // What is missing to 1 is what was dropped, and rounding.
            kept_values[0] = T::ONE;
        }
        *kept = k as u32;
    }

    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // the parts of one interpreter step
    fn execute<S: Simd>(
        &mut self,
        simd: S,
        model: &CompiledModel<T>,
        support: &Support<T>,
        lane: usize,
        operation: Operation,
        words: &mut Words<'_>,
        rows: &mut [Lane<T>],
    ) {
        match operation {
            Operation::Belief => {
                let [_, action, out, from] = words.take();
                self.advance(support, lane, action, from, out);
            }
            // The values of a family are taken one by one: of a list, few rows are touched.
            Operation::Family => {
                words.list(3);
            }
            Operation::Sparse => {
                let [table, out, _, belief] = words.take();
                self.outcomes(&model.plan.sparse[table], lane, belief, out);
                if self.pending_len >= PENDING || self.jobs_len == PENDING {
                    self.settle(simd, rows);
                }
            }
            Operation::Score | Operation::LogSumExp | Operation::Max => {
                let [count, _] = words.take();
                words.list(count);
            }
            Operation::Weight => {
                let [count, ..] = words.take::<4>();
                words.list(count);
            }
            _ => unreachable!("a model with a sparse step has no {operation:?}"),
        }
    }

    /// A belief of the plan: `from` moved by `action`.
    #[inline(always)]
    fn advance(
        &mut self,
        support: &Support<T>,
        lane: usize,
        action: usize,
        from: usize,
        out: usize,
    ) {
        let (to_states, to_values, _) = self.room.whole_mut(0);
        let belief = list(&self.beliefs, &self.nodes, lane, from);
        let count = follow(support, action, belief, &mut self.slots, to_states, to_values);
        for &s in &to_states[..count] {
            self.slots[s as usize] = 0;
        }
        self.nodes.states[out..out + count].copy_from_slice(&to_states[..count]);
        self.nodes.values[out..out + count].copy_from_slice(&to_values[..count]);
        self.nodes.lens[out] = count as u32;
    }

    /// Queues an outcome value: its linear part now, its logarithms with many others'.
    #[inline(always)]
    fn outcomes(&mut self, table: &SparseOutcome<T>, lane: usize, belief: usize, out: usize) {
        let (states, probabilities) = list(&self.beliefs, &self.nodes, lane, belief);
        let mut base = T::ZERO - table.all;
        if let (&[s], &[q], true) = (states, probabilities, table.columns.one_each()) {
            // The commonest case by far once an agent knows where it is.
            let s = s as usize;
            let row = table.columns.columns()[s] as usize;
            let x = table.background[row] + table.columns.values()[s] * q;
            self.pending[self.pending_len] = x;
            base += table.linear[s] * q;
            self.queue(1, out, lane, base + table.background_f[row]);
            return;
        }
        let mut count = 0;
        for (&s, &q) in states.iter().zip(probabilities) {
            base += table.linear[s as usize] * q;
            for (row, value) in table.columns.row(s as usize) {
                let sum = &mut self.sums[row];
                if *sum == T::ZERO {
                    self.touched[count] = row as u32;
                    count += 1;
                }
                *sum += value * q;
            }
        }
        let pending = &mut self.pending[self.pending_len..self.pending_len + count];
        for (x, &row) in pending.iter_mut().zip(&self.touched[..count]) {
            let row = row as usize;
            *x = table.background[row] + self.sums[row];
            base += table.background_f[row];
            self.sums[row] = T::ZERO;
        }
        self.queue(count, out, lane, base);
    }

    /// Queues the last `count` pending numbers as a job.
    #[inline(always)]
    fn queue(&mut self, count: usize, out: usize, lane: usize, base: T) {
        self.pending_len += count;
        self.jobs[self.jobs_len] = ((out * LANES + lane) as u64) << 32 | count as u64;
        self.bases[self.jobs_len] = base;
        self.jobs_len += 1;
    }

    /// Takes the queued logarithms and puts the outcome values into their rows.
    #[inline(always)]
    fn settle<S: Simd>(&mut self, simd: S, rows: &mut [Lane<T>]) {
        let end = self.pending_len.next_multiple_of(LANES);
        self.pending[self.pending_len..end].fill(T::ONE);
        for x in self.pending[..end].chunks_exact_mut(LANES) {
            x_ln_x(Vector::load_slice(simd, x)).store_slice(x);
        }
        let mut start = 0;
        for (&job, &base) in self.jobs[..self.jobs_len].iter().zip(self.bases.iter()) {
            let (place, count) = ((job >> 32) as usize, (job & 0xffff_ffff) as usize);
            let mut sum = T::ZERO;
            for &f in &self.pending[start..start + count] {
                sum += f;
            }
            start += count;
            rows[place / LANES][place % LANES] = base - sum;
        }
        self.pending_len = 0;
        self.jobs_len = 0;
    }
}

/// Carries the bound of a lane: `values` are its unscaled posterior, of which the prior held the first
/// `held`; besides there are `missing` states of `outside` each.
#[inline(always)]
fn carry<T: Real>(
    bounds: &mut Bounds<T>,
    lane: usize,
    values: &[T],
    held: usize,
    scale: T,
    (missing, outside): (T, T),
    threshold: T,
) {
    let bound = bounds.lanes[lane];
    let scale = scale.to_f64();
    let mut spread = Spread::default();
    let mut dropped = 0.0;
    for (k, (&prior, &value)) in bounds.prior.iter().zip(values).enumerate() {
        let posterior = value.to_f64() * scale;
        spread.take(prior.to_f64(), posterior, k < held, bound);
        if posterior <= threshold.to_f64() {
            dropped += posterior;
        }
    }
    if missing > T::ZERO {
        let posterior = outside.to_f64() * scale;
        // Twice: should one be the likeliest, another is besides it.
        spread.take(EPSILON, posterior, false, bound);
        spread.take(EPSILON, posterior, false, bound);
        dropped += missing.to_f64() * posterior;
    }
    bounds.carry(lane, spread, dropped, false);
}

/// Moves a belief by an action into a list of at most all states, each once; answers its length.
/// `slots` then tell where a state stands in the list, plus 1.
#[inline(always)]
fn follow<T: Real>(
    support: &Support<T>,
    action: usize,
    (from, probabilities): (&[u32], &[T]),
    slots: &mut [u32],
    states: &mut [u32],
    values: &mut [T],
) -> usize {
    let first = action * support.states;
    let mut count = 0;
    let mut add = |next: usize, p: T| {
        let slot = &mut slots[next];
        if *slot == 0 {
            states[count] = next as u32;
            values[count] = p;
            count += 1;
            *slot = count as u32;
        } else {
            values[*slot as usize - 1] += p;
        }
    };
    if support.certain {
        let next = &support.columns.columns()[first..first + support.states];
        for (&s, &q) in from.iter().zip(probabilities) {
            add(next[s as usize] as usize, q);
        }
    } else {
        for (&s, &q) in from.iter().zip(probabilities) {
            for (next, p) in support.columns.row(first + s as usize) {
                add(next, p * q);
            }
        }
    }
    count
}

/// A belief of the plan; the root stands at row 0.
#[inline(always)]
fn list<'a, T: Real>(
    beliefs: &'a Lists<T>,
    nodes: &'a Lists<T>,
    lane: usize,
    row: usize,
) -> (&'a [u32], &'a [T]) {
    if row == 0 {
        return beliefs.get(lane);
    }
    let end = row + nodes.lens[row] as usize;
    (&nodes.states[row..end], &nodes.values[row..end])
}
