//! A problem as plain arrays: what an agent believes, and the arguments by pymdp's names.

use crate::array::{Array, each_index};

/// Whose numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// inferactively-pymdp 1.0.4.
    Pymdp1,
    /// inferactively-pymdp 0.0.7.1.
    Pymdp0,
}

/// How states are inferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // pymdp's own names
pub enum Algorithm {
    Fpi,
    Exact,
    ExactJoint,
    Ovf,
    Mmp,
    Vmp,
    Vanilla,
}

/// The agent's arguments, by pymdp's names (lower case); the last ones are Populace's own.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // pymdp's own names
pub struct Arguments {
    pub policy_len: usize,
    pub gamma: f64,
    pub alpha: f64,
    pub num_iter: usize,
    /// Actions are drawn, not the best.
    pub stochastic: bool,
    /// Actions are chosen factor by factor, not by whole policies.
    pub marginal: bool,
    pub inference_algo: Algorithm,
    pub inference_horizon: Option<usize>,
    pub use_utility: bool,
    pub use_states_info_gain: bool,
    pub use_param_info_gain: bool,
    pub use_inductive: bool,
    pub inductive_depth: usize,
    pub inductive_threshold: f64,
    pub inductive_epsilon: f64,
    pub categorical_obs: bool,
    pub use_bma: bool,
    pub learn_a: bool,
    pub learn_b: bool,
    pub learn_d: bool,
    pub modalities_to_learn: Option<Vec<usize>>,
    pub factors_to_learn: Option<Vec<usize>>,
    pub lr_pa: f64,
    pub lr_pb: f64,
    pub lr_pd: f64,
    pub learn_e: bool,
    pub lr_pe: f64,
    pub fr_pa: f64,
    pub fr_pb: f64,
    pub fr_pd: f64,
    pub fr_pe: f64,
    pub keep_zeros: bool,
    pub planning_interval: usize,
}

impl Arguments {
    /// The defaults of a dialect.
    pub fn new(dialect: Dialect) -> Self {
        let one = dialect == Dialect::Pymdp1;
        Arguments {
            policy_len: 1,
            gamma: if one { 1.0 } else { 16.0 },
            alpha: if one { 1.0 } else { 16.0 },
            num_iter: if one { 16 } else { 10 },
            stochastic: false,
            marginal: !one,
            inference_algo: if one { Algorithm::Fpi } else { Algorithm::Vanilla },
            inference_horizon: if one { None } else { Some(1) },
            use_utility: true,
            use_states_info_gain: true,
            use_param_info_gain: false,
            use_inductive: false,
            inductive_depth: 1,
            inductive_threshold: 0.1,
            inductive_epsilon: 1e-3,
            categorical_obs: false,
            use_bma: true,
            learn_a: false,
            learn_b: false,
            learn_d: false,
            modalities_to_learn: None,
            factors_to_learn: None,
            lr_pa: 1.0,
            lr_pb: 1.0,
            lr_pd: 1.0,
            learn_e: false,
            lr_pe: 1.0,
            fr_pa: 1.0,
            fr_pb: 1.0,
            fr_pd: 1.0,
            fr_pe: 1.0,
            keep_zeros: false,
            planning_interval: 1,
        }
    }
}

/// The arguments of sophisticated inference.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // pymdp's own names
pub struct Sophisticated {
    pub horizon: usize,
    pub max_nodes: usize,
    pub max_branching: usize,
    pub policy_prune_threshold: f64,
    pub observation_prune_threshold: f64,
    pub entropy_stop_threshold: f64,
    pub prune_penalty: f64,
    pub gamma: f64,
}

impl Default for Sophisticated {
    fn default() -> Self {
        Sophisticated {
            horizon: 5,
            max_nodes: 5000,
            max_branching: 10,
            policy_prune_threshold: 1.0 / 16.0,
            observation_prune_threshold: 1.0 / 16.0,
            entropy_stop_threshold: 0.5,
            prune_penalty: 512.0,
            gamma: 1.0,
        }
    }
}

/// A policy: the action of every factor (flat, where several controls act on it) at every step.
pub type Policy = Vec<Vec<usize>>;

