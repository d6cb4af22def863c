//! States of the dialect `pymdp-0` from a window (its `MMP`): marginal messages, once a policy.
//!
//! A window has the steps observed, the present last of them, and the L steps of a policy π; u are the
//! actions between: those taken, then π's. From uniform beliefs, `num_iter` times, steps in order and
//! within a step factors in order, each from the newest beliefs (ln x means ln(x + 1e-16)):
//!
//! ```text
//! ln A   ln E_{other factors' q_t}[Π_m A_m[o_m]]     at steps observed, else 0
//! past   ln(B[u_{t−1}] q_{t−1});  ln prior at t = 0
//! future ln(B̃[u_t] q_{t+1}), B̃[s, s'] = (B[s', s] + 1e-16) / Σ_s (B[s', s] + 1e-16);  0 at the last two steps
//! err    c·ln A + past + future − c·ln q_t,          c = 1 at the last two steps, else 2
//! q_t    ← softmax(ln q_t + ¼·err)
//! F_π    Σ q_t·½·(err − (F − 1)/F·ln A),             of the last time, q_t before its update; (F − 1)/F
//!                                                    (F factors) is 0 at the first and the last step
//! −EFE   worth of the last L + 1 beliefs, the present included; what B gains, of π's L steps
//! q_π    softmax(gamma·(−EFE) − F_π + ln E)
//! ```
//!
//! The reference centres err before it takes the step, which softmax undoes. Its window of one step takes
//! the run's first actions for u instead of π's, as many as there are: after L steps all policies have
//! the same beliefs. Policies whose windows have equal actions are computed once, where one follows the
//! other.
//!
//! Beliefs are averaged over policies by q_π, on the way: weights are relative to the largest so far. The
//! mean at the present is the agent's belief (which A and B learn from; the reference cannot learn them
//! here), and the mean at the first step is the prior of the next window, once windows are whole.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::joint::{ADDED, ln, worth};
use super::kernels::{contract, contract_lanes, dot, softmax, splat};
use super::learn::LearningScratch;
use super::scratch::{NONE, Scratch};
use super::states::product;
use super::window::gather_window;
use crate::compiled::by_policy::ByPolicy;
use crate::compiled::sequence::Window;
use crate::{CompiledModel, Result};

/// The size of a step.
const TAU: f64 = 0.25;

/// Beliefs by policy, and what they are computed in; all empty where there is one belief for all.
#[derive(Debug)]
pub(crate) struct PolicyScratch<T: Real> {
    /// Beliefs by step of the window, of the policy in work.
    q: Array<Lane<T>>,
    /// F, by policy.
    free_energy: Array<Lane<T>>,
    /// The means of beliefs over policies: at the first step of the window, and at the present.
    means: Array<Lane<T>>,
    /// 1/Σ_s (B\[s', s, u\] + 1e-16), by factor, action and s'.
    arrivals: Array<Lane<T>>,
    /// ln A, past and future of one factor, and what these are computed in.
    messages: Array<Lane<T>>,
    /// The longest message.
    widest: usize,
    /// q_o, and what A gains, of one modality.
    gained: Array<Lane<T>>,
    /// The known actions of the window, by step and factor.
    actions: Vec<[u32; LANES]>,
    /// Beliefs by policy and step, where they are kept.
    kept: Array<Lane<T>>,
    /// Steps of the window.
    steps: usize,
}

impl<T: Real> PolicyScratch<T> {
    pub(super) fn new(
        model: &CompiledModel<T>,
        window: Window,
        memory: &SharedResource,
    ) -> Result<Self> {
        let rows = |len| Array::zeroed(memory, len);
        let (total, factors) = (model.belief_len(), model.states.len());
        let (count, ahead, kept) = match &model.by_policy {
            Some(it) => (it.count, it.len, if it.keeps { it.count } else { 0 }),
            None => (0, 0, 0),
        };
        let steps = if count > 0 { window.observations + 1 + ahead } else { 0 };
        let only = |len: usize| if count > 0 { len } else { 0 };
        let widest = model.states.iter().copied().max().unwrap_or(0);
        let gained = model.plan.dense.iter().map(|table| table.rows).max().unwrap_or(0);
        let arrivals = model.by_policy.as_ref().and_then(|it| it.first_arrival.last().copied());
        Ok(Self {
            q: rows(steps * total)?,
            free_energy: rows(count)?,
            means: rows(only(2 * total))?,
            arrivals: rows(arrivals.unwrap_or(0))?,
            messages: rows(only(4 * widest))?,
            widest,
            gained: rows(only(gained))?,
            actions: vec![[0; LANES]; steps.saturating_sub(1) * factors],
            kept: rows(kept * steps * total)?,
            steps: 0,
        })
    }
}

