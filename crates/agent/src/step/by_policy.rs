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

mod block;

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::joint::ADDED;
use super::kernels::{softmax, splat};
use super::scratch::{NONE, Scratch};
use super::window::gather_window;
use crate::compiled::by_policy::ByPolicy;
use crate::compiled::sequence::Window;
use crate::{CompiledModel, Result};
use block::Block;

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
            kept: rows(kept.saturating_mul(steps * total))?,
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
