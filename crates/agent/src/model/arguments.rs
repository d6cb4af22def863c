//! The agent's arguments, by pymdp's names.

/// Whose numbers an agent computes (SEMANTICS: the two dialects).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// inferactively-pymdp 1.x (JAX): ln max(x, ε).
    #[default]
    Pymdp1,
    /// inferactively-pymdp 0.0.7 (NumPy): ln(x + 1e-16).
    Pymdp0,
}

/// Whether actions are the best or drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ActionSelection {
    /// The most probable; ties take the lowest index.
    #[default]
    Deterministic,
    /// Drawn from softmax(alpha · ln p).
    Stochastic,
}

/// What an action is chosen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SamplingMode {
    /// The first action of a whole policy.
    Full,
    /// Each factor's marginal over first actions.
    Marginal,
}

/// How states are inferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // pymdp's own names
pub enum InferenceAlgorithm {
    Fpi,
    Mmp,
    Vmp,
    Ovf,
    Exact,
    Vanilla,
}

/// The agent's arguments, by pymdp's names, with the dialect's defaults.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // pymdp's own names
pub struct Arguments {
    pub policy_len: usize,
    pub gamma: f64,
    pub alpha: f64,
    pub num_iter: usize,
    pub action_selection: ActionSelection,
    pub sampling_mode: SamplingMode,
    pub inference_algo: InferenceAlgorithm,
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
    pub lr_pa: f64,
    pub lr_pb: f64,
    pub lr_pd: f64,
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