impl<T: Real> CompiledModel<T> {
    /// Whether beliefs are a policy's own (`mmp` of `pymdp-0`): then they and the policies are weighed
    /// with the observations at hand, not by a belief alone.
    pub fn infers_by_policy(&self) -> bool {
        self.by_policy.is_some()
    }

    /// Whether agents keep the prior of their windows: [`Scratch::prior`] after a step, to be set
    /// before the next.
    pub fn keeps_prior(&self) -> bool {
        self.sequence.is_some_and(|sequence| sequence.keeps_prior())
    }
}

impl<T: Real> Scratch<T> {
    /// Variational free energies, a policy each; none where there is one belief for all policies.
    pub fn free_energy(&self) -> &[Lane<T>] {
        &self.policies.free_energy
    }

    /// Steps of the windows that policies have beliefs over; 0 where there is one belief for all.
    pub fn policy_steps(&self) -> usize {
        self.policies.steps
    }

    /// The beliefs of all factors of a policy at a step of its window, in rows as
    /// [`Scratch::beliefs`]; none where they are not kept (only
    /// [`Answers::Policies`](crate::Answers::Policies) does).
    pub fn policy_beliefs(&self, policy: usize, step: usize) -> &[Lane<T>] {
        let total = self.prior.len();
        let start = (policy * self.policies.steps + step) * total;
        self.policies.kept.get(start..start + total).unwrap_or_default()
    }
}

pub(super) struct InferByPolicy<'a, T: Real> {
    pub(super) model: &'a CompiledModel<T>,
    pub(super) by_policy: &'a ByPolicy,
    pub(super) scratch: &'a mut Scratch<T>,
}

impl<T: Real> Kernel for InferByPolicy<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { model, by_policy, scratch } = self;
        gather_window(simd, model, scratch);
        start_from(model, scratch);
        let known = know(by_policy, scratch);
        find_arrivals(simd, model, by_policy, scratch);
        let present = scratch.window.steps;
        let (total, steps) = (model.belief_len(), present + 1 + by_policy.len);
        scratch.policies.steps = steps;
        scratch.policies.means.fill(Lane([T::ZERO; LANES]));
        let mut block = Block {
            model,
            by_policy,
            learning: &scratch.learning,
            likelihood: &scratch.window.evidence,
            joint_len: scratch.evidence.len(),
            prior: &scratch.prior,
            work: &mut scratch.policies,
            joint: &mut scratch.joint,
            present,
            known,
            steps,
        };
        let gamma = Vector::splat(simd, model.gamma);
        let zero = splat::<T, S>(simd, 0.0);
        let (mut energy, mut value) = (zero, zero);
        let (mut most, mut weights) = (zero, zero);
        for policy in 0..by_policy.count {
            if !by_policy.repeats(policy, steps - 1 - known) {
                energy = block.infer(simd, policy);
                value = block.worth(simd, &mut scratch.worth);
            }
            let value = value - block.gain_about_b(simd, policy);
            energy.store(&mut block.work.free_energy[policy]);
            value.store(&mut scratch.neg_efe[policy]);
            let habit = Vector::splat(simd, model.plan.ln_habit[policy]);
            let score = gamma.mul_add(value, habit) - energy;
            score.store(&mut scratch.q_pi[policy]);
            let larger = if policy == 0 { score } else { most.max(score) };
            let old = if policy == 0 { zero } else { (most - larger).exp() };
            let new = (score - larger).exp();
            block.average(simd, old, new);
            most = larger;
            weights = weights * old + new;
            if by_policy.keeps {
                let size = steps * total;
                let kept = &mut block.work.kept[policy * size..(policy + 1) * size];
                kept.copy_from_slice(&block.work.q[..size]);
            }
        }
        let share = splat::<T, S>(simd, 1.0) / weights;
        let (first, now) = scratch.policies.means.split_at(total);
        for (mean, q) in now.iter().zip(scratch.rows.iter_mut()) {
            (Vector::load(simd, mean) * share).store(q);
        }
        if present + 1 == by_policy.horizon {
            for (mean, prior) in first.iter().zip(scratch.prior.iter_mut()) {
                (Vector::load(simd, mean) * share).store(prior);
            }
        }
    }
}

