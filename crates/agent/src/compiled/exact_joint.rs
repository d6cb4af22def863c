//! `exact-joint`, compiled: where each joint state of all factors finds its priors and its evidence.

use populace_pool::SharedResource;
use populace_tensor::Array;

use super::Group;
use crate::{Error, InferenceAlgorithm, Model, Result};

/// The most joint states: a block then computes in 4 MiB in single precision.
const MOST_JOINT_STATES: usize = 1 << 16;

/// The joint states of all factors, the last factor fastest.
#[derive(Debug)]
pub(crate) struct ExactJoint {
    /// How many there are.
    pub(crate) joint: usize,
    /// (joint, factors): the row of each factor's state among the beliefs of all factors.
    pub(crate) beliefs: Array<u32>,
    /// (joint, groups): the row of each group's joint state among the evidence of all groups.
    pub(crate) evidence: Array<u32>,
}

impl ExactJoint {
    /// Of a model that infers states so; none of one factor, whose one pass is exact as it is.
    pub(super) fn compile(
        model: &Model,
        groups: &[Group],
        memory: &SharedResource,
    ) -> Result<Option<Self>> {
        let states = model.num_states();
        if model.arguments.inference_algo != InferenceAlgorithm::ExactJoint || states.len() == 1 {
            return Ok(None);
        }
        let joint = states.iter().try_fold(1_usize, |joint, &states| joint.checked_mul(states));
        let Some(joint) = joint.filter(|&joint| joint <= MOST_JOINT_STATES) else {
            return Err(Error::unsupported(format!(
                "agent.inference_algo: \"exact-joint\" goes through all joint states, and states \
                 {states:?} have more than {MOST_JOINT_STATES}"
            )));
        };
        let (mut beliefs, mut evidence) = (Vec::new(), Vec::new());
        let mut state = vec![0; states.len()];
        for _ in 0..joint {
            let mut first = 0;
            for (&s, &states) in state.iter().zip(&states) {
                beliefs.push((first + s) as u32);
                first += states;
            }
            let mut first = 0;
            for group in groups {
                let place = group.dependencies.iter().fold(0, |at, &f| at * states[f] + state[f]);
                evidence.push((first + place) as u32);
                first += group.joint;
            }
            for (s, &states) in state.iter_mut().zip(&states).rev() {
                *s += 1;
                if *s < states {
                    break;
                }
                *s = 0;
            }
        }
        Ok(Some(Self {
            joint,
            beliefs: Array::copied(memory, &beliefs)?,
            evidence: Array::copied(memory, &evidence)?,
        }))
    }
}
