//! Learning: counts grow by what was seen, and the arrays that are expected of them follow.
//!
//! ```text
//! pA_m += lr · o ⊗ q(dependencies)                    a missing observation adds nothing
//! pB_f += lr · joint(q_t, q_{t−1}(dependencies))      at the action taken at t − 1
//! pD_f += lr · q                                      at the first step (pymdp-1: ours); lr · D where
//!                                                     beliefs are a policy's own
//! pE   += lr · q_π                                    wherever policies are weighed (ours)
//! pymdp-1:  A = max(α, ε) / Σ max(α, ε)               learns from the second step on
//! pymdp-0:  A = α / Σ α                               counts grow only where A, B, pD are above 0;
//!                                                     pA from the first step on
//! ```
//!
//! Ours, off by default: `fr` multiplies the counts of an array (of B, those of the action) before an
//! update adds to them, down to ε at least, so that what was possible stays so; `keep_zeros` adds
//! nothing to a count of 0.
//!
//! An array that was never updated is the given one, whatever its counts. A lane's arithmetic does
//! not depend on its neighbours: what a lane does not learn adds 0 to its counts.

mod tables;
mod vectors;

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::door::{Number, Stage};
use super::joint::own_tables;
use super::kernels::splat;
use super::novelty::weights;
use super::scratch::{NONE, Scratch};
use tables::{learn_a, learn_b};
use vectors::{learn_d, learn_e};

use crate::compiled::learning::{Counts, FLAGS, Family, Learning, in_file_order};
use crate::compiled::plan::LearntOutcome;
use crate::{CompiledModel, Dialect, EPSILON, Result};

/// What a block has learnt; all empty where nothing is learnt.
#[derive(Debug)]
pub(crate) struct LearningScratch<T: Real> {
    /// The counts of every lane, block by block.
    pub(crate) counts: Array<Lane<T>>,
    /// The arrays expected of them.
    pub(crate) expected: Array<Lane<T>>,
    /// The outcome tables of the plan.
    pub(crate) outcomes: Array<Lane<T>>,
    /// The tables of what A gains.
    pub(crate) gains: Array<Lane<T>>,
    /// w(pB), where B is learnt and that is worth something.
    pub(crate) moves: Array<Lane<T>>,
    /// Beliefs of the step before.
    before: Array<Lane<T>>,
    /// What columns sum to.
    sums: Array<Lane<T>>,
    /// The masks of the lanes, `mask_bytes` apart.
    masks: Array<u8>,
    mask_bytes: usize,
    /// Whether policies were weighed, so that E is learnt.
    weighed: [bool; LANES],
}

impl<T: Real> LearningScratch<T> {
    pub(super) fn new(model: &CompiledModel<T>, memory: &SharedResource) -> Result<Self> {
        let learning = model.learning.as_ref();
        let size = learning.map_or(0, |learning| learning.counts.len());
        let tables =
            learning.map(|own| own.a.iter().chain(&own.b).chain(&own.d).chain(own.e.as_slice()));
        let widest = tables.and_then(|tables| tables.map(|t| t.joint.max(t.rows)).max());
        let tables = |novel: bool| -> usize {
            let own =
                model.plan.dense.iter().filter(|table| {
                    table.learnt.as_ref().is_some_and(|learnt| learnt.novel == novel)
                });
            own.map(|table| table.rows * table.states).sum()
        };
        let joint = model.joint_outcome.as_ref().filter(|joint| joint.learnt);
        let learns_b = learning.is_some_and(|learning| !learning.b.is_empty());
        let mask_bytes = model.mask_bytes();
        Ok(Self {
            counts: Array::zeroed(memory, size)?,
            expected: Array::zeroed(memory, size)?,
            gains: Array::zeroed(memory, tables(true))?,
            moves: Array::zeroed(
                memory,
                if learns_b && !model.plan.learnt.is_empty() { size } else { 0 },
            )?,
            outcomes: Array::zeroed(memory, joint.map_or(tables(false), |joint| joint.size()))?,
            before: Array::zeroed(memory, if learns_b { model.belief_len() } else { 0 })?,
            sums: Array::zeroed(memory, widest.unwrap_or(0))?,
            masks: Array::zeroed(memory, LANES * mask_bytes)?,
            mask_bytes,
            weighed: [false; LANES],
        })
    }

    pub(super) fn start(&mut self) {
        self.masks.fill(0);
    }

