//! States and policies of one agent from a window, a belief a policy (pymdp 0.0.7's `MMP`).

use super::block::Block;
use super::rows::{Seen, agents, check_actions, get, same, set};
use crate::errors::{Failure, Result};

/// What one agent infers.
pub(super) struct ByPolicy {
    /// By policy.
    pub(super) q_pi: Vec<f64>,
    pub(super) neg_efe: Vec<f64>,
    pub(super) free_energy: Vec<f64>,
    /// By policy, step of the window and factor: (P, W·ΣS).
    pub(super) qs: Vec<f64>,
    /// What the next window starts from, once windows are whole.
    pub(super) prior: Vec<f64>,
}

/// The actions that an agent has taken.
#[derive(Clone, Copy)]
pub(super) struct Taken<'a> {
    /// Those between the steps of its window, without the last one, (n, F).
    pub(super) past: &'a [i32],
    /// The last one, (F); −1, where it has not acted.
    pub(super) last: &'a [i32],
}

impl Block {
    /// From the prior of the window (ΣS), its observations (steps, M) and actions.
    pub(super) fn infer_by_policy(
        &mut self,
        prior: &[f64],
        steps: usize,
        seen: &[i32],
        taken: Taken<'_>,
    ) -> Result<ByPolicy> {
        if !self.model.infers_by_policy() || steps == 0 {
            return Err(Failure::invalid("steps: the model has no beliefs by policy over them"));
        }
        let seen = Seen::Outcomes(seen);
        let outcomes = self.model.num_obs().to_vec();
        let factors = self.model.num_actions().len();
        same("prior", prior.len(), 1, self.model.belief_len())?;
        seen.check(1, steps, &outcomes)?;
        let acted = match taken.past.len() {
            0 => 0,
            len => agents("past_actions", len, factors)?,
        };
        same("action", taken.last.len(), 1, factors)?;
        check_actions(taken.past, self.model.num_actions(), 0)?;
        check_actions(taken.last, self.model.num_actions(), -1)?;
        self.make_room(steps.max(acted + 1))?;
        let scratch = &mut self.scratch;
        scratch.start();
        set(scratch.beliefs_mut(), prior);
        set(scratch.prior_mut(), prior);
        scratch.set_past(steps - 1, acted);
        for step in 0..steps - 1 {
            if let Seen::Outcomes(row) = seen.row(step, &outcomes) {
                scratch.past_observed(step, 0, row.iter().copied());
            }
        }
        for (step, actions) in taken.past.chunks_exact(factors).enumerate() {
            let actions = actions.iter().rev().map(|&action| action as u32);
            scratch.past_took_last_first(step, 0, actions);
        }
        seen.row(steps - 1, &outcomes).observe(scratch, 0);
        self.take(taken.last, factors);
        self.model.infer_states(&mut self.scratch);
        self.model.infer_policies(&mut self.scratch);
        Ok(self.answers())
    }

    fn answers(&self) -> ByPolicy {
        let Self { model, scratch, .. } = self;
        let lane = |rows| {
            let mut numbers = Vec::new();
            get(rows, 1, &mut numbers);
            numbers
        };
        let mut qs = Vec::new();
        for policy in 0..model.policy_count() {
            for step in 0..scratch.policy_steps() {
                get(scratch.policy_beliefs(policy, step), 1, &mut qs);
            }
        }
        ByPolicy {
            q_pi: lane(scratch.q_pi()),
            neg_efe: lane(scratch.neg_efe()),
            free_energy: lane(scratch.free_energy()),
            qs,
            // A window of one step starts from the last belief.
            prior: lane(if model.keeps_prior() { scratch.prior() } else { scratch.beliefs() }),
        }
    }
}
