//! What agents have learnt, as their caller keeps it, and one step of learning.

use populace_tensor::lanes::LANES;

use super::block::Block;
use super::rows::{Seen, agents, check_actions, get, same, set};
use crate::errors::{Failure, Result};

/// Families that an array is expected of once they have been updated: A and B.
const UPDATED: usize = 2;

/// What agents have learnt, a row an agent.
#[derive(Clone, Copy)]
pub(super) struct Learnt<'a> {
    /// The counts, as the engine lays them out.
    pub(super) counts: &'a [f64],
    /// Whether A and B have been updated: until then they are the given ones.
    pub(super) updated: &'a [bool],
}

impl Block {
    /// The counts that every agent starts from.
    pub(super) fn shared_counts(&self) -> Vec<f64> {
        self.model.shared_counts().0.to_vec()
    }

    pub(super) fn check_learnt(&self, learnt: Option<Learnt<'_>>, agents: usize) -> Result<()> {
        let Some(Learnt { counts, updated }) = learnt else { return Ok(()) };
        if !self.model.learns() {
            return Err(Failure::invalid("learnt: the model learns nothing"));
        }
        same("counts", counts.len(), agents, self.model.shared_counts().0.len())?;
        same("updated", updated.len(), agents, UPDATED)
    }

    /// Gives lanes what agents `first..first + lanes` have learnt, and makes their arrays of it;
    /// the beliefs there are then those of the step before.
    pub(super) fn recall(&mut self, learnt: Option<Learnt<'_>>, first: usize, lanes: usize) {
        let Self { model, scratch, .. } = self;
        if !model.learns() {
            return;
        }
        let shared = model.shared_counts().0;
        let width = shared.len();
        match learnt {
            Some(Learnt { counts, updated }) => {
                set(scratch.counts_mut(), &counts[first * width..(first + lanes) * width]);
                for lane in 0..lanes {
                    let flags = &updated[(first + lane) * UPDATED..][..UPDATED];
                    // The engine's mask begins with a bit for each of A, B and D.
                    let bits = flags.iter().enumerate().map(|(bit, &flag)| u8::from(flag) << bit);
                    scratch.mask_mut(lane)[0] |= bits.sum::<u8>();
                }
            }
            None => set(scratch.counts_mut(), shared),
        }
        model.expect(scratch);
    }

    /// The counts after a step.
    pub(super) fn learn(
        &mut self,
        learnt: Option<Learnt<'_>>,
        before: &[f64],
        qs: &[f64],
        seen: Seen<'_>,
        actions: &[i32],
    ) -> Result<Vec<f64>> {
        let (width, factors) = (self.model.belief_len(), self.model.num_actions().len());
        let count = agents("qs", qs.len(), width)?;
        same("before", before.len(), count, width)?;
        seen.check(count, 1, self.model.num_obs())?;
        same("action", actions.len(), count, factors)?;
        check_actions(actions, self.model.num_actions(), -1)?;
        self.check_learnt(learnt, count)?;
        let mut counts = Vec::with_capacity(learnt.map_or(0, |learnt| learnt.counts.len()));
        for (block, qs) in qs.chunks(LANES * width).enumerate() {
            let (first, lanes) = (block * LANES, qs.len() / width);
            self.scratch.start();
            set(self.scratch.beliefs_mut(), &before[first * width..(first + lanes) * width]);
            self.recall(learnt, first, lanes);
            for lane in 0..lanes {
                seen.row(first + lane, self.model.num_obs()).observe(&mut self.scratch, lane);
            }
            self.take(&actions[first * factors..(first + lanes) * factors], factors);
            set(self.scratch.beliefs_mut(), qs);
            self.model.learn(&mut self.scratch);
            get(self.scratch.counts(), lanes, &mut counts);
        }
        Ok(counts)
    }

    /// The arrays that agents expect of their counts.
    pub(super) fn expected(&mut self, learnt: Option<Learnt<'_>>) -> Result<Vec<f64>> {
        let width = self.model.shared_counts().0.len();
        let len = learnt.map_or(0, |learnt| learnt.counts.len());
        let count = agents("counts", len, width)?;
        self.check_learnt(learnt, count)?;
        let mut expected = Vec::with_capacity(len);
        for first in (0..count).step_by(LANES) {
            let lanes = LANES.min(count - first);
            self.scratch.start();
            self.recall(learnt, first, lanes);
            get(self.scratch.expected(), lanes, &mut expected);
        }
        Ok(expected)
    }
}
