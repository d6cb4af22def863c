//! A model: what an agent believes about its world, and how it decides.
//!
//! A [`Model`] is plain data with open fields. [`Model::check`] says whether it makes sense;
//! everything else (compiling, stepping, writing) is promised for checked models only.

pub(crate) mod arguments;
mod check;
pub(crate) mod tensor;

use crate::Policies;
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
    /// Dirichlet counts of `e`, (P,); empty where habits are not learnt.
    pub p_e: Vec<f64>,
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

impl Model {
    /// A model of likelihoods `a` and transitions `b`; the rest is what `dialect` takes where
    /// nothing is given.
    ///
    /// Every modality depends on all factors and every factor on itself; control f acts on factor
    /// f, with as many actions as the last axis of `b[f]` is long. C is 1/O_m (`pymdp-1`, used raw)
    /// or 0 (`pymdp-0`), D uniform. Fields may be set afterwards; [`Model::check`] has the last word.
    ///
    /// ```
    /// use populace_agent::{Dialect, Model, Tensor};
    ///
    /// let a = Tensor::dense([2, 2], vec![0.9, 0.1, 0.1, 0.9])?;
    /// let b = Tensor::dense([2, 2, 2], vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0])?;
    /// let mut model = Model::new(Dialect::Pymdp1, vec![a], vec![b]);
    /// model.c[0] = Tensor::vector(vec![0.0, 2.0]);
    /// model.check()?;
    /// assert_eq!(model.num_controls, [2]);
    /// assert_eq!(model.d[0].to_f64(), [0.5, 0.5]);
    /// # Ok::<(), populace_agent::Error>(())
    /// ```
    pub fn new(dialect: Dialect, a: Vec<Tensor>, b: Vec<Tensor>) -> Self {
        let factors = b.len();
        Self {
            dialect,
            c: a.iter().map(|a| Self::default_c(dialect, a.rows())).collect(),
            d: b.iter().map(|b| Tensor::uniform(b.rows())).collect(),
            e: None,
            p_a: Vec::new(),
            p_b: Vec::new(),
            p_d: Vec::new(),
            p_e: Vec::new(),
            h: Vec::new(),
            a_dependencies: vec![(0..factors).collect(); a.len()],
            b_dependencies: (0..factors).map(|factor| vec![factor]).collect(),
            b_action_dependencies: None,
            num_controls: b.iter().map(|b| b.shape().last().copied().unwrap_or(1)).collect(),
            policies: None,
            arguments: Arguments::for_dialect(dialect),
            sophisticated: None,
            reference: None,
            a,
            b,
        }
    }

    /// What a dialect prefers where no C is given.
    pub(crate) fn default_c(dialect: Dialect, num_obs: usize) -> Tensor {
        match dialect {
            Dialect::Pymdp1 => Tensor::uniform(num_obs),
            Dialect::Pymdp0 => Tensor::vector(vec![0.0; num_obs]),
        }
    }

    /// How many modalities there are.
    pub fn modalities(&self) -> usize {
        self.a.len()
    }

    /// How many state factors there are.
    pub fn factors(&self) -> usize {
        self.b.len()
    }

    /// S_f, the states of each factor.
    pub fn num_states(&self) -> Vec<usize> {
        self.b.iter().map(Tensor::rows).collect()
    }

    /// O_m, the outcomes of each modality.
    pub fn num_obs(&self) -> Vec<usize> {
        self.a.iter().map(Tensor::rows).collect()
    }

    /// The controls that act on a factor, slowest axis first.
    pub fn controls_of(&self, factor: usize) -> impl Iterator<Item = usize> + '_ {
        let (listed, own): (&[usize], _) = match &self.b_action_dependencies {
            Some(dependencies) => (&dependencies[factor], None),
            None => (&[], Some(factor)),
        };
        listed.iter().copied().chain(own)
    }

    /// How many flat actions a state factor has: the product over its controls, 1 without any.
    pub fn actions_of(&self, factor: usize) -> usize {
        self.controls_of(factor).map(|control| self.num_controls[control]).product()
    }

    /// The flat action of a state factor under one action of every control, row-major over the
    /// factor's controls.
    ///
    /// ```
    /// # use populace_agent::{Dialect, Model, Tensor};
    /// # let b = Tensor::certain([2, 2, 2, 3], |_| 0)?;
    /// # let a = Tensor::certain([2, 2], |state| state as u32)?;
    /// let mut model = Model::new(Dialect::Pymdp1, vec![a], vec![b]);
    /// model.num_controls = vec![2, 3];
    /// model.b_action_dependencies = Some(vec![vec![0, 1]]);
    /// model.check()?;
    /// assert_eq!(model.actions_of(0), 6);
    /// assert_eq!(model.flat_action(0, &[1, 2]), 5);
    /// # Ok::<(), populace_agent::Error>(())
    /// ```
    pub fn flat_action(&self, factor: usize, controls: &[u32]) -> u32 {
        self.controls_of(factor)
            .fold(0, |flat, control| flat * self.num_controls[control] as u32 + controls[control])
    }
}
