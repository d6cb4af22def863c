//! The beliefs of one policy: messages, updates, and what the policy is worth by them.

use populace_tensor::lanes::{LANES, Lane, contract, contract_lanes, dot};
use populace_tensor::simd::{Real, Simd, Vector};

use super::PolicyScratch;
use crate::CompiledModel;
use crate::compiled::by_policy::ByPolicy;
use crate::step::joint::{ADDED, ln, worth};
use crate::step::kernels::{softmax, splat};
use crate::step::learn::LearningScratch;
use crate::step::scratch::NONE;
use crate::step::states::product;

/// The size of a step.
const TAU: f64 = 0.25;

/// A block in the middle of its inference.
pub(super) struct Block<'a, T: Real> {
    pub(super) model: &'a CompiledModel<T>,
    pub(super) by_policy: &'a ByPolicy,
    pub(super) learning: &'a LearningScratch<T>,
    /// Π_m A_m\[o_m\] over the joint states, by step.
    pub(super) likelihood: &'a [Lane<T>],
    /// How many joint states there are.
    pub(super) joint_len: usize,
    pub(super) prior: &'a [Lane<T>],
    pub(super) work: &'a mut PolicyScratch<T>,
    /// Room for joint beliefs.
    pub(super) joint: &'a mut [Lane<T>],
    /// The step of the window that is the present.
    pub(super) present: usize,
    /// Steps of the window whose action was taken.
    pub(super) known: usize,
    /// Steps of the window.
    pub(super) steps: usize,
}

impl<T: Real> Block<'_, T> {
    /// The beliefs of a policy, in `work.q`; answers its free energy.
    #[inline(always)]
    pub(super) fn infer<S: Simd>(&mut self, simd: S, policy: usize) -> Vector<T, S> {
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
    pub(super) fn worth<S: Simd>(&mut self, simd: S, room: &mut [Lane<T>]) -> Vector<T, S> {
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
    pub(super) fn gain_about_b<S: Simd>(&mut self, simd: S, policy: usize) -> Vector<T, S> {
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
    pub(super) fn average<S: Simd>(&mut self, simd: S, old: Vector<T, S>, new: Vector<T, S>) {
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