    fn bit(&self, lane: usize, bit: usize) -> bool {
        self.masks[lane * self.mask_bytes + bit / 8] >> (bit % 8) & 1 == 1
    }

    fn set(&mut self, lane: usize, bit: usize) {
        self.masks[lane * self.mask_bytes + bit / 8] |= 1 << (bit % 8);
    }
}

/// The counts that a step has updated of one agent, in the shapes of the model file's `pA`, `pB` and `pD`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LearntCounts {
    /// By modality; empty where A was not updated.
    pub a: Vec<Vec<f64>>,
    /// By factor; empty where B was not updated.
    pub b: Vec<Vec<f64>>,
    /// By factor; empty where D was not updated.
    pub d: Vec<Vec<f64>>,
    /// By policy; empty where E was not updated.
    pub e: Vec<f64>,
}

impl<T: Real> CompiledModel<T> {
    /// Whether a belief must keep every state: counts grow by what it leaves to the unlikeliest states
    /// too, and `pymdp-0` adds to them before it takes logarithms.
    pub fn keeps_all(&self) -> bool {
        self.learns() || self.dialect == Dialect::Pymdp0
    }

    /// Whether agents learn anything.
    pub fn learns(&self) -> bool {
        self.learning.is_some()
    }

    /// The counts that all agents share, and the blocks of them that an agent takes its own copy of.
    pub fn shared_counts(&self) -> (&[T], &[std::ops::Range<usize>]) {
        match &self.learning {
            Some(learning) => (&learning.counts, &learning.blocks),
            None => (&[], &[]),
        }
    }

    /// Bytes of the mask that says what of its own an agent has; 0 where nothing is learnt.
    pub fn mask_bytes(&self) -> usize {
        self.learning.as_ref().map_or(0, |learning| (FLAGS + learning.blocks.len()).div_ceil(8))
    }

    /// Whether a mask says that a block is the agent's own.
    pub fn owns(mask: &[u8], block: usize) -> bool {
        let bit = FLAGS + block;
        mask[bit / 8] >> (bit % 8) & 1 == 1
    }

    /// Makes the arrays of a block from its counts ([`Scratch::counts_mut`], [`Scratch::mask_mut`]):
    /// before [`CompiledModel::infer_states`], where [`CompiledModel::learns`].
    pub fn expect(&self, scratch: &mut Scratch<T>)
    where
        T: Number,
    {
        T::run(Stage::Expect, self, scratch);
    }

    /// Updates the counts of a block by its beliefs, observations and last actions (pymdp's
    /// `infer_parameters`): after [`CompiledModel::infer_policies`].
    pub fn learn(&self, scratch: &mut Scratch<T>)
    where
        T: Number,
    {
        T::run(Stage::Learn, self, scratch);
    }

    /// The counts that an agent has updated in this step, after [`CompiledModel::learn`].
    pub fn learnt(&self, scratch: &Scratch<T>, lane: usize) -> LearntCounts {
        let Some(learning) = &self.learning else { return LearntCounts::default() };
        let own = &scratch.learning;
        let family = |family: Family, counts: &[Counts]| {
            let updated = own.bit(lane, family as usize);
            let all = |counts| in_file_order(counts, |at| own.counts[at][lane].to_f64());
            if updated { counts.iter().map(all).collect() } else { Vec::new() }
        };
        LearntCounts {
            a: family(Family::A, &learning.a),
            b: family(Family::B, &learning.b),
            // D is updated once, at the first step.
            d: match scratch.taken[0][lane] {
                NONE => family(Family::D, &learning.d),
                _ => Vec::new(),
            },
            e: match learning.e {
                Some(counts) if own.weighed[lane] => {
                    in_file_order(&counts, |at| own.counts[at][lane].to_f64())
                }
                _ => Vec::new(),
            },
        }
    }
}

impl<T: Real> CompiledModel<T> {
    /// All counts of an agent, given or learnt; a family that is not learnt has none.
    pub fn counts_of(&self, scratch: &Scratch<T>, lane: usize) -> LearntCounts {
        let Some(learning) = &self.learning else { return LearntCounts::default() };
        let value = |at: usize| scratch.learning.counts[at][lane].to_f64();
        let family =
            |family: &[Counts]| family.iter().map(|counts| in_file_order(counts, value)).collect();
        LearntCounts {
            a: family(&learning.a),
            b: family(&learning.b),
            d: family(&learning.d),
            e: learning.e.map_or(Vec::new(), |counts| in_file_order(&counts, value)),
        }
    }

