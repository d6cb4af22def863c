//! A model made ready to run: tables and a program, shared by all agents.

pub(crate) mod likelihood;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod program;
pub(crate) mod rows;
pub(crate) mod support;
pub(crate) mod transition;

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::{Isa, Real};

use crate::{ActionSelection, Model, Policies, Result, SamplingMode};
use likelihood::{Evidence, Structure};
use plan::Plan;
use support::Support;
use transition::Transition;

/// A model compiled for agents in precision `T`: immutable, shared by all agents with its contents.
///
/// All that depends on the model alone is computed here, once. The tables live in the memory that
/// [`CompiledModel::compile`] is given.
#[derive(Debug)]
pub struct CompiledModel<T: Real> {
    pub(crate) isa: Isa,
    /// S_f.
    pub(crate) states: Vec<usize>,
    /// The first row of each factor's belief; one more than there are factors.
    pub(crate) first_row: Vec<usize>,
    /// O_m.
    pub(crate) outcomes: Vec<usize>,
    /// Flat actions of each factor.
    pub(crate) actions: Vec<usize>,
    /// D of all factors, one after another.
    pub(crate) initial: Array<T>,
    pub(crate) transitions: Vec<Transition<T>>,
    pub(crate) evidence: Vec<Evidence<T>>,
    /// Modalities by the factors they depend on.
    pub(crate) groups: Vec<Group>,
    pub(crate) plan: Plan<T>,
    /// ln max(E, ε), by policy.
    pub(crate) ln_habit: Array<T>,
    /// The first actions of every policy, (P, F).
    pub(crate) first_actions: Array<u32>,
    /// What the sparse step needs, where the model allows it.
    pub(crate) support: Option<Support<T>>,
    /// What a sparse belief drops.
    pub(crate) threshold: T,
    pub(crate) num_iter: usize,
    pub(crate) gamma: T,
    pub(crate) alpha: T,
    pub(crate) sampling_mode: SamplingMode,
    pub(crate) action_selection: ActionSelection,
}

/// Modalities that depend on the same factors: their evidence is one table a block.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) dependencies: Vec<usize>,
    pub(crate) modalities: Vec<usize>,
    /// Π S over the dependencies.
    pub(crate) joint: usize,
}

impl<T: Real> CompiledModel<T> {
    /// Compiles a model, its tables in `memory`.
    ///
    /// # Errors
    ///
    /// The model is not valid, asks for what is not there yet, or memory is refused.
    pub fn compile(model: &Model, memory: &SharedResource) -> Result<Self> {
        model.check()?;
        model.supported()?;
        let policies = model.all_policies()?;
        let factors = model.factors();
        let states = model.num_states();
        let mut first_row = vec![0];
        first_row.extend(states.iter().scan(0, |rows, &states| {
            *rows += states;
            Some(*rows)
        }));
        let transitions = (0..factors)
            .map(|f| Transition::compile(model, f, memory))
            .collect::<Result<Vec<_>>>()?;
        let structures: Vec<Option<Structure>> = model.a.iter().map(Structure::of).collect();
        let evidence = (0..model.modalities())
            .map(|m| Evidence::compile(model, m, structures[m].as_ref(), factors > 1, memory))
            .collect::<Result<Vec<_>>>()?;
        let plan = Plan::compile(model, &policies, &transitions, &structures, memory)?;
        let threshold = support::threshold::<T>(&structures);
        let support = Support::compile(model, &transitions, &structures, threshold, memory)?;
        let initial: Vec<T> = model.d.iter().flat_map(|d| d.to_f64()).map(T::from_f64).collect();
        Ok(Self {
            isa: Isa::best(),
            outcomes: model.num_obs(),
            actions: (0..factors).map(|f| model.actions_of(f)).collect(),
            initial: Array::copied(memory, &initial)?,
            groups: groups(&evidence),
            ln_habit: Array::copied(memory, &ln_habit(model, policies.count))?,
            first_actions: Array::copied(memory, &first_actions(&policies))?,
            threshold: T::from_f64(threshold),
            num_iter: model.arguments.num_iter,
            gamma: T::from_f64(model.arguments.gamma),
            alpha: T::from_f64(model.arguments.alpha),
            sampling_mode: model.arguments.sampling_mode,
            action_selection: model.arguments.action_selection,
            states,
            first_row,
            transitions,
            evidence,
            plan,
            support,
        })
    }

    /// The instruction set that agents are stepped with.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// S_f, the states of each factor.
    pub fn num_states(&self) -> &[usize] {
        &self.states
    }

    /// O_m, the outcomes of each modality.
    pub fn num_obs(&self) -> &[usize] {
        &self.outcomes
    }

    /// The flat actions of each factor.
    pub fn num_actions(&self) -> &[usize] {
        &self.actions
    }

    /// How many policies are weighed.
    pub fn policy_count(&self) -> usize {
        self.ln_habit.len()
    }

    /// D of all factors, one after another.
    pub fn initial(&self) -> &[T] {
        &self.initial
    }

    /// Σ S_f: the numbers of a dense belief.
    pub fn belief_len(&self) -> usize {
        self.first_row[self.states.len()]
    }

    /// Whether a belief may be stepped in its sparse form: one factor, and sparse tables.
    pub fn steps_sparse(&self) -> bool {
        self.support.is_some()
    }
}

fn groups<T>(evidence: &[Evidence<T>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (m, evidence) in evidence.iter().enumerate() {
        match groups.iter_mut().find(|group| group.dependencies == evidence.dependencies) {
            Some(group) => group.modalities.push(m),
            None => groups.push(Group {
                dependencies: evidence.dependencies.clone(),
                modalities: vec![m],
                joint: evidence.joint,
            }),
        }
    }
    groups
}

fn ln_habit<T: Real>(model: &Model, policies: usize) -> Vec<T> {
    let ln = |e: f64| T::from_f64(e.max(crate::EPSILON).ln());
    match &model.e {
        Some(e) => e.iter().map(|&e| ln(e)).collect(),
        None => vec![ln(1.0 / policies as f64); policies],
    }
}

fn first_actions(policies: &Policies) -> Vec<u32> {
    (0..policies.count).flat_map(|policy| policies.step(policy, 0).iter().copied()).collect()
}