/// The posterior over policies, from the scores that inference left there.
#[inline(always)]
pub(super) fn weigh<T: Real, S: Simd>(simd: S, scratch: &mut Scratch<T>) {
    softmax(simd, &mut scratch.q_pi);
}

/// The priors of the windows: D for lanes that have not acted; else what they kept, which is their last
/// belief where windows have one step.
#[inline(always)]
fn start_from<T: Real>(model: &CompiledModel<T>, scratch: &mut Scratch<T>) {
    let born = scratch.taken[0].map(|action| action != NONE);
    let kept = model.keeps_prior();
    let last = scratch.rows.iter().zip(model.initial.iter());
    for (prior, (q, &d)) in scratch.prior.iter_mut().zip(last) {
        for lane in 0..LANES {
            if !born[lane] {
                prior[lane] = d;
            } else if !kept {
                prior[lane] = q[lane];
            }
        }
    }
}

/// Notes the actions of the window that were taken; answers how many steps of it these are.
#[inline(always)]
fn know<T: Real>(by_policy: &ByPolicy, scratch: &mut Scratch<T>) -> usize {
    let Scratch { window, policies, taken, .. } = scratch;
    let factors = taken.len();
    let past = window.acted * factors;
    policies.actions[..past].copy_from_slice(&window.actions[..past]);
    let most = if by_policy.horizon == 1 { by_policy.len } else { window.steps };
    // The first lane is always an agent, and all lanes have as much past.
    if taken[0][0] == NONE || window.acted >= most {
        return window.acted;
    }
    policies.actions[past..past + factors].copy_from_slice(taken);
    window.acted + 1
}

/// 1/Σ_s (B\[s', s, u\] + 1e-16), of every lane's own B where it is learnt.
#[inline(always)]
fn find_arrivals<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    by_policy: &ByPolicy,
    scratch: &mut Scratch<T>,
) {
    let PolicyScratch { arrivals, messages, .. } = &mut scratch.policies;
    let one = splat::<T, S>(simd, 1.0);
    for (f, transition) in model.transitions.iter().enumerate() {
        let states = transition.states;
        let ones = &mut messages[..states];
        ones.fill(Lane([T::ONE; LANES]));
        let added = splat::<T, S>(simd, ADDED * states as f64);
        let arrivals = &mut arrivals[by_policy.first_arrival[f]..by_policy.first_arrival[f + 1]];
        for (action, arrivals) in arrivals.chunks_exact_mut(states).enumerate() {
            transition.apply(simd, &scratch.learning.expected, action, ones, arrivals);
            for row in arrivals {
                (one / (Vector::load(simd, row) + added)).store(row);
            }
        }
    }
}

/// A block in the middle of its inference.
struct Block<'a, T: Real> {
    model: &'a CompiledModel<T>,
    by_policy: &'a ByPolicy,
    learning: &'a LearningScratch<T>,
    /// Π_m A_m\[o_m\] over the joint states, by step.
    likelihood: &'a [Lane<T>],
    /// How many joint states there are.
    joint_len: usize,
    prior: &'a [Lane<T>],
    work: &'a mut PolicyScratch<T>,
    /// Room for joint beliefs.
    joint: &'a mut [Lane<T>],
    /// The step of the window that is the present.
    present: usize,
    /// Steps of the window whose action was taken.
    known: usize,
    /// Steps of the window.
    steps: usize,
}

