//! Which states: the prior from the last belief and action, then the posterior from observations.
//!
//! One factor: q ∝ max(prior, ε) · Π_m r_m, exact in one pass. Several (pymdp's `fpi`): from uniform
//! q, exactly `num_iter` parallel updates
//!
//! ```text
//! ln q_f ← ln max(prior_f, ε) + Σ_{groups g ∋ f} E_{q of g's other factors}[L_g]
//! ```
//!
//! with L_g the log-evidence of all modalities that depend on the same factors.

use populace_tensor::lanes::{LANES, Lane, interleave_with, outer};
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::door::{Number, Stage};
use super::kernels::{add, ln_clipped, max, normalise, scale, softmax, splat};
use super::scratch::{NONE, Scratch};
use super::{exact_joint, vanilla};
use crate::compiled::likelihood::{Evidence, EvidenceTable};
use crate::compiled::transition::Transition;
use crate::{CompiledModel, Dialect, EPSILON};

impl<T: Number> CompiledModel<T> {
    /// Infers the states of a block: its beliefs, from the last step's beliefs and actions and the
    /// observations (pymdp's `infer_states`, with `update_empirical_prior` before it).
    pub fn infer_states(&self, scratch: &mut Scratch<T>) {
        if self.sequence.is_some() {
            T::run(Stage::InferSequence, self, scratch);
        } else {
            self.predict(scratch);
            self.infer_from_prior(scratch);
            if scratch.bounds.is_some() {
                T::run(Stage::CarryBounds, self, scratch);
            }
        }
    }

    /// The priors of a block from its last beliefs and actions, D for lanes that have not acted
    /// (pymdp's `update_empirical_prior`): [`Scratch::prior`].
    pub fn predict(&self, scratch: &mut Scratch<T>) {
        T::run(Stage::Predict, self, scratch);
    }

    /// Infers the states of a block from its priors and the observations (pymdp's `infer_states`).
    pub fn infer_from_prior(&self, scratch: &mut Scratch<T>) {
        T::run(Stage::InferStates, self, scratch);
    }
}

pub(super) struct Predict<'a, T: Real> {
    pub(super) model: &'a CompiledModel<T>,
    pub(super) scratch: &'a mut Scratch<T>,
}

impl<T: Real> Kernel for Predict<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for f in 0..self.model.states.len() {
            predict(simd, self.model, self.scratch, f);
        }
    }
}

pub(super) struct InferStates<'a, T: Real> {
    pub(super) model: &'a CompiledModel<T>,
    pub(super) scratch: &'a mut Scratch<T>,
}

impl<T: Real> Kernel for InferStates<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { model, scratch } = self;
        if model.dialect == Dialect::Pymdp0 {
            vanilla::infer(simd, model, scratch);
        } else {
            posterior(simd, model, scratch);
        }
    }
}

/// The posterior from the prior and the observations, in place of the beliefs.
#[inline(always)]
fn posterior<T: Real, S: Simd>(simd: S, model: &CompiledModel<T>, scratch: &mut Scratch<T>) {
    // What says logarithms of its evidence goes the way of several factors.
    if model.states.len() == 1 && model.sequence.is_none() {
        return one_factor(simd, model, scratch);
    }
    gather_groups(simd, model, scratch);
    ln_clipped(simd, &scratch.prior, &mut scratch.constant);
    match &model.exact_joint {
        Some(exact) => exact_joint::infer(simd, model, exact, scratch),
        None => fixed_point(simd, model, scratch),
    }
}

