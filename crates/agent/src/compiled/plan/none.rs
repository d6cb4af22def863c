//! No program: where beliefs are a policy's own (pymdp-0's MMP), nothing is rolled forward.

use populace_tensor::simd::Real;

use super::draft::Draft;
use super::{Drafted, Planner, first_actions, ln_habit};
use crate::{Model, Policies, Result};

/// Drafts what all policies share: the tables of what A gains, in the order of the modalities.
pub(super) fn draft<T: Real>(
    draft: &mut Draft<'_, T>,
    model: &Model,
    policies: &Policies,
) -> Result<Drafted> {
    if model.arguments.use_param_info_gain {
        // The joint states as the file has them: the last factor is contracted first.
        let order: Vec<usize> = (0..model.factors()).rev().collect();
        for m in 0..model.p_a.len() {
            draft.gain_table(m, &order)?;
        }
    }
    Ok(Drafted {
        planner: Planner::Enumeration,
        scores: Vec::new(),
        choice: Vec::new(),
        constants: Vec::new(),
        ln_habit: ln_habit(model, policies),
        first_actions: first_actions(policies),
    })
}
