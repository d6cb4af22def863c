//! A model: what an agent believes about its world, and how it decides.

pub(crate) mod arguments;
pub(crate) mod tensor;

use arguments::{Arguments, Dialect, Sophisticated};
use tensor::Tensor;

/// A discrete generative model with the agent's arguments, in pymdp's terms.
///
/// Shapes: S_f states of factor f, O_m outcomes of modality m, U_c actions of control c.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Whose numbers: pymdp 1.x or 0.x.
    pub dialect: Dialect,
    /// Likelihoods, one a modality: (O_m, S of `a_dependencies[m]` …); columns sum to 1.
    pub a: Vec<Tensor>,
    /// Transitions, one a factor: (S_f, S of `b_dependencies[f]` …, U of its controls …); columns
    /// sum to 1.
    pub b: Vec<Tensor>,
    /// Preferences, one a modality: (O_m,), or timed (T, O_m) (`pymdp-0`: (O_m, T)).
    pub c: Vec<Tensor>,
    /// Beliefs before the first step, one a factor: (S_f,).
    pub d: Vec<Tensor>,
    /// Prior over policies: (P,). None: uniform.
    pub e: Option<Vec<f64>>,
    /// Dirichlet counts of `a`, same shapes; empty where nothing is learnt.
    pub p_a: Vec<Tensor>,
    /// Dirichlet counts of `b`, same shapes; empty where nothing is learnt.
    pub p_b: Vec<Tensor>,
    /// Dirichlet counts of `d`, same shapes; empty where nothing is learnt.
    pub p_d: Vec<Tensor>,
    /// Goals of inductive inference, one a factor: (S_f,); empty where not used.
    pub h: Vec<Tensor>,
    /// The factors that each modality depends on.
    pub a_dependencies: Vec<Vec<usize>>,
    /// The factors that each factor's transitions depend on.
    pub b_dependencies: Vec<Vec<usize>>,
    /// The controls that act on each factor; None: control f acts on factor f.
    pub b_action_dependencies: Option<Vec<Vec<usize>>>,
    /// Actions of each control.
    pub num_controls: Vec<usize>,
    /// Policies as given; None: all of `policy_len` steps.
    pub policies: Option<Policies>,
    /// The agent's arguments, by pymdp's names.
    pub arguments: Arguments,
    /// Sophisticated inference, where asked for.
    pub sophisticated: Option<Sophisticated>,
    /// Free text: where the model comes from.
    pub reference: Option<String>,
}

/// Policies, (P, T, F) row-major: the action of every state factor (flat, where several controls
/// act on it) at every step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// How many policies.
    pub count: usize,
    /// Steps of each.
    pub len: usize,
    /// State factors.
    pub factors: usize,
    /// The actions, (P, T, F).
    pub actions: Vec<u32>,
}
