//! A population and its world, in the precision that was asked for.

use std::sync::Arc;

use populace_agent::{Answers, Model, Precision};
use populace_pool::{Pool, Record, SharedResource};

use crate::checkpoint::Resumed;
use crate::generative::MOST_FACTORS;
use crate::hibernation::fingerprint_of_run;
use crate::population::{Population, Source};
use crate::precision::{Either, accessors, with};
use crate::{Environment, Error, ErrorKind, Generative, Result, Schedule, Settings};

/// A population of agents in the generative environment of a model.
///
/// ```
/// use populace_agent::models::{GridOptions, grid};
/// use populace_population::{Settings, Simulation};
///
/// let model = grid(&GridOptions { side: 5, ..GridOptions::default() })?;
/// let settings = Settings { agents: 1000, budget_bytes: 8 << 20, ..Settings::default() };
/// let mut simulation = Simulation::new(&model, None, &settings, 10, false)?;
/// while simulation.ticks() < 10 {
///     simulation.tick()?;
/// }
/// assert!(simulation.peak().total() <= 8 << 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Simulation(pub(crate) Either);

accessors!(Simulation);

impl Simulation {
    /// A population of agents of `model` in the world of `process` (their own model's, where none is
    /// given), at its first tick, to run for `steps` ticks.
    ///
    /// With `keep_arrays` the observations and actions of the last tick can be read.
    ///
    /// # Errors
    ///
    /// The model or the settings are not valid, ask for what is not there yet, or need more memory in
    /// the worst case than the budget: then nothing has been run.
    pub fn new(
        model: &Model,
        process: Option<&Model>,
        settings: &Settings,
        steps: u64,
        keep_arrays: bool,
    ) -> Result<Self> {
        Self::in_world(model, process, steps, keep_arrays, |source| {
            Ok(Self(match settings.precision {
                Precision::F32 => Either::F32(Box::new(Population::new(source, settings)?)),
                Precision::F64 => Either::F64(Box::new(Population::new(source, settings)?)),
            }))
        })
    }

    /// As [`Simulation::new`], of agents that come and go by a schedule.
    ///
    /// # Errors
    ///
    /// As for [`Simulation::new`], the worst case being that of the most agents that there can be at
    /// once; the schedule makes no sense; the store cannot be opened, or holds agents already.
    pub fn living(
        model: &Model,
        process: Option<&Model>,
        settings: &Settings,
        steps: u64,
        schedule: &Schedule,
    ) -> Result<Self> {
        Self::living_in((model, process), settings, steps, schedule, false)
    }

    /// As [`Simulation::living`], of a run that was begun before: whoever its store holds is forgotten.
    pub(crate) fn living_again(
        world: (&Model, Option<&Model>),
        settings: &Settings,
        steps: u64,
        schedule: &Schedule,
    ) -> Result<Self> {
        Self::living_in(world, settings, steps, schedule, true)
    }

    fn living_in(
        (model, process): (&Model, Option<&Model>),
        settings: &Settings,
        steps: u64,
        schedule: &Schedule,
        again: bool,
    ) -> Result<Self> {
        schedule.check()?;
        let run = fingerprint_of_run(model, process.unwrap_or(model), settings, schedule);
        Self::in_world(model, process, steps, false, |source| {
            let source = Source { changes: true, ..*source };
            let precision = settings.precision;
            let mut either = match precision {
                Precision::F32 => Either::F32(Box::new(Population::new(&source, settings)?)),
                Precision::F64 => Either::F64(Box::new(Population::new(&source, settings)?)),
            };
            with!(&mut either, population => population.live(schedule, steps, run, again))?;
            Ok(Self(either))
        })
    }

    /// As [`Simulation::new`] or [`Simulation::living`], where a checkpoint left off.
    pub(crate) fn resumed(
        (model, process): (&Model, Option<&Model>),
        settings: &Settings,
        schedule: Option<&Schedule>,
        keep_arrays: bool,
        from: &Resumed<'_>,
    ) -> Result<Self> {
        let steps = from.header.steps;
        Self::in_world(model, process, steps, keep_arrays, |source| {
            let source = Source { changes: schedule.is_some(), ..*source };
            let precision = settings.precision;
            let mut either = match precision {
                Precision::F32 => {
                    Either::F32(Box::new(Population::resumed(&source, settings, from)?))
                }
                Precision::F64 => {
                    Either::F64(Box::new(Population::resumed(&source, settings, from)?))
                }
            };
            if let Some(schedule) = schedule {
                let (store, asleep) = (schedule.store.as_deref(), from.asleep()?);
                with!(&mut either, population => {
                    population.rest_again(store, asleep.as_ref())?;
                    population.admit_schedule(schedule, steps)
                })?;
            }
            Ok(Self(either))
        })
    }

