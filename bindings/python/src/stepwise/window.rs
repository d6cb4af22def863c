//! States of all steps of a window (pymdp's `mmp` and `vmp`).

use populace_agent::Window;
use populace_tensor::lanes::LANES;

use super::block::Block;
use super::learning::Learnt;
use super::rows::{Seen, agents, check_actions, get, same};
use crate::errors::{Failure, Result};

impl Block {
    /// Beliefs (agents, steps, ΣS), and the numbers of a row.
    pub(super) fn infer_window(
        &mut self,
        steps: usize,
        seen: Seen<'_>,
        actions: &[i32],
        learnt: Option<Learnt<'_>>,
    ) -> Result<(Vec<f64>, usize)> {
        if !self.model.infers_windows() || steps == 0 {
            return Err(Failure::invalid("steps: the model infers states from no window of them"));
        }
        let outcomes: Vec<usize> = self.model.num_obs().to_vec();
        let (len, width) = match seen {
            Seen::Outcomes(seen) => (seen.len(), outcomes.len()),
            Seen::Soft(seen) => (seen.len(), outcomes.iter().sum()),
        };
        let count = agents("observations", len, steps * width)?;
        seen.check(count, steps, &outcomes)?;
        let factors = self.model.num_actions().len();
        same("past_actions", actions.len(), count, (steps - 1) * factors)?;
        check_actions(actions, self.model.num_actions(), 0)?;
        self.check_learnt(learnt, count)?;
        self.make_room(steps)?;
        let row = steps * self.model.belief_len();
        let mut qs = Vec::with_capacity(count * row);
        for first in (0..count).step_by(LANES) {
            let lanes = LANES.min(count - first);
            self.scratch.start();
            self.recall(learnt, first, lanes);
            self.scratch.set_past(steps - 1, steps.saturating_sub(2));
            for lane in 0..lanes {
                let agent = first + lane;
                for step in 0..steps - 1 {
                    match seen.row(agent * steps + step, &outcomes) {
                        Seen::Outcomes(row) => {
                            self.scratch.past_observed(step, lane, row.iter().copied());
                        }
                        Seen::Soft(row) => self.scratch.past_observed_soft(step, lane, row),
                    }
                    let taken = &actions[(agent * (steps - 1) + step) * factors..][..factors];
                    let taken = taken.iter().rev().map(|&action| action as u32);
                    // The last action is the one that led to the present.
                    if step == steps - 2 {
                        self.scratch.took_last_first(lane, taken);
                    } else {
                        self.scratch.past_took_last_first(step, lane, taken);
                    }
                }
                seen.row(agent * steps + steps - 1, &outcomes).observe(&mut self.scratch, lane);
            }
            self.model.infer_states(&mut self.scratch);
            get(self.scratch.window_beliefs(), lanes, &mut qs);
        }
        Ok((qs, row))
    }

    /// Working memory for a window of so many steps.
    pub(super) fn make_room(&mut self, steps: usize) -> Result<()> {
        if steps > self.window.observations + 1 {
            let observations = steps.next_power_of_two() - 1;
            self.window = Window { observations, actions: observations, first_actions: false };
            self.scratch = self.model.scratch(self.window, &self.memory)?;
        }
        Ok(())
    }
}
