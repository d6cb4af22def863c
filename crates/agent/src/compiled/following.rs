//! Planning every k steps, compiled: the steps of every policy, to be followed in between.
//!
//! What an agent follows is one number: 0 where it weighs its policies next, else policy · k + step,
//! 0 < step < k, the step that it takes next.

use populace_pool::SharedResource;
use populace_tensor::Array;

use crate::{Model, Result};

/// The policies, to be followed.
#[derive(Debug)]
pub(crate) struct Following {
    /// k.
    interval: usize,
    /// Steps of a policy.
    len: usize,
    factors: usize,
    /// (P, T, F).
    actions: Array<u32>,
    policies: usize,
}

impl Following {
    /// Of a model that plans every k > 1 steps.
    pub(super) fn compile(model: &Model, memory: &SharedResource) -> Result<Option<Self>> {
        let interval = model.arguments.planning_interval;
        if interval <= 1 {
            return Ok(None);
        }
        let policies = model.all_policies()?;
        Ok(Some(Self {
            interval,
            len: policies.len,
            factors: policies.factors,
            actions: Array::copied(memory, &policies.actions)?,
            policies: policies.count,
        }))
    }

    /// How many codes there are.
    pub(crate) fn codes(&self) -> u64 {
        (self.policies * self.interval) as u64
    }

    /// The policy that a code other than 0 follows.
    pub(crate) fn policy(&self, code: u32) -> usize {
        code as usize / self.interval
    }

    /// What a factor does by a code other than 0.
    pub(crate) fn action(&self, code: u32, factor: usize) -> u32 {
        let step = code as usize % self.interval;
        self.actions[(self.policy(code) * self.len + step) * self.factors + factor]
    }

    /// What is followed once `policy` was chosen and its first step taken.
    pub(crate) fn begun(&self, policy: usize) -> u32 {
        (policy * self.interval + 1) as u32
    }

    /// What is followed once the step of a code other than 0 was taken.
    pub(crate) fn after(&self, code: u32) -> u32 {
        let next = code + 1;
        if (next as usize).is_multiple_of(self.interval) { 0 } else { next }
    }
}