/// The prior of factor f: B under the action that each lane took, D where it took none.
#[inline(always)]
fn predict<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    scratch: &mut Scratch<T>,
    f: usize,
) {
    let transition = &model.transitions[f];
    let rows = scratch.rows_of(f);
    let taken = scratch.taken[f];
    let prior = &mut scratch.prior[rows.clone()];
    let (joint, moved) = joint_belief(simd, model, transition, &scratch.rows, &mut scratch.joint);
    if taken.iter().all(|&action| action == taken[0]) && taken[0] != NONE {
        transition.apply(simd, &scratch.learning.expected, taken[0] as usize, joint, prior);
        return;
    }
    let weight = |action: u32| {
        let is = |lane: usize| if taken[lane] == action { T::ONE } else { T::ZERO };
        Vector::load(simd, &Lane(std::array::from_fn(is)))
    };
    let born = weight(NONE);
    for (prior, &d) in prior.iter_mut().zip(&model.initial[rows]) {
        (born * Vector::splat(simd, d)).store(prior);
    }
    for (lane, &action) in taken.iter().enumerate() {
        if action == NONE || taken[..lane].contains(&action) {
            continue;
        }
        // Every lane is moved by every action present, and takes the one that is its own.
        transition.apply(simd, &scratch.learning.expected, action as usize, joint, moved);
        let own = weight(action);
        for (prior, moved) in prior.iter_mut().zip(moved.iter()) {
            own.mul_add(Vector::load(simd, moved), Vector::load(simd, prior)).store(prior);
        }
    }
}

/// The joint belief over a transition's dependencies, and room for the moved belief.
#[inline(always)]
pub(super) fn joint_belief<'a, T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    transition: &Transition<T>,
    beliefs: &'a [Lane<T>],
    room: &'a mut [Lane<T>],
) -> (&'a [Lane<T>], &'a mut [Lane<T>]) {
    let belief = |f: usize| &beliefs[model.first_row[f]..model.first_row[f + 1]];
    let (moved, room) = room.split_at_mut(transition.states);
    let joint = match transition.dependencies[..] {
        [f] => belief(f),
        _ => product(simd, transition.dependencies.iter().map(|&f| belief(f)), room),
    };
    (joint, moved)
}

/// The outer product of beliefs, the last running fastest, in one half of `room`: the products on
/// the way stand in its two halves by turns.
#[inline(always)]
pub(super) fn product<'b, 'r, T: Real, S: Simd>(
    simd: S,
    beliefs: impl Iterator<Item = &'b [Lane<T>]>,
    room: &'r mut [Lane<T>],
) -> &'r [Lane<T>] {
    let (mut to, mut from) = room.split_at_mut(room.len() / 2);
    let mut len = 1;
    to[0] = Lane([T::ONE; LANES]);
    for belief in beliefs {
        std::mem::swap(&mut to, &mut from);
        outer(simd, &from[..len], belief, &mut to[..len * belief.len()]);
        len *= belief.len();
    }
    &to[..len]
}

/// The posterior of the only factor, in place of its belief.
#[inline(always)]
fn one_factor<T: Real, S: Simd>(simd: S, model: &CompiledModel<T>, scratch: &mut Scratch<T>) {
    let soft = scratch.is_soft();
    let q = &mut scratch.rows[..scratch.prior.len()];
    let epsilon = splat::<T, S>(simd, EPSILON);
    for (q, prior) in q.iter_mut().zip(scratch.prior.iter()) {
        Vector::load(simd, prior).max(epsilon).store(q);
    }
    let mut outcomes = 0;
    for (m, evidence) in model.evidence.iter().enumerate() {
        if m > 0 {
            // Weights are in [ε, 1/ε]: two of them multiply safely in f32, three may not.
            let most = max(simd, q);
            scale(simd, splat::<T, S>(simd, 1.0) / most, q);
        }
        let said = &mut scratch.evidence[..q.len()];
        if soft {
            let o = &scratch.soft[outcomes..outcomes + evidence.outcomes];
            weigh_soft(simd, evidence, &scratch.learning.expected, o, said);
            multiply(simd, said, q);
        } else {
            match &evidence.table {
                EvidenceTable::Structured(rows) => {
                    for (lane, &o) in scratch.observations[m].iter().enumerate() {
                        if o >= 0 {
                            for (s, ratio) in rows.row(o as usize) {
                                q[s][lane] = q[s][lane] * ratio;
                            }
                        }
                    }
                }
                EvidenceTable::Dense(table) => {
                    gather(simd, evidence, table, &scratch.observations[m], said);
                    multiply(simd, said, q);
                }
                EvidenceTable::Learnt { first } => {
                    let a = &scratch.learning.expected[*first..];
                    gather_learnt(simd, EPSILON, a, &scratch.observations[m], said);
                    multiply(simd, said, q);
                }
            }
        }
        outcomes += evidence.outcomes;
    }
    normalise(simd, q);
}