/// A problem: the model and the agent's arguments.
///
/// Lists that may be absent (`p_a`, `p_b`, `p_d`, `p_e`, `h`) are then empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Whose numbers.
    pub dialect: Dialect,
    /// (O_m, S of `a_dependencies[m]` …), columns sum to 1.
    pub a: Vec<Array>,
    /// (S_f, S of `b_dependencies[f]` …, U_f), columns sum to 1; U_f is flat.
    pub b: Vec<Array>,
    /// (O_m,) or timed: (T, O_m) in pymdp-1, (O_m, T) in pymdp-0.
    pub c: Vec<Array>,
    /// (S_f,).
    pub d: Vec<Array>,
    /// (P,); None is uniform.
    pub e: Option<Vec<f64>>,
    /// Dirichlet counts of `a`.
    pub p_a: Vec<Array>,
    /// Dirichlet counts of `b`.
    pub p_b: Vec<Array>,
    /// Dirichlet counts of `d`.
    pub p_d: Vec<Array>,
    /// Dirichlet counts of `e`, (P,).
    pub p_e: Vec<f64>,
    /// Goals, (S_f,).
    pub h: Vec<Array>,
    /// Factors that each modality depends on.
    pub a_dependencies: Vec<Vec<usize>>,
    /// Factors that each factor's transitions depend on.
    pub b_dependencies: Vec<Vec<usize>>,
    /// Controls that act on each factor; None: control f on factor f.
    pub b_action_dependencies: Option<Vec<Vec<usize>>>,
    /// Actions of each control.
    pub num_controls: Vec<usize>,
    /// Policies as given; None: all of `policy_len` steps.
    pub policies: Option<Vec<Policy>>,
    /// The agent's arguments.
    pub arguments: Arguments,
    /// Sophisticated inference, where asked for.
    pub sophisticated: Option<Sophisticated>,
}

impl Problem {
    /// Outcomes of every modality.
    pub fn num_obs(&self) -> Vec<usize> {
        self.a.iter().map(|a| a.shape[0]).collect()
    }

    /// States of every factor.
    pub fn num_states(&self) -> Vec<usize> {
        self.b.iter().map(|b| b.shape[0]).collect()
    }

    /// Flat actions of every factor.
    pub fn num_actions(&self) -> Vec<usize> {
        self.b.iter().map(|b| b.shape[b.shape.len() - 1]).collect()
    }

    /// The controls that act on every factor.
    pub fn controls(&self) -> Vec<Vec<usize>> {
        match &self.b_action_dependencies {
            Some(dependencies) => dependencies.clone(),
            None => (0..self.b.len()).map(|f| vec![f]).collect(),
        }
    }

    /// The policies, in order: those given, or all products of the controls' actions over
    /// `policy_len` steps, the last control of the last step fastest, each encoded to one flat
    /// action a factor.
    pub fn all_policies(&self) -> Vec<Policy> {
        if let Some(policies) = &self.policies {
            return policies.clone();
        }
        let controls = self.controls();
        let width = self.num_controls.len();
        let shape = self.num_controls.repeat(self.arguments.policy_len);
        let mut policies = Vec::new();
        each_index(&shape, |index| {
            let policy = index.chunks(width).map(|step| {
                let flat = |controls: &Vec<usize>| {
                    controls.iter().fold(0, |flat, &c| flat * self.num_controls[c] + step[c])
                };
                controls.iter().map(flat).collect()
            });
            policies.push(policy.collect());
        });
        policies
    }
}

/// What an agent observes in one step.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// An outcome a modality; −1 is missing.
    Outcomes(Vec<i32>),
    /// A distribution over outcomes a modality.
    Soft(Vec<Vec<f64>>),
}

impl Observation {
    /// A weight for every outcome of every modality; a missing one has none.
    pub(crate) fn weights(&self, num_obs: &[usize]) -> Vec<Vec<f64>> {
        match self {
            Observation::Soft(soft) => soft.clone(),
            Observation::Outcomes(outcomes) => outcomes
                .iter()
                .zip(num_obs)
                .map(|(&outcome, &count)| {
                    (0..count).map(|o| f64::from(u8::from(o as i32 == outcome))).collect()
                })
                .collect(),
        }
    }
}
