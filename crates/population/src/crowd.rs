//! A population that is driven from outside: its world is the caller's.
//!
//! A step reads observations and writes actions where the caller has them; nothing is copied on the
//! way. What agents believe and how they weigh their policies is answered for those that are asked
//! about, from what is stored; asking changes nothing.
//!
//! Agents have ids, counted from 0 in the order of their births and never given twice. Where a call
//! takes no ids, its rows are all agents in memory, in the order of their ids ([`Crowd::ids`]); where
//! it takes some, its rows are in their order.
//!
//! With [`Settings::spill`], agents "in memory" may be on disk, too: what memory does not hold is read where
//! it is asked for, and stepped as if it were there. Should that disk fail, nobody is lost: a step that
//! failed is finished by the next call with the same observations, and until then nobody comes or goes.

mod ask;
mod drive;
mod learnt;

pub(crate) use ask::Enumerator;
pub use learnt::Parameters;

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::path::Path;

use populace_agent::{Answers, Model, Precision, Reals};
use populace_pool::SharedResource;

use crate::checkpoint::Resumed;
use crate::lifecycle::{Lifecycle, LifecyclePolicy};
use crate::population::{Population, Source};
use crate::precision::{Either, accessors, with};
use crate::tick::Observed;
use crate::{Environment, Moment, Result, Settings};

/// A population whose observations come from the caller and whose actions go to it.
///
/// ```
/// use populace_agent::models::{TmazeOptions, tmaze};
/// use populace_population::{Crowd, Settings};
///
/// let model = tmaze(&TmazeOptions::default())?;
/// let settings = Settings { agents: 3, budget_bytes: 8 << 20, ..Settings::default() };
/// let mut crowd = Crowd::new(&model, &settings)?;
/// let mut actions = [0; 3 * 2]; // (agents, factors)
/// crowd.step(&[0, 0, 0, 0, 0, 0, 0, 0, 0], &mut actions)?; // (agents, modalities)
/// assert_eq!(actions[..2], actions[2..4]);
/// assert_eq!(crowd.beliefs(&[1])?[1].iter().collect::<Vec<_>>(), [0.5, 0.5]);
///
/// crowd.retire(&[1])?;
/// assert_eq!(crowd.spawn(2)?, 3..5);
/// assert_eq!(crowd.ids(), [0, 2, 3, 4]);
/// crowd.step_subset(&[4, 0], &[0, 0, 0, 0, 0, 0], &mut actions[..4])?; // (ids, modalities)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Crowd(pub(crate) Either);

accessors!(Crowd);

/// How agents weigh their policies; row-major, a row an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyPosterior {
    /// The posterior over policies, (ids, P).
    pub q_pi: Reals,
    /// −EFE of every policy, (ids, P); empty where agents search, who compute none.
    pub neg_efe: Reals,
    /// P, how many policies there are.
    pub policies: usize,
}

impl Crowd {
    /// A population of agents of `model` that nobody has stepped yet. There may be none, to begin
    /// with.
    ///
    /// # Errors
    ///
    /// The model or the settings are not valid, ask for what is not there yet, or need more memory in
    /// the worst case than the budget.
    pub fn new(model: &Model, settings: &Settings) -> Result<Self> {
        let mut either = Self::driven(model, |source| {
            Ok(match settings.precision {
                Precision::F32 => Either::F32(Box::new(Population::new(source, settings)?)),
                Precision::F64 => Either::F64(Box::new(Population::new(source, settings)?)),
            })
        })?;
        // No two crowds are the same, so what their agents are known by is drawn.
        let run = RandomState::new().hash_one(model.num_obs());
        with!(&mut either, population => population.life.run = run);
        Ok(Self(either))
    }

    /// As [`Crowd::new`], where a checkpoint left off; agents at rest go to `store`.
    pub(crate) fn resumed(
        model: &Model,
        settings: &Settings,
        store: Option<&Path>,
        from: &Resumed<'_>,
    ) -> Result<Self> {
        let mut either = Self::driven(model, |source| {
            Ok(match settings.precision {
                Precision::F32 => {
                    Either::F32(Box::new(Population::resumed(source, settings, from)?))
                }
                Precision::F64 => {
                    Either::F64(Box::new(Population::resumed(source, settings, from)?))
                }
            })
        })?;
        let asleep = from.asleep()?;
        with!(&mut either, population => population.rest_again(store, asleep.as_ref()))?;
        Ok(Self(either))
    }