#[inline(always)]
fn multiply<T: Real, S: Simd>(simd: S, by: &[Lane<T>], q: &mut [Lane<T>]) {
    for (q, by) in q.iter_mut().zip(by) {
        (Vector::load(simd, q) * Vector::load(simd, by)).store(q);
    }
}

/// exp Σ_o o[o] · ln A[o, s], from weights.
#[inline(always)]
fn weigh_soft<T: Real, S: Simd>(
    simd: S,
    evidence: &Evidence<T>,
    learnt: &[Lane<T>],
    o: &[Lane<T>],
    out: &mut [Lane<T>],
) {
    out.fill(Lane([T::ZERO; LANES]));
    if let EvidenceTable::Learnt { first } = evidence.table {
        learnt_soft(simd, &learnt[first..], o, out);
    }
    for_weights(evidence, |outcome, s, weight| {
        let ln = Vector::splat(simd, weight).ln();
        let sum = ln.mul_add(Vector::load(simd, &o[outcome]), Vector::load(simd, &out[s]));
        sum.store(&mut out[s]);
    });
    for row in out {
        Vector::load(simd, row).exp().store(row);
    }
}

/// Σ_o o[o] · ln A[o, s], from logarithms.
#[inline(always)]
fn log_soft<T: Real, S: Simd>(
    simd: S,
    evidence: &Evidence<T>,
    learnt: &[Lane<T>],
    o: &[Lane<T>],
    out: &mut [Lane<T>],
) {
    if let EvidenceTable::Learnt { first } = evidence.table {
        return learnt_soft(simd, &learnt[first..], o, out);
    }
    for_weights(evidence, |outcome, s, ln| {
        let ln = Vector::splat(simd, ln);
        let sum = ln.mul_add(Vector::load(simd, &o[outcome]), Vector::load(simd, &out[s]));
        sum.store(&mut out[s]);
    });
}

#[inline(always)]
fn for_weights<T: Real>(evidence: &Evidence<T>, mut visit: impl FnMut(usize, usize, T)) {
    for outcome in 0..evidence.outcomes {
        match &evidence.table {
            EvidenceTable::Structured(rows) => {
                rows.row(outcome).for_each(|(s, weight)| visit(outcome, s, weight));
            }
            EvidenceTable::Dense(table) => {
                let row = &table[outcome * evidence.joint..][..evidence.joint];
                row.iter().enumerate().for_each(|(s, &weight)| visit(outcome, s, weight));
            }
            EvidenceTable::Learnt { .. } => {}
        }
    }
}

/// out\[s\] = table\[o of the lane, s\], missing observations the last row.
#[inline(always)]
fn gather<T: Real, S: Simd>(
    simd: S,
    evidence: &Evidence<T>,
    table: &[T],
    observed: &[i32; LANES],
    out: &mut [Lane<T>],
) {
    let joint = evidence.joint;
    let row = |lane: usize| {
        let o = observed[lane];
        let o = if o < 0 { evidence.outcomes } else { o as usize };
        &table[o * joint..][..joint]
    };
    let rows: [&[T]; LANES] = std::array::from_fn(row);
    interleave_with(simd, &rows, out);
}

/// out\[s\] = max(A\[o of the lane, s\], floor) of every lane's own A, 1 for missing observations.
#[inline(always)]
fn gather_learnt<T: Real, S: Simd>(
    simd: S,
    floor: f64,
    a: &[Lane<T>],
    observed: &[i32; LANES],
    out: &mut [Lane<T>],
) {
    let joint = out.len();
    out.fill(Lane([T::ONE; LANES]));
    for (lane, &o) in observed.iter().enumerate() {
        if o >= 0 {
            let rows = &a[o as usize * joint..][..joint];
            for (out, row) in out.iter_mut().zip(rows) {
                out[lane] = row[lane];
            }
        }
    }
    let floor = splat::<T, S>(simd, floor);
    for row in out {
        Vector::load(simd, row).max(floor).store(row);
    }
}

