//! One agent, stepped: observe, infer, plan, learn, act.

use crate::array::Array;
use crate::problem::{Dialect, Observation, Problem};
use crate::{pymdp0, pymdp1};

/// What one step gave.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Belief about every factor after the observation (under pymdp-0's MMP, whose beliefs are a
    /// policy's, their mean by `q_pi`: see `qs_policy`).
    pub qs: Vec<Vec<f64>>,
    /// −EFE of every policy (empty under sophisticated inference).
    pub neg_efe: Vec<f64>,
    /// Posterior over policies.
    pub q_pi: Vec<f64>,
    /// The best action, an index a factor; the lowest of equals.
    pub action: Vec<i32>,
    /// How much better it is than the best other: below some 1e-6 either is right.
    pub action_gap: f64,
    /// Every action that can be taken with its exact probability: one of 1 when deterministic.
    pub action_probabilities: Vec<(Vec<i32>, f64)>,
    /// Variational free energy of every policy (pymdp-0's MMP).
    pub free_energy: Vec<f64>,
    /// Beliefs by policy, step of the window and factor (pymdp-0's MMP).
    pub qs_policy: Vec<Vec<Vec<Vec<f64>>>>,
    /// Counts of A after this step's update; empty where there was none.
    pub p_a_after: Vec<Array>,
    /// Counts of B after this step's update; empty where there was none.
    pub p_b_after: Vec<Array>,
    /// Counts of D after this step's update; empty where there was none.
    pub p_d_after: Vec<Array>,
    /// Counts of E after this step's update; empty where there was none.
    pub p_e_after: Vec<f64>,
}

/// One agent, dense, in f64.
///
/// ```no_run
/// use populace_oracle::{Agent, load};
/// let case = load("tests/golden/pymdp-1/tmaze.safetensors".as_ref())?;
/// let mut agent = Agent::new(&case.problem);
/// let step = agent.step(&case.observations[0], None);
/// println!("{:?}", step.q_pi);
/// # Ok::<(), String>(())
/// ```
pub struct Agent(Inner);

enum Inner {
    One(pymdp1::Agent),
    Zero(pymdp0::Agent),
}

impl Agent {
    /// An agent before its first step.
    ///
    /// # Panics
    /// When the problem asks for what the reference refuses.
    pub fn new(problem: &Problem) -> Self {
        Agent(match problem.dialect {
            Dialect::Pymdp1 => Inner::One(pymdp1::Agent::new(problem)),
            Dialect::Pymdp0 => Inner::Zero(pymdp0::Agent::new(problem)),
        })
    }

    /// One step. `taken` is the action really taken, which the next step follows; None: the best
    /// one (also where actions are drawn).
    pub fn step(&mut self, observation: &Observation, taken: Option<&[i32]>) -> Step {
        match &mut self.0 {
            Inner::One(agent) => agent.step(observation, taken),
            Inner::Zero(agent) => agent.step(observation, taken),
        }
    }
}