    /// As [`Simulation::new`], with everything that agents and threads ask of the pool written down,
    /// to be replayed and learned from ([`Record::trace`]). The worst case is not asked for beforehand.
    ///
    /// # Errors
    ///
    /// As for [`Simulation::new`]; the memory of the beginning does not fit the budget.
    ///
    /// ```
    /// use populace_agent::models::{GridOptions, grid};
    /// use populace_population::{Settings, Simulation};
    ///
    /// let model = grid(&GridOptions { side: 5, slip: 0.1, ..GridOptions::default() })?;
    /// let settings = Settings { agents: 100, threads: 1, ..Settings::default() };
    /// let (mut simulation, record) = Simulation::recorded(&model, None, &settings, 5)?;
    /// simulation.tick()?;
    /// assert!(record.trace().allocations() > 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recorded(
        model: &Model,
        process: Option<&Model>,
        settings: &Settings,
        steps: u64,
    ) -> Result<(Self, Arc<Record<Pool>>)> {
        Self::in_world(model, process, steps, false, |source| {
            Ok(match settings.precision {
                Precision::F32 => {
                    let (population, record) = Population::recorded(source, settings)?;
                    (Self(Either::F32(Box::new(population))), record)
                }
                Precision::F64 => {
                    let (population, record) = Population::recorded(source, settings)?;
                    (Self(Either::F64(Box::new(population))), record)
                }
            })
        })
    }

    /// What `make` makes of agents of `model` in the world of `process`.
    pub(crate) fn in_world<R>(
        model: &Model,
        process: Option<&Model>,
        steps: u64,
        keep_arrays: bool,
        make: impl FnOnce(&Source<'_>) -> Result<R>,
    ) -> Result<R> {
        let world = process.unwrap_or(model);
        if let Some(process) = process {
            process.check()?;
            fits(model, process)?;
        }
        let environment = |memory: &SharedResource| -> Result<Box<dyn Environment>> {
            Ok(Box::new(Generative::new(world, memory)?))
        };
        let source = Source {
            model,
            answers: Answers::Actions,
            environment: &environment,
            steps: Some(steps),
            keep_arrays,
            changes: false,
        };
        make(&source)
    }

    /// Steps every agent in memory once, after whoever comes or goes by the schedule, if there is one.
    ///
    /// # Errors
    ///
    /// The operating system refuses memory that the budget would allow; or, before anybody is stepped,
    /// the budget does not hold who comes, or the store cannot be written; or the directory that agents
    /// spill to fails, and then nothing is lost: once it is mended, the next call finishes this tick.
    pub fn tick(&mut self) -> Result<()> {
        with!(&mut self.0, population => {
            population.change()?;
            population.tick(None)
        })
    }

    /// Runs `work` on one of the population's threads: ticks started there need no hand-over
    /// between threads, which would allocate now and then.
    pub fn on_worker<R: Send>(&mut self, work: impl FnOnce(&mut Self) -> R + Send) -> R {
        let threads = with!(&self.0, population => population.threads());
        threads.run(|| work(self))
    }

    /// The observations of the last tick, (agents, modalities); empty unless kept.
    pub fn observations(&self) -> &[i32] {
        with!(&self.0, population => population.kept().0)
    }

    /// The actions of the last tick, (agents, factors), flat per factor; empty unless kept.
    pub fn actions(&self) -> &[i32] {
        with!(&self.0, population => population.kept().1)
    }
}

/// Checks that agents of `model` can live in the world of `process`.
fn fits(model: &Model, process: &Model) -> Result<()> {
    let same = |what: &str, model: &dyn std::fmt::Debug, process: &dyn std::fmt::Debug, equal| {
        if equal {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "process: its {what} are {process:?}, the model's are {model:?}"
        )))
    };
    let (ours, theirs) = (model.num_obs(), process.num_obs());
    same("outcomes by modality", &ours, &theirs, ours == theirs)?;
    let actions = |model: &Model| -> Vec<usize> {
        (0..model.factors()).map(|f| model.actions_of(f)).collect()
    };
    let (ours, theirs) = (actions(model), actions(process));
    same("actions by factor", &ours, &theirs, ours == theirs)?;
    if process.factors() > MOST_FACTORS {
        let message = format!("process: {} factors, at most {MOST_FACTORS}", process.factors());
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(())
}
