//! A model made ready to run: tables and a program, shared by all agents.

pub(crate) mod by_policy;
mod composition;
pub(crate) mod exact_joint;
pub(crate) mod family;
pub(crate) mod following;
pub(crate) mod inductive;
pub(crate) mod joint;
pub(crate) mod learning;
pub(crate) mod likelihood;
pub(crate) mod novelty;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod program;
pub(crate) mod rows;
pub(crate) mod search;
pub(crate) mod sequence;
pub(crate) mod support;
pub(crate) mod transition;

use std::borrow::Cow;

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::{Isa, Real};

use crate::step::Number;
use crate::{ActionSelection, Dialect, Model, Result, SamplingMode};
use by_policy::ByPolicy;
use exact_joint::ExactJoint;
use following::Following;
use joint::JointOutcome;
use learning::Learning;
use likelihood::{Evidence, Said, Structure};
use plan::Plan;
pub use plan::{Answers, Planner};
use search::Search;
use sequence::Sequence;
pub use sequence::Window;
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
    /// The search over policies and outcomes, where asked for.
    pub(crate) search: Option<Search<T>>,
    /// What the sparse step needs, where the model allows it.
    pub(crate) support: Option<Support<T>>,
    /// What agents learn, where they do.
    pub(crate) learning: Option<Learning<T>>,
    /// What steps are worth over all modalities jointly, in the dialect `pymdp-0`.
    pub(crate) joint_outcome: Option<JointOutcome<T>>,
    /// How states are inferred over all factors jointly, where they are.
    pub(crate) exact_joint: Option<ExactJoint>,
    /// The policies, where they are followed for more than a step.
    pub(crate) following: Option<Following>,
    /// How states are inferred from a window, where they are.
    pub(crate) sequence: Option<Sequence>,
    /// What that needs where beliefs are a policy's own.
    pub(crate) by_policy: Option<ByPolicy>,
    /// What a sparse belief drops.
    pub(crate) threshold: T,
    pub(crate) num_iter: usize,
    pub(crate) gamma: T,
    pub(crate) alpha: T,
    pub(crate) dialect: Dialect,
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
    /// Compiles a model to answer what is asked of it, its tables in `memory`.
    ///
    /// # Errors
    ///
    /// The model is not valid, has too many policies to enumerate, or memory is refused.
    pub fn compile(model: &Model, answers: Answers, memory: &SharedResource) -> Result<Self>
    where
        T: Number,
    {
        T::compile(model, answers, memory)
    }

    pub(crate) fn compile_for(
        model: &Model,
        answers: Answers,
        memory: &SharedResource,
    ) -> Result<Self> {
        model.check()?;
        let factors = model.factors();
        let states = model.num_states();
        let mut first_row = vec![0];
        first_row.extend(states.iter().scan(0, |rows, &states| {
            *rows += states;
            Some(*rows)
        }));
        let learning = Learning::compile(model, memory)?;
        let transitions = (0..factors)
            .map(|f| Transition::compile(model, f, learning.as_ref(), memory))
            .collect::<Result<Vec<_>>>()?;
        // What an agent learns has no structure that is the same for all; pymdp-0 adds 1e-16 where
        // structure would clip.
        let plain = model.dialect == Dialect::Pymdp0;
        let structure = |a| if model.arguments.learn_a || plain { None } else { Structure::of(a) };
        let sequence = Sequence::of(model);
        let said = match model.dialect {
            Dialect::Pymdp0 => Said::Likelihood,
            Dialect::Pymdp1 if factors > 1 || sequence.is_some() => Said::Logarithm,
            Dialect::Pymdp1 => Said::Weight,
        };
        let structures: Vec<Option<Structure>> = model.a.iter().map(structure).collect();
        let evidence = (0..model.modalities())
            .map(|m| {
                let structure = structures[m].as_ref();
                Evidence::compile(model, m, structure, learning.as_ref(), said, memory)
            })
            .collect::<Result<Vec<_>>>()?;
        let plan = Plan::compile(&valued(model), answers, &transitions, &structures, memory)?;
        let threshold = support::threshold::<T>(&structures);
        let agent = &model.arguments;
        let plain = !agent.use_inductive
            && !agent.use_param_info_gain
            && agent.planning_interval == 1
            && learning.is_none()
            && model.sophisticated.is_none();
        let support = match plain {
            true => Support::compile(model, &transitions, &structures, threshold, memory)?,
            false => None,
        };
        let groups = groups(&evidence);
        let initial: Vec<T> = model.d.iter().flat_map(|d| d.to_f64()).map(T::from_f64).collect();
        Ok(Self {
            isa: Isa::best(),
            outcomes: model.num_obs(),
            actions: (0..factors).map(|f| model.actions_of(f)).collect(),
            initial: Array::copied(memory, &initial)?,
            by_policy: ByPolicy::compile(model, sequence, &transitions, answers, memory)?,
            exact_joint: ExactJoint::compile(model, &groups, memory)?,
            following: Following::compile(model, memory)?,
            groups,
            search: Search::compile(model, plan.scores.len(), memory)?,
            learning,
            joint_outcome: JointOutcome::compile(model, memory)?,
            sequence,
            threshold: T::from_f64(threshold),
            num_iter: model.arguments.num_iter,
            gamma: T::from_f64(model.arguments.gamma),
            alpha: T::from_f64(model.arguments.alpha),
            dialect: model.dialect,
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

    /// Whether an observation may be missing (−1): not in `pymdp-0`.
    pub fn observes_nothing(&self) -> bool {
        self.dialect == Dialect::Pymdp1
    }

    /// The flat actions of each factor.
    pub fn num_actions(&self) -> &[usize] {
        &self.actions
    }

    /// How many policies are weighed; first actions, where [`CompiledModel::planner`] is the graph.
    pub fn policy_count(&self) -> usize {
        self.plan.ln_habit.len()
    }

    /// How policies are weighed.
    pub fn planner(&self) -> Planner {
        if self.search.is_some() { Planner::Search } else { self.plan.planner }
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

/// The model as its steps are valued: a search takes utility and state information gain, whatever
/// its agent takes otherwise.
fn valued(model: &Model) -> Cow<'_, Model> {
    if model.sophisticated.is_none() {
        return Cow::Borrowed(model);
    }
    let mut valued = model.clone();
    valued.arguments.use_utility = true;
    valued.arguments.use_states_info_gain = true;
    valued.arguments.use_param_info_gain = false;
    valued.arguments.use_inductive = false;
    Cow::Owned(valued)
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