    /// A and B as an agent expects them ([`CompiledModel::expect`]), in the shapes of the model
    /// file's: by modality, and by factor; a family that is not learnt has none.
    pub fn expected_of(&self, scratch: &Scratch<T>, lane: usize) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let Some(learning) = &self.learning else { return Default::default() };
        let family = |family: &[Counts]| {
            let value = |at: usize| scratch.learning.expected[at][lane].to_f64();
            family.iter().map(|counts| in_file_order(counts, value)).collect()
        };
        (family(&learning.a), family(&learning.b))
    }
}

impl<T: Real> Scratch<T> {
    /// The counts of every lane, to set them.
    pub fn counts_mut(&mut self) -> &mut [Lane<T>] {
        &mut self.learning.counts
    }

    /// The counts of every lane.
    pub fn counts(&self) -> &[Lane<T>] {
        &self.learning.counts
    }

    /// The arrays that every lane expects of its counts ([`CompiledModel::expect`]), laid out as the
    /// counts are; of D there is none.
    pub fn expected(&self) -> &[Lane<T>] {
        &self.learning.expected
    }

    /// What of its own an agent has, to set it; nothing, where it has not learnt.
    pub fn mask_mut(&mut self, lane: usize) -> &mut [u8] {
        let bytes = self.learning.mask_bytes;
        &mut self.learning.masks[lane * bytes..(lane + 1) * bytes]
    }

    /// What of its own an agent has.
    pub fn mask(&self, lane: usize) -> &[u8] {
        let bytes = self.learning.mask_bytes;
        &self.learning.masks[lane * bytes..(lane + 1) * bytes]
    }
}

pub(super) struct Expect<'a, T: Real> {
    pub(super) model: &'a CompiledModel<T>,
    pub(super) learning: &'a Learning<T>,
    pub(super) scratch: &'a mut Scratch<T>,
}

impl<T: Real> Kernel for Expect<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { model, learning, scratch } = self;
        let own = &mut scratch.learning;
        let floor = match learning.dialect {
            Dialect::Pymdp1 => EPSILON,
            Dialect::Pymdp0 => 0.0,
        };
        // D is read by windows alone.
        let d: &[Counts] = if model.sequence.is_some() { &learning.d } else { &[] };
        let families = [
            (Family::A, &learning.a[..]),
            (Family::B, &learning.b),
            (Family::D, d),
            (Family::E, learning.e.as_slice()),
        ];
        for (family, all) in families {
            let fresh: [bool; LANES] = std::array::from_fn(|lane| !own.bit(lane, family as usize));
            for counts in all {
                for table in 0..counts.tables {
                    let range = counts.table(table);
                    let (rows, joint) = (counts.rows, counts.joint);
                    let given = &learning.given[range.clone()];
                    let expected = &mut own.expected[range.clone()];
                    let sums = &mut own.sums[..joint];
                    normalise(simd, floor, &own.counts[range], rows, sums, expected);
                    for (lane, _) in fresh.iter().enumerate().filter(|(_, fresh)| **fresh) {
                        for (expected, &given) in expected.iter_mut().zip(given) {
                            expected[lane] = given;
                        }
                    }
                }
            }
        }
        if !learning.b.is_empty() {
            let len = own.before.len();
            own.before.copy_from_slice(&scratch.rows[..len]);
        }
        if let Some(joint) = model.joint_outcome.as_ref().filter(|joint| joint.learnt) {
            own_tables(simd, joint, learning, &own.expected, &mut own.outcomes);
        }
        for table in &model.plan.dense {
            if let Some(learnt) = &table.learnt {
                let counts = learning.a[learnt.m];
                let (a, size) = (&own.expected[counts.range()], table.rows * table.states);
                if learnt.novel {
                    let (all, sums) = (&own.counts[counts.range()], &mut own.sums[..counts.joint]);
                    let out = &mut own.gains[learnt.first..][..size];
                    gain_table(simd, learning.dialect, learnt, a, all, sums, out);
                } else {
                    outcome_table(simd, learnt, a, &mut own.outcomes[learnt.first..][..size]);
                }
            }
        }
        if !own.moves.is_empty() {
            for counts in &learning.b {
                for table in 0..counts.tables {
                    let range = counts.table(table);
                    let (all, sums) = (&own.counts[range.clone()], &mut own.sums[..counts.joint]);
                    weights(simd, learning.dialect, all, None, sums, &mut own.moves[range]);
                }
            }
        }
    }
}

