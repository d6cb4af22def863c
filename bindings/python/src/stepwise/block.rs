//! A compiled model and the working memory of one block: states, policies, actions.

use std::sync::Arc;

use populace_agent::{Answers, CompiledModel, Scratch, Window};
use populace_pool::{Pages, SharedResource};
use populace_tensor::lanes::LANES;

use super::learning::Learnt;
use super::rows::{Seen, agents, check_actions, get, same, set};
use crate::errors::Result;
use crate::model::Model;

pub(super) struct Block {
    pub(super) model: CompiledModel<f64>,
    pub(super) scratch: Scratch<f64>,
    /// What of the past the scratch has room for.
    pub(super) window: Window,
    pub(super) memory: SharedResource,
}

impl Block {
    pub(super) fn new(model: &Model) -> Result<Self> {
        let memory: SharedResource = Arc::new(Pages);
        let model = CompiledModel::compile(&model.0, Answers::Policies, &memory)?;
        let window = Window::default();
        let scratch = model.scratch(window, &memory)?;
        Ok(Self { model, scratch, window, memory })
    }

    pub(super) fn infer_states(
        &mut self,
        prior: &[f64],
        seen: Seen<'_>,
        learnt: Option<Learnt<'_>>,
    ) -> Result<Vec<f64>> {
        let width = self.model.belief_len();
        let count = agents("prior", prior.len(), width)?;
        seen.check(count, 1, self.model.num_obs())?;
        self.check_learnt(learnt, count)?;
        let mut qs = Vec::with_capacity(prior.len());
        for (block, prior) in prior.chunks(LANES * width).enumerate() {
            let (first, lanes) = (block * LANES, prior.len() / width);
            self.scratch.start();
            self.recall(learnt, first, lanes);
            set(self.scratch.prior_mut(), prior);
            for lane in 0..lanes {
                let row = seen.row(first + lane, self.model.num_obs());
                row.observe(&mut self.scratch, lane);
            }
            self.model.infer_from_prior(&mut self.scratch);
            get(self.scratch.beliefs(), lanes, &mut qs);
        }
        Ok(qs)
    }

    pub(super) fn predict(
        &mut self,
        qs: &[f64],
        actions: &[i32],
        learnt: Option<Learnt<'_>>,
    ) -> Result<Vec<f64>> {
        let factors = self.model.num_actions().len();
        let width = self.model.belief_len();
        let count = agents("qs", qs.len(), width)?;
        same("action", actions.len(), count, factors)?;
        check_actions(actions, self.model.num_actions(), 0)?;
        self.check_learnt(learnt, count)?;
        let mut priors = Vec::with_capacity(qs.len());
        let blocks = qs.chunks(LANES * width).zip(actions.chunks(LANES * factors));
        for (block, (qs, actions)) in blocks.enumerate() {
            let lanes = qs.len() / width;
            self.scratch.start();
            self.recall(learnt, block * LANES, lanes);
            set(self.scratch.beliefs_mut(), qs);
            self.take(actions, factors);
            self.model.predict(&mut self.scratch);
            get(self.scratch.prior(), lanes, &mut priors);
        }
        Ok(priors)
    }

    /// Gives lanes their last actions; −1 is none.
    pub(super) fn take(&mut self, actions: &[i32], factors: usize) {
        for (lane, taken) in actions.chunks_exact(factors).enumerate() {
            // −1 is the engine's mark of an agent that has not acted.
            self.scratch.took_last_first(lane, taken.iter().rev().map(|&action| action as u32));
        }
    }

    pub(super) fn infer_policies(
        &mut self,
        qs: &[f64],
        learnt: Option<Learnt<'_>>,
    ) -> Result<(Vec<f64>, Vec<f64>, usize)> {
        let (width, policies) = (self.model.belief_len(), self.model.policy_count());
        let count = agents("qs", qs.len(), width)?;
        self.check_learnt(learnt, count)?;
        let mut q_pi = Vec::with_capacity(count * policies);
        let mut neg_efe = Vec::with_capacity(count * policies);
        for (block, qs) in qs.chunks(LANES * width).enumerate() {
            let lanes = qs.len() / width;
            self.scratch.start();
            self.recall(learnt, block * LANES, lanes);
            set(self.scratch.beliefs_mut(), qs);
            self.model.infer_policies(&mut self.scratch);
            get(self.scratch.q_pi(), lanes, &mut q_pi);
            get(self.scratch.neg_efe(), lanes, &mut neg_efe);
        }
        Ok((q_pi, neg_efe, policies))
    }

    pub(super) fn sample_action(
        &mut self,
        q_pi: &[f64],
        draws: &[f64],
        actions: &mut [i32],
    ) -> Result<()> {
        let (policies, factors) = (self.model.policy_count(), self.model.num_actions().len());
        let count = agents("q_pi", q_pi.len(), policies)?;
        same("draws", draws.len(), count, factors)?;
        let blocks = q_pi.chunks(LANES * policies).zip(draws.chunks(LANES * factors));
        for ((q_pi, draws), actions) in blocks.zip(actions.chunks_mut(LANES * factors)) {
            set(self.scratch.q_pi_mut(), q_pi);
            for (place, &number) in draws.iter().enumerate() {
                self.scratch.draw(place % factors, place / factors, number);
            }
            self.model.sample_action(&mut self.scratch);
            for (place, action) in actions.iter_mut().enumerate() {
                *action = self.scratch.action(place % factors, place / factors) as i32;
            }
        }
        Ok(())
    }
}