impl<T: Real> Block<'_, T> {
    /// The beliefs of a policy, in `work.q`; answers its free energy.
    #[inline(always)]
    fn infer<S: Simd>(&mut self, simd: S, policy: usize) -> Vector<T, S> {
        let (model, total) = (self.model, self.model.belief_len());
        for q in self.work.q[..self.steps * total].chunks_exact_mut(total) {
            for (f, &states) in model.states.iter().enumerate() {
                let uniform = Lane([T::from_f64(1.0 / states as f64); LANES]);
                q[model.first_row[f]..model.first_row[f + 1]].fill(uniform);
            }
        }
        let mut energy = splat::<T, S>(simd, 0.0);
        for _ in 0..model.num_iter {
            energy = splat::<T, S>(simd, 0.0);
            for t in 0..self.steps {
                for f in 0..model.states.len() {
                    energy = energy + self.update(simd, policy, t, f);
                }
            }
        }
        energy
    }

    /// Updates the belief about factor f at step t; answers its part of F.
    #[inline(always)]
    fn update<S: Simd>(&mut self, simd: S, policy: usize, t: usize, f: usize) -> Vector<T, S> {
        let (states, factors) = (self.model.states[f], self.model.states.len() as f64);
        let ahead = t + 2 >= self.steps;
        if t <= self.present {
            self.hear(simd, t, f);
        }
        if t == 0 {
            let rows = self.model.first_row[f]..self.model.first_row[f + 1];
            let past = self.work.widest..self.work.widest + states;
            self.work.messages[past].copy_from_slice(&self.prior[rows]);
        } else {
            self.come_from(simd, policy, t, f);
        }
        if !ahead {
            self.lead_to(simd, policy, t, f);
        }
        let PolicyScratch { q, messages, widest, .. } = &mut *self.work;
        let (heard, rest) = messages.split_at(*widest);
        let (past, future) = rest.split_at(*widest);
        let coefficient = splat::<T, S>(simd, if ahead { 1.0 } else { 2.0 });
        let inner = t > 0 && t + 1 < self.steps;
        let shared = splat::<T, S>(simd, if inner { (factors - 1.0) / factors } else { 0.0 });
        let (half, tau) = (splat::<T, S>(simd, 0.5), splat::<T, S>(simd, TAU));
        let mut energy = splat::<T, S>(simd, 0.0);
        let start = t * self.model.belief_len() + self.model.first_row[f];
        let q = &mut q[start..start + states];
        for (s, q) in q.iter_mut().enumerate() {
            let was = Vector::load(simd, q);
            let ln_q = ln(was);
            let mut ln_a = splat::<T, S>(simd, 0.0);
            if t <= self.present {
                ln_a = ln(Vector::load(simd, &heard[s]));
            }
            let mut error = coefficient.mul_add(ln_a - ln_q, ln(Vector::load(simd, &past[s])));
            if !ahead {
                error = error + ln(Vector::load(simd, &future[s]));
            }
            energy = (half * was).mul_add(error - shared * ln_a, energy);
            tau.mul_add(error, ln_q).store(q);
        }
        softmax(simd, q);
        energy
    }

    /// E of the likelihood at step t under the other factors' beliefs, in the first message.
    #[inline(always)]
    fn hear<S: Simd>(&mut self, simd: S, t: usize, f: usize) {
        let (model, total) = (self.model, self.model.belief_len());
        let mut left = self.joint_len;
        let likelihood = &self.likelihood[t * left..(t + 1) * left];
        let q = &self.work.q[t * total..(t + 1) * total];
        let belief = |f: usize| &q[model.first_row[f]..model.first_row[f + 1]];
        let (mut from, room) = self.joint.split_at_mut(left);
        let (mut to, room) = room.split_at_mut(left);
        // The factors behind, the last first: each sum runs over the fastest axis.
        let mut contracted = false;
        for g in (f + 1..model.states.len()).rev() {
            let x = if contracted { &from[..left] } else { likelihood };
            left /= model.states[g];
            contract_lanes(simd, x, belief(g), &mut to[..left]);
            std::mem::swap(&mut from, &mut to);
            contracted = true;
        }
        let x = if contracted { &from[..left] } else { likelihood };
        let heard = &mut self.work.messages[..model.states[f]];
        if f == 0 {
            heard.copy_from_slice(x);
            return;
        }
        let weights = product(simd, (0..f).map(belief), room);
        heard.fill(Lane([T::ZERO; LANES]));
        for (x, weight) in x.chunks_exact(heard.len()).zip(weights) {
            let weight = Vector::load(simd, weight);
            for (x, heard) in x.iter().zip(heard.iter_mut()) {
                weight.mul_add(Vector::load(simd, x), Vector::load(simd, heard)).store(heard);
            }
        }
    }

    /// B q of the step before t, in the second message.
    #[inline(always)]
    fn come_from<S: Simd>(&mut self, simd: S, policy: usize, t: usize, f: usize) {
        let (model, total) = (self.model, self.model.belief_len());
        let taken = self.actions(policy, t - 1, f);
        let transition = &model.transitions[f];
        let states = transition.states;
        let start = (t - 1) * total + model.first_row[f];
        let PolicyScratch { q, messages, widest, .. } = &mut *self.work;
        let q = &q[start..start + states];
        let (out, moved) = messages[*widest..].split_at_mut(*widest);
        let (out, moved) = (&mut out[..states], &mut moved[..states]);
        let learnt = &self.learning.expected[..];
        if alike(&taken) {
            return transition.apply(simd, learnt, taken[0] as usize, q, out);
        }
        out.fill(Lane([T::ZERO; LANES]));
        for (lane, &action) in taken.iter().enumerate() {
            if action == NONE || taken[..lane].contains(&action) {
                continue;
            }
            // Every lane is moved by every action present, and takes the one that is its own.
            transition.apply(simd, learnt, action as usize, q, moved);
            let own = own::<T, S>(simd, &taken, action);
            for (out, moved) in out.iter_mut().zip(moved.iter()) {
                own.mul_add(Vector::load(simd, moved), Vector::load(simd, out)).store(out);
            }
        }
    }

    /// B̃ q of the step after t, in the third message: with r = q / Σ_s (B + 1e-16) by s', Bᵀ r + 1e-16·Σ r.
    #[inline(always)]
    fn lead_to<S: Simd>(&mut self, simd: S, policy: usize, t: usize, f: usize) {
        let (model, total) = (self.model, self.model.belief_len());
        let taken = self.actions(policy, t, f);
        let transition = &model.transitions[f];
        let states = transition.states;
        let start = (t + 1) * total + model.first_row[f];
        let PolicyScratch { q, messages, widest, arrivals, .. } = &mut *self.work;
        let q = &q[start..start + states];
        let (out, share) = messages[2 * *widest..].split_at_mut(*widest);
        let (out, share) = (&mut out[..states], &mut share[..states]);
        let arrivals = &arrivals[self.by_policy.first_arrival[f]..];
        let learnt = &self.learning.expected[..];
        out.fill(Lane([T::ZERO; LANES]));
        let mut sum = splat::<T, S>(simd, 0.0);
        let same = alike(&taken);
        for (lane, &action) in taken.iter().enumerate() {
            if action == NONE || taken[..lane].contains(&action) {
                continue;
            }
            let own = match same {
                true => splat::<T, S>(simd, 1.0),
                false => own::<T, S>(simd, &taken, action),
            };
            let arrivals = &arrivals[action as usize * states..];
            for ((share, q), arrivals) in share.iter_mut().zip(q).zip(arrivals) {
                let q = own * Vector::load(simd, q) * Vector::load(simd, arrivals);
                sum = sum + q;
                q.store(share);
            }
            transition.apply_back(simd, learnt, action as usize, share, out);
        }
        let added = sum * splat(simd, ADDED);
        for out in out {
            (Vector::load(simd, out) + added).store(out);
        }
    }

    /// Every lane's action of a factor from step t on to the next.
    #[inline(always)]
    fn actions(&self, policy: usize, t: usize, f: usize) -> [u32; LANES] {
        match t.checked_sub(self.known) {
            None => self.work.actions[t * self.model.states.len() + f],
            Some(step) => [self.by_policy.action(policy, step, f); LANES],
        }
    }

    /// −EFE of the policy in work, but for what B gains.
    #[inline(always)]
    fn worth<S: Simd>(&mut self, simd: S, room: &mut [Lane<T>]) -> Vector<T, S> {
        let (model, total) = (self.model, self.model.belief_len());
        let mut value = splat::<T, S>(simd, 0.0);
        let Some(outcome) = &model.joint_outcome else { return value };
        let PolicyScratch { q, gained, .. } = &mut *self.work;
        let path = &q[self.present * total..self.steps * total];
        for (time, q) in path.chunks_exact(total).enumerate() {
            let beliefs = model.first_row.windows(2).map(|rows| &q[rows[0]..rows[1]]);
            let joint = product(simd, beliefs, self.joint);
            value = value + worth(simd, outcome, &self.learning.outcomes, time, joint, room);
            // q_o and w(pA) q, of every modality that gains.
            for table in &model.plan.dense {
                let gained = &mut gained[..table.rows * table.states / self.joint_len];
                match &table.learnt {
                    None => contract(simd, &table.values, joint, gained),
                    Some(learnt) => {
                        let own = &self.learning.gains[learnt.first..];
                        contract_lanes(simd, own, joint, gained);
                    }
                }
                let (seen, weighed) = gained.split_at(gained.len() / 2);
                value = value - dot(simd, seen, weighed);
            }
        }
        value
    }

    /// Σ_f q'_f·(w(pB_f, u) q_f) over the steps of a policy, of its beliefs in work: minus what B gains.
    #[inline(always)]
    fn gain_about_b<S: Simd>(&mut self, simd: S, policy: usize) -> Vector<T, S> {
        let (model, total) = (self.model, self.model.belief_len());
        let mut sum = splat::<T, S>(simd, 0.0);
        for (f, table) in model.plan.learnt.iter().enumerate() {
            let transition = &model.transitions[f];
            let (states, rows) = (transition.states, model.first_row[f]..model.first_row[f + 1]);
            let size = states * states;
            for step in 0..self.by_policy.len {
                let action = self.by_policy.action(policy, step, f) as usize;
                let PolicyScratch { q, messages, .. } = &mut *self.work;
                let path = &q[(self.present + step) * total..];
                let (before, after) = (&path[rows.clone()], &path[total..][rows.clone()]);
                let weighed = &mut messages[..states];
                match transition.learnt() {
                    None => contract(simd, &table[action * size..][..size], before, weighed),
                    Some(first) => {
                        let own = &self.learning.moves[first + action * size..][..size];
                        contract_lanes(simd, own, before, weighed);
                    }
                }
                sum = sum + dot(simd, after, weighed);
            }
        }
        sum
    }

    /// Adds the beliefs of the policy in work, of weight `new`, to the means; what is there weighs `old`.
    #[inline(always)]
    fn average<S: Simd>(&mut self, simd: S, old: Vector<T, S>, new: Vector<T, S>) {
        let total = self.model.belief_len();
        let PolicyScratch { q, means, .. } = &mut *self.work;
        for (means, t) in means.chunks_exact_mut(total).zip([0, self.present]) {
            for (mean, q) in means.iter_mut().zip(&q[t * total..(t + 1) * total]) {
                let mean_was = Vector::load(simd, mean) * old;
                new.mul_add(Vector::load(simd, q), mean_was).store(mean);
            }
        }
    }
}

/// Whether all lanes took the same action.
#[inline(always)]
fn alike(taken: &[u32; LANES]) -> bool {
    taken[0] != NONE && taken.iter().all(|&action| action == taken[0])
}

/// 1 in the lanes that took an action, else 0.
#[inline(always)]
fn own<T: Real, S: Simd>(simd: S, taken: &[u32; LANES], action: u32) -> Vector<T, S> {
    let mut own = Lane([T::ZERO; LANES]);
    for (own, &taken) in own.0.iter_mut().zip(taken) {
        if taken == action {
            *own = T::ONE;
        }
    }
    Vector::load(simd, &own)
}