/// out\[s\] += Σ_o o\[o\] · ln max(A\[o, s\], ε) of every lane's own A.
#[inline(always)]
fn learnt_soft<T: Real, S: Simd>(simd: S, a: &[Lane<T>], o: &[Lane<T>], out: &mut [Lane<T>]) {
    let epsilon = splat::<T, S>(simd, EPSILON);
    for (o, a) in o.iter().zip(a.chunks_exact(out.len())) {
        let o = Vector::load(simd, o);
        for (a, out) in a.iter().zip(out.iter_mut()) {
            let ln = Vector::load(simd, a).max(epsilon).ln();
            ln.mul_add(o, Vector::load(simd, out)).store(out);
        }
    }
}

/// The posteriors of several factors, in place of their beliefs, from ln max(prior, ε) and the evidence
/// of all groups.
#[inline(always)]
fn fixed_point<T: Real, S: Simd>(simd: S, model: &CompiledModel<T>, scratch: &mut Scratch<T>) {
    let total = scratch.prior.len();
    let mut first = 0;
    for group in &model.groups {
        if let [f] = group.dependencies[..] {
            let said = &scratch.evidence[first..first + group.joint];
            add(simd, said, &mut scratch.constant[model.first_row[f]..]);
        }
        first += group.joint;
    }
    for f in 0..model.states.len() {
        let uniform = Lane([T::from_f64(1.0 / model.states[f] as f64); LANES]);
        scratch.rows[model.first_row[f]..model.first_row[f + 1]].fill(uniform);
    }
    for _ in 0..model.num_iter {
        scratch.messages.copy_from_slice(&scratch.constant);
        let mut first = 0;
        for group in &model.groups {
            let said = &scratch.evidence[first..first + group.joint];
            first += group.joint;
            if group.dependencies.len() > 1 {
                let q = &scratch.rows[..total];
                send(
                    simd,
                    model.factors(),
                    &group.dependencies,
                    said,
                    q,
                    &mut scratch.messages,
                    &mut scratch.joint,
                );
            }
        }
        scratch.rows[..total].copy_from_slice(&scratch.messages);
        for f in 0..model.states.len() {
            softmax(simd, &mut scratch.rows[model.first_row[f]..model.first_row[f + 1]]);
        }
    }
}

/// Π_m A_m\[o_m\] over the joint states of all factors, in the evidence of the only group.
#[inline(always)]
pub(super) fn gather_likelihood<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    scratch: &mut Scratch<T>,
) {
    let joint = scratch.evidence.len();
    scratch.evidence.fill(Lane([T::ONE; LANES]));
    for (m, evidence) in model.evidence.iter().enumerate() {
        let gathered = &mut scratch.joint[..joint];
        let observed = &scratch.observations[m];
        match &evidence.table {
            EvidenceTable::Dense(table) => gather(simd, evidence, table, observed, gathered),
            EvidenceTable::Learnt { first } => {
                gather_learnt(simd, 0.0, &scratch.learning.expected[*first..], observed, gathered);
            }
            EvidenceTable::Structured(_) => continue,
        }
        multiply(simd, gathered, &mut scratch.evidence);
    }
}

/// L_g of every group.
#[inline(always)]
pub(super) fn gather_groups<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    scratch: &mut Scratch<T>,
) {
    let soft = scratch.is_soft();
    let mut first = 0;
    for group in &model.groups {
        let said = &mut scratch.evidence[first..first + group.joint];
        first += group.joint;
        said.fill(Lane([T::ZERO; LANES]));
        for &m in &group.modalities {
            let evidence = &model.evidence[m];
            if soft {
                let before: usize = model.outcomes[..m].iter().sum();
                let o = &scratch.soft[before..before + evidence.outcomes];
                log_soft(simd, evidence, &scratch.learning.expected, o, said);
                continue;
            }
            match &evidence.table {
                EvidenceTable::Structured(rows) => {
                    for (lane, &o) in scratch.observations[m].iter().enumerate() {
                        if o >= 0 {
                            for (s, ln) in rows.row(o as usize) {
                                said[s][lane] += ln;
                            }
                        }
                    }
                }
                EvidenceTable::Dense(table) => {
                    let gathered = &mut scratch.joint[..group.joint];
                    gather(simd, evidence, table, &scratch.observations[m], gathered);
                    add(simd, gathered, said);
                }
                EvidenceTable::Learnt { first } => {
                    let gathered = &mut scratch.joint[..group.joint];
                    let a = &scratch.learning.expected[*first..];
                    gather_learnt(simd, EPSILON, a, &scratch.observations[m], gathered);
                    for row in gathered.iter_mut() {
                        Vector::load(simd, row).ln().store(row);
                    }
                    add(simd, gathered, said);
                }
            }
        }
    }
}