/// max(α, floor) over its sum down the rows, column by column.
#[inline(always)]
fn normalise<T: Real, S: Simd>(
    simd: S,
    floor: f64,
    counts: &[Lane<T>],
    rows: usize,
    sums: &mut [Lane<T>],
    out: &mut [Lane<T>],
) {
    let floor = splat::<T, S>(simd, floor);
    sums.fill(Lane([T::ZERO; LANES]));
    for row in counts.chunks_exact(counts.len() / rows) {
        for (count, sum) in row.iter().zip(sums.iter_mut()) {
            (Vector::load(simd, sum) + Vector::load(simd, count).max(floor)).store(sum);
        }
    }
    let joint = sums.len();
    for (row, out) in counts.chunks_exact(joint).zip(out.chunks_exact_mut(joint)) {
        for ((count, sum), out) in row.iter().zip(sums.iter()).zip(out) {
            (Vector::load(simd, count).max(floor) / Vector::load(simd, sum)).store(out);
        }
    }
}

/// A before w(pA), its joint states where the plan wants them.
#[inline(always)]
fn gain_table<T: Real, S: Simd>(
    simd: S,
    dialect: Dialect,
    learnt: &LearntOutcome<T>,
    a: &[Lane<T>],
    counts: &[Lane<T>],
    sums: &mut [Lane<T>],
    out: &mut [Lane<T>],
) {
    let joint = learnt.place.len();
    let (outcomes, gains) = out.split_at_mut(a.len());
    for (a, out) in a.chunks_exact(joint).zip(outcomes.chunks_exact_mut(joint)) {
        for (a, &place) in a.iter().zip(learnt.place.iter()) {
            out[place as usize] = *a;
        }
    }
    weights(simd, dialect, counts, Some(&learnt.place), sums, gains);
}

/// l before the outcomes of A, its joint states where the plan wants them:
/// l\[s\] = Σ_o A\[o, s\]·(C\[o\] + ln max(A\[o, s\], ε)).
#[inline(always)]
fn outcome_table<T: Real, S: Simd>(
    simd: S,
    learnt: &LearntOutcome<T>,
    a: &[Lane<T>],
    out: &mut [Lane<T>],
) {
    let joint = learnt.place.len();
    let epsilon = splat::<T, S>(simd, EPSILON);
    let (linear, outcomes) = out.split_at_mut(joint);
    linear.fill(Lane([T::ZERO; LANES]));
    for (o, a) in a.chunks_exact(joint).enumerate() {
        let preference = Vector::splat(simd, learnt.preferences[o]);
        for (a, &place) in a.iter().zip(learnt.place.iter()) {
            let place = place as usize;
            let p = Vector::load(simd, a);
            let mut worth = preference;
            if learnt.gain {
                outcomes[o * joint + place] = *a;
                worth = worth + p.max(epsilon).ln();
            }
            p.mul_add(worth, Vector::load(simd, &linear[place])).store(&mut linear[place]);
        }
    }
}

pub(super) struct Learn<'a, T: Real> {
    pub(super) model: &'a CompiledModel<T>,
    pub(super) learning: &'a Learning<T>,
    pub(super) scratch: &'a mut Scratch<T>,
}

impl<T: Real> Kernel for Learn<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { model, learning, scratch } = self;
        let acted: [bool; LANES] = std::array::from_fn(|lane| scratch.taken[0][lane] != NONE);
        let always = learning.dialect == Dialect::Pymdp0;
        for m in 0..learning.a.len() {
            learn_a(simd, model, learning, scratch, m, acted.map(|acted| acted || always));
        }
        for f in 0..learning.b.len() {
            learn_b(simd, model, learning, scratch, f);
        }
        for f in 0..learning.d.len() {
            learn_d(model, learning, scratch, f, acted.map(|acted| !acted));
        }
        if let Some(counts) = learning.e {
            learn_e(learning, counts, scratch);
        }
    }
}

/// The rows of a factor's belief among those of all factors.
#[inline(always)]
fn belief<'a, T: Real>(model: &CompiledModel<T>, rows: &'a [Lane<T>], f: usize) -> &'a [Lane<T>] {
    &rows[model.first_row[f]..model.first_row[f + 1]]
}
