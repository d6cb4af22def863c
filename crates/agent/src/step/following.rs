//! Planning every k steps: policies are weighed at every k-th step of an agent, and in between it does
//! what the policy that it chose then has next.
//!
//! A step in between weighs nothing: its posterior is certain of the policy followed, and −EFE is 0.

use populace_tensor::lanes::LANES;
use populace_tensor::simd::Real;

use super::scratch::Scratch;
use crate::CompiledModel;
use crate::compiled::following::Following;

impl<T: Real> CompiledModel<T> {
    /// How many values [`Scratch::followed`] can have; 1 where policies are weighed at every step.
    pub fn follow_codes(&self) -> u64 {
        self.following.as_ref().map_or(1, Following::codes)
    }
}

impl<T: Real> Scratch<T> {
    /// What an agent follows, to set it before its step: what [`Scratch::followed`] answered after
    /// the last one. 0, its policies are weighed.
    pub fn follow(&mut self, lane: usize, code: u32) {
        self.followed[lane] = code;
    }

    /// What an agent follows from here on, once its action is chosen.
    pub fn followed(&self, lane: usize) -> u32 {
        self.followed[lane]
    }

    /// Whether no agent of the block weighs its policies.
    pub(super) fn only_follows(&self) -> bool {
        self.agents > 0 && self.followed[..self.agents].iter().all(|&code| code != 0)
    }
}

/// The posterior of the lanes that follow a policy.
pub(super) fn commit<T: Real>(following: &Following, scratch: &mut Scratch<T>) {
    for (lane, &code) in scratch.followed.iter().enumerate().filter(|(_, code)| **code != 0) {
        for row in scratch.neg_efe.iter_mut().chain(scratch.q_pi.iter_mut()) {
            row[lane] = T::ZERO;
        }
        scratch.q_pi[following.policy(code)][lane] = T::ONE;
    }
}

/// The actions of the lanes that follow a policy, in place of those chosen, and what each lane
/// follows next; `policy` is what the others chose.
pub(super) fn proceed<T: Real>(
    following: &Following,
    policy: &[usize; LANES],
    scratch: &mut Scratch<T>,
) {
    for (lane, code) in scratch.followed.iter_mut().enumerate() {
        if *code == 0 {
            *code = following.begun(policy[lane]);
            continue;
        }
        for (f, chosen) in scratch.chosen.iter_mut().enumerate() {
            chosen[lane] = following.action(*code, f);
        }
        *code = following.after(*code);
    }
}
