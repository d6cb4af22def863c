//! pymdp-0's MMP, compiled: agents whose beliefs are a policy's own (`step/by_policy.rs` has the
//! equations).
//!
//! There is no program to plan by: what a policy is worth follows from its own beliefs. Of the plan it
//! takes the habit, the first actions, and as dense tables what A gains, modality by modality.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::Real;

use super::plan::Answers;
use super::sequence::{Passing, Sequence};
use super::transition::Transition;
use crate::{Model, Result};

/// What message passing needs of a model, policy by policy.
#[derive(Debug)]
pub(crate) struct ByPolicy {
    /// The actions of all policies, (P, L, F).
    actions: Array<u32>,
    /// P.
    pub(crate) count: usize,
    /// L, the steps of a policy.
    pub(crate) len: usize,
    factors: usize,
    /// Observations of a whole window, the present included; a shorter one still starts with the run.
    pub(crate) horizon: usize,
    /// Where 1/Σ_s B\[s', s, u\] of each factor starts, by action and s'; one more than there are factors.
    pub(crate) first_arrival: Vec<usize>,
    /// Whether the beliefs of all policies are there to be read after a step.
    pub(crate) keeps: bool,
}

impl ByPolicy {
    /// None of a model that infers its states otherwise.
    pub(super) fn compile<T: Real>(
        model: &Model,
        sequence: Option<Sequence>,
        transitions: &[Transition<T>],
        answers: Answers,
        memory: &SharedResource,
    ) -> Result<Option<Self>> {
        if sequence.is_none_or(|sequence| sequence.passing != Passing::ByPolicy) {
            return Ok(None);
        }
        let policies = model.all_policies()?;
        let mut first_arrival = vec![0];
        first_arrival.extend(transitions.iter().scan(0, |numbers, transition| {
            *numbers += transition.actions * transition.states;
            Some(*numbers)
        }));
        Ok(Some(Self {
            actions: Array::copied(memory, &policies.actions)?,
            count: policies.count,
            len: policies.len,
            factors: policies.factors,
            horizon: model.arguments.inference_horizon.unwrap_or(1),
            first_arrival,
            keeps: answers == Answers::Policies,
        }))
    }

    /// The action of a factor at a step of a policy.
    #[inline(always)]
    pub(crate) fn action(&self, policy: usize, step: usize, factor: usize) -> u32 {
        self.actions[(policy * self.len + step) * self.factors + factor]
    }

    /// Whether a policy begins with the same `steps` steps as the one before it.
    pub(crate) fn repeats(&self, policy: usize, steps: usize) -> bool {
        let first = |policy: usize| &self.actions[policy * self.len * self.factors..];
        let len = steps * self.factors;
        policy > 0 && first(policy - 1)[..len] == first(policy)[..len]
    }
}