    /// What `make` makes of agents whose world is their caller's.
    fn driven<R>(model: &Model, make: impl FnOnce(&Source<'_>) -> Result<R>) -> Result<R> {
        let environment = |_: &SharedResource| -> Result<Box<dyn Environment>> {
            Ok(Box::new(Outside { soft: model.arguments.categorical_obs }))
        };
        make(&Source {
            model,
            environment: &environment,
            steps: None,
            keep_arrays: false,
            answers: Answers::Actions,
            changes: true,
        })
    }

    /// Steps every agent in memory once: `observations` is (agents, modalities), −1 is nothing;
    /// `actions`, (agents, factors), flat per factor, gets what the agents chose.
    ///
    /// # Errors
    ///
    /// An array is too long or too short, or an outcome is out of range: then nobody was stepped.
    /// Or the operating system refuses memory that the budget would allow. Or the sweep that the
    /// [policy](Self::set_policy) asks for fails: then everybody was stepped, and nobody hibernated.
    pub fn step(&mut self, observations: &[i32], actions: &mut [i32]) -> Result<()> {
        with!(&mut self.0, population => population.drive(Observed::Outcomes(observations), actions))
    }

    /// Steps the agents `ids`, and nobody else: all others are as they were. It is a tick of its own:
    /// rows are (ids, modalities) and (ids, factors), in the order of `ids`, and nobody is stepped
    /// twice. Of no ids, it lets a tick pass.
    ///
    /// What an agent does depends on its observations and on when it was stepped, not on who else was.
    ///
    /// # Errors
    ///
    /// As for [`Self::step`]; an id stands there twice, or is not in memory. A hibernated agent is woken
    /// where the [policy](Self::set_policy) says so; else it is an error, as an agent that is gone is.
    pub fn step_subset(
        &mut self,
        ids: &[u64],
        observations: &[i32],
        actions: &mut [i32],
    ) -> Result<()> {
        let observations = Observed::Outcomes(observations);
        with!(&mut self.0, population => population.drive_some(ids, observations, actions))
    }

    /// Steps agents of a model with `categorical_obs`, everyone in memory or the agents `ids`:
    /// `observations` is (rows, outcomes of all modalities), distributions over the outcomes of each
    /// modality; one of zeros is nothing.
    ///
    /// # Errors
    ///
    /// As of [`Self::step`] and [`Self::step_subset`].
    pub fn step_soft(
        &mut self,
        ids: Option<&[u64]>,
        observations: &[f64],
        actions: &mut [i32],
    ) -> Result<()> {
        let observations = Observed::Soft(observations);
        with!(&mut self.0, population => match ids {
            None => population.drive(observations, actions),
            Some(ids) => population.drive_some(ids, observations, actions),
        })
    }

    /// The actions, (agents, factors), that were really taken since the last step, where they are
    /// others than the agents chose: the next step starts from them.
    ///
    /// # Errors
    ///
    /// An agent was not stepped yet, the array is too long or too short, or an action is out of range:
    /// then nothing has changed.
    pub fn took(&mut self, actions: &[i32]) -> Result<()> {
        with!(&mut self.0, population => population.take(None, actions))
    }

    /// As [`Self::took`], of the agents `ids`: `actions` is (ids, factors).
    ///
    /// # Errors
    ///
    /// As for [`Self::took`]; an id stands there twice, or is not in memory.
    pub fn took_subset(&mut self, ids: &[u64], actions: &[i32]) -> Result<()> {
        with!(&mut self.0, population => population.take(Some(ids), actions))
    }

    /// What agents believe now, D before their first step: an array (ids, S_f) a factor.
    ///
    /// # Errors
    ///
    /// One of them is not in memory.
    pub fn beliefs(&mut self, ids: &[u64]) -> Result<Vec<Reals>> {
        with!(&mut self.0, population => {
            Ok(population.beliefs(ids)?.into_iter().map(Reals::from).collect())
        })
    }

    /// How far what agents believe may be from the exact beliefs: total-variation distances, 0 where
    /// nothing is lost, 1 where nothing is known.
    ///
    /// # Errors
    ///
    /// There is no such agent in memory.
    pub fn error_bounds(&mut self, ids: &[u64]) -> Result<Vec<f64>> {
        with!(&mut self.0, population => population.error_bounds(ids))
    }

    /// The counts that agents have now, and the arrays that they expect of them.
    ///
    /// # Errors
    ///
    /// One of them is not in memory, or agents learn nothing.
    pub fn parameters(&mut self, ids: &[u64]) -> Result<Parameters> {
        with!(&mut self.0, population => Ok(Parameters::new(population.parameters(ids)?)))
    }

    /// How agents weigh their policies by what they believe, and have learnt, now.
    ///
    /// # Errors
    ///
    /// One of them is not in memory; they weigh policies by their windows (pymdp-0's MMP); policies are
    /// too many to enumerate; or the budget does not hold
    /// what it takes to enumerate them, where agents act without.
    pub fn policies(&mut self, ids: &[u64]) -> Result<PolicyPosterior> {
        with!(&mut self.0, population => {
            let (q_pi, neg_efe, policies) = population.policies(ids)?;
            Ok(PolicyPosterior { q_pi: q_pi.into(), neg_efe: neg_efe.into(), policies })
        })
    }

    /// The ids of the agents in memory: the rows of [`Self::step`].
    pub fn ids(&self) -> Vec<u64> {
        with!(&self.0, population => population.ids())
    }

    /// Adds agents; answers their ids. Their prior is D, and they have nothing of anybody else's.
    ///
    /// # Errors
    ///
    /// They need more memory in the worst case than the budget leaves: the error says how many would
    /// fit, and nothing has changed.
    pub fn spawn(&mut self, count: u64) -> Result<Range<u64>> {
        with!(&mut self.0, population => population.give_birth(count))
    }

    /// Lets agents go for good, hibernated ones too; their memory is given back.
    ///
    /// # Errors
    ///
    /// An id stands there twice, or is of no agent; or the file of a hibernated agent cannot be
    /// written: then nothing has changed.
    pub fn retire(&mut self, ids: &[u64]) -> Result<()> {
        with!(&mut self.0, population => population.retire(ids))
    }

    /// Lets agents go for good and puts as many new ones, with new ids, in their places.
    ///
    /// # Errors
    ///
    /// As for [`Self::retire`] and [`Self::spawn`].
    pub fn recycle(&mut self, ids: &[u64]) -> Result<Range<u64>> {
        with!(&mut self.0, population => population.recycle(ids))
    }

    /// Opens the file that agents are hibernated in, or creates it, for its owner alone. Agents that
    /// it holds already, of the same model and settings, are this crowd's from now on: so a crowd of
    /// none takes over what another left.
    ///
    /// # Errors
    ///
    /// The crowd has a file already; the file is damaged, of other agents, or in use; an agent is both
    /// in it and in memory; or the budget does not hold what the file's store takes (a few MiB).
    pub fn hibernate_in(&mut self, path: impl AsRef<Path>) -> Result<()> {
        with!(&mut self.0, population => population.hibernate_in(path.as_ref()))
    }

    /// Writes agents to the file, durably and all at once, and gives their memory back.
    ///
    /// # Errors
    ///
    /// There is no file ([`Self::hibernate_in`]); an id stands there twice or is not in memory; or the
    /// file cannot be written: then everybody is still in memory.
    ///
    /// ```
    /// use populace_agent::models::Builtin;
    /// use populace_population::{Crowd, Settings};
    ///
    /// let model = Builtin::Tmaze.model()?;
    /// let settings = Settings { agents: 1000, budget_bytes: 16 << 20, ..Settings::default() };
    /// let mut crowd = Crowd::new(&model, &settings)?;
    /// let path = std::env::temp_dir().join(format!("rest-{}.redb", std::process::id()));
    /// crowd.hibernate_in(&path)?;
    /// crowd.hibernate(&(0..900).collect::<Vec<_>>())?;
    /// assert_eq!((crowd.agents(), crowd.lifecycle_counts().hibernated), (100, 900));
    /// crowd.wake(&[7])?;
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn hibernate(&mut self, ids: &[u64]) -> Result<()> {
        with!(&mut self.0, population => population.hibernate(ids))
    }

    /// Brings hibernated agents back into memory, bit for bit as they were.
    ///
    /// # Errors
    ///
    /// There is no file; an id stands there twice or is not hibernated; the budget does not hold them:
    /// then nothing has changed. Or the operating system refuses memory that the budget would allow:
    /// then some may be awake.
    pub fn wake(&mut self, ids: &[u64]) -> Result<()> {
        with!(&mut self.0, population => population.wake(ids))
    }

    /// Sets what becomes of agents that nobody steps; nothing, to begin with.
    ///
    /// # Errors
    ///
    /// Agents would be idle after 0 ticks; or sweeps have no idle time, or no
    /// [file](Self::hibernate_in) to hibernate agents in.
    pub fn set_policy(&mut self, policy: LifecyclePolicy) -> Result<()> {
        with!(&mut self.0, population => population.set_policy(policy))
    }

    /// Hibernates who is idle by the policy; answers how many were. That agents are idle is told
    /// ([`Self::listen`]) by the sweep that finds them so.
    ///
    /// # Errors
    ///
    /// The policy does not say when an agent is idle, or as for [`Self::hibernate`].
    pub fn sweep(&mut self) -> Result<u64> {
        with!(&mut self.0, population => population.sweep())
    }

    /// Where agents are in their lives. Who is gone has [retired](Lifecycle::Retired): nothing is left
    /// that tells the recycled from the others.
    ///
    /// # Errors
    ///
    /// There never was such an agent, or the file cannot be read.
    pub fn lifecycles(&mut self, ids: &[u64]) -> Result<Vec<Lifecycle>> {
        with!(&mut self.0, population => population.lifecycles(ids))
    }
}

/// No world at all: what an agent observes comes with the step.
struct Outside {
    /// Whether that is distributions.
    soft: bool,
}

impl Environment for Outside {
    fn state_bytes(&self) -> usize {
        0
    }

    fn begin(&self, _seed: u64, _agents: Range<u64>, _states: &mut [u8]) {}

    fn observe(&self, _: Moment, _: Range<u64>, _states: &mut [u8], observations: &mut [i32]) {
        observations.fill(-1);
    }

    fn is_soft(&self) -> bool {
        self.soft
    }

    fn act(&self, _: Moment, _: Range<u64>, _states: &mut [u8], _actions: &mut [i32]) {}
}
