//! The agent's arguments, by pymdp's names, and what each dialect takes where they are not given.

/// Whose numbers an agent computes (SEMANTICS: the two dialects).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// inferactively-pymdp 1.x (JAX): ln max(x, ε).
    #[default]
    Pymdp1,
    /// inferactively-pymdp 0.0.7 (NumPy): ln(x + 1e-16).
    Pymdp0,
}

impl Dialect {
    /// The logarithm of a probability: ln max(p, ε), or ln(p + 1e-16).
    pub(crate) fn ln(self, p: f64) -> f64 {
        match self {
            Self::Pymdp1 => p.max(crate::EPSILON).ln(),
            Self::Pymdp0 => (p + 1e-16).ln(),
        }
    }
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
    /// Ours: the true posterior over the joint states of all factors, and its marginals.
    ExactJoint,
    Vanilla,
}

/// The agent's arguments, by pymdp's names, with the dialect's defaults. The last ones are Populace's
/// own, and off by default (docs/beyond.md).
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
    /// Of `pymdp-0`: the modalities whose A, and the factors whose B and D, are learnt; `None`, all.
    pub modalities_to_learn: Option<Vec<usize>>,
    pub factors_to_learn: Option<Vec<usize>>,
    /// Checked, as pymdp does, and of no effect there: all that have actions are controlled.
    pub control_fac_idx: Option<Vec<usize>>,
    pub lr_pa: f64,
    pub lr_pb: f64,
    pub lr_pd: f64,
    /// Ours: habits are learnt, pE += lr_pE · q_π.
    pub learn_e: bool,
    pub lr_pe: f64,
    /// Ours: what is left of counts at each of their updates, in (0, 1]; 1 forgets nothing.
    pub fr_pa: f64,
    pub fr_pb: f64,
    pub fr_pd: f64,
    pub fr_pe: f64,
    /// Ours: a count of 0 stays 0, whatever is seen.
    pub keep_zeros: bool,
    /// Ours, k: policies are weighed at every k-th step; the one chosen is followed in between.
    pub planning_interval: usize,
}

impl Arguments {
    /// What `dialect` takes for everything.
    ///
    /// ```
    /// use populace_agent::{Arguments, Dialect, SamplingMode};
    ///
    /// assert_eq!(Arguments::for_dialect(Dialect::Pymdp1).gamma, 1.0);
    /// let v0 = Arguments::for_dialect(Dialect::Pymdp0);
    /// assert_eq!((v0.gamma, v0.sampling_mode), (16.0, SamplingMode::Marginal));
    /// ```
    pub fn for_dialect(dialect: Dialect) -> Self {
        let pymdp_1 = Self {
            policy_len: 1,
            gamma: 1.0,
            alpha: 1.0,
            num_iter: 16,
            action_selection: ActionSelection::Deterministic,
            sampling_mode: SamplingMode::Full,
            inference_algo: InferenceAlgorithm::Fpi,
            inference_horizon: None,
            use_utility: true,
            use_states_info_gain: true,
            use_param_info_gain: false,
            use_inductive: false,
            inductive_depth: 1,
            inductive_threshold: 0.1,
            inductive_epsilon: 1e-3,
            categorical_obs: false,
            use_bma: false,
            learn_a: false,
            learn_b: false,
            learn_d: false,
            modalities_to_learn: None,
            factors_to_learn: None,
            control_fac_idx: None,
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
        };
        match dialect {
            Dialect::Pymdp1 => pymdp_1,
            Dialect::Pymdp0 => Self {
                gamma: 16.0,
                alpha: 16.0,
                num_iter: 10,
                sampling_mode: SamplingMode::Marginal,
                inference_algo: InferenceAlgorithm::Vanilla,
                inference_horizon: Some(1),
                use_bma: true,
                ..pymdp_1
            },
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
        Self {
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

/// Names that are written in files: each value with the one spelling it has there.
pub(crate) trait Named: Copy + PartialEq + 'static {
    /// Every value with its name.
    const NAMES: &'static [(&'static str, Self)];

    /// The name of a value.
    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, value)| *value == self).map_or("?", |(name, _)| name)
    }

    /// The value of a name, upper or lower case.
    fn from_name(name: &str) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|&(_, value)| value)
    }
}

impl Named for Dialect {
    const NAMES: &'static [(&'static str, Self)] =
        &[("pymdp-1", Self::Pymdp1), ("pymdp-0", Self::Pymdp0)];
}

impl Named for ActionSelection {
    const NAMES: &'static [(&'static str, Self)] =
        &[("deterministic", Self::Deterministic), ("stochastic", Self::Stochastic)];
}

impl Named for SamplingMode {
    const NAMES: &'static [(&'static str, Self)] =
        &[("full", Self::Full), ("marginal", Self::Marginal)];
}

impl InferenceAlgorithm {
    /// The name that a dialect's own library has for it: `pymdp-0` spells in capitals.
    pub(crate) fn name_in(self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Pymdp0 => self.name().to_uppercase(),
            Dialect::Pymdp1 => self.name().to_owned(),
        }
    }
}

impl Named for InferenceAlgorithm {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("fpi", Self::Fpi),
        ("mmp", Self::Mmp),
        ("vmp", Self::Vmp),
        ("ovf", Self::Ovf),
        ("exact", Self::Exact),
        ("exact-joint", Self::ExactJoint),
        ("VANILLA", Self::Vanilla),
    ];
}