/// Adds to every factor's message the expectation of `said` under the other factors' beliefs.
///
/// From the last factor k to the first: its message weighs X by the product w of the factors before
/// it, and X is contracted with q_k for the rest. So a group of n joint states costs about 2n
/// multiply-adds, not n a factor.
#[inline(always)]
pub(super) fn send<T: Real, S: Simd>(
    simd: S,
    factors: Factors<'_>,
    dependencies: &[usize],
    said: &[Lane<T>],
    q: &[Lane<T>],
    messages: &mut [Lane<T>],
    room: &mut [Lane<T>],
) {
    simd.call(Send { factors, dependencies, said, q, messages, room });
}

/// How many states each factor has, and where they stand among those of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factors<'a> {
    pub(super) states: &'a [usize],
    pub(super) first_row: &'a [usize],
}

impl<T: Real> CompiledModel<T> {
    pub(super) fn factors(&self) -> Factors<'_> {
        Factors { states: &self.states, first_row: &self.first_row }
    }
}

struct Send<'a, T: Real> {
    factors: Factors<'a>,
    dependencies: &'a [usize],
    said: &'a [Lane<T>],
    q: &'a [Lane<T>],
    messages: &'a mut [Lane<T>],
    room: &'a mut [Lane<T>],
}

impl<T: Real> Kernel for Send<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { factors, dependencies, said, q, messages, room } = self;
        let belief = |f: usize| factors.first_row[f]..factors.first_row[f + 1];
        // The products w, one after another, and the contraction from which and into which.
        let (weights, room) = room.split_at_mut(dependencies.len() * said.len());
        let (mut from, mut to) = room.split_at_mut(said.len());
        let mut left = said.len();
        let mut products = 0;
        let mut len = factors.states[dependencies[0]];
        weights[..len].copy_from_slice(&q[belief(dependencies[0])]);
        for &f in &dependencies[1..dependencies.len() - 1] {
            let (before, after) = weights.split_at_mut(products + len);
            let next = len * factors.states[f];
            outer(simd, &before[products..], &q[belief(f)], &mut after[..next]);
            products += len;
            len = next;
        }
        for (k, &f) in dependencies.iter().enumerate().skip(1).rev() {
            let states = factors.states[f];
            let x = if k + 1 == dependencies.len() { said } else { &from[..left] };
            left /= states;
            let w = &weights[products..products + left];
            weigh(simd, x, w, &q[belief(f)], &mut messages[belief(f)], &mut to[..left]);
            std::mem::swap(&mut from, &mut to);
            if k > 1 {
                products -= left / factors.states[dependencies[k - 1]];
            }
        }
        add(simd, &from[..left], &mut messages[belief(dependencies[0])]);
    }
}

/// message\[s\] += Σ_i w\[i\] · x\[i, s\] and rest\[i\] = Σ_s x\[i, s\] · q\[s\], in one pass over x.
#[inline(always)]
fn weigh<T: Real, S: Simd>(
    simd: S,
    x: &[Lane<T>],
    w: &[Lane<T>],
    q: &[Lane<T>],
    message: &mut [Lane<T>],
    rest: &mut [Lane<T>],
) {
    for ((x, w), rest) in x.chunks_exact(q.len()).zip(w).zip(rest) {
        let w = Vector::load(simd, w);
        let mut sum = splat::<T, S>(simd, 0.0);
        for ((x, q), message) in x.iter().zip(q).zip(message.iter_mut()) {
            let x = Vector::load(simd, x);
            sum = x.mul_add(Vector::load(simd, q), sum);
            x.mul_add(w, Vector::load(simd, message)).store(message);
        }
        sum.store(rest);
    }
}
