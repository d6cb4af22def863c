//! What a run or a plan is about: a model, its environment, and how many agents.
//!
//! Three sources are laid over each other: flags, then the scenario, then the default run.

use std::fmt::Display;
use std::path::Path;

use populace_agent::Model;
use populace_population::{Checkpoint, History, Schedule, Settings};

use crate::byte_size::ByteSize;
use crate::failure::{Failure, Outcome};
use crate::flags::{Belief, Flags, Precision, at_least_one};
use crate::scenario::{self, Scenario};

/// A model, its environment, and the settings of a population.
pub(crate) struct Job {
    /// What a person calls the model.
    pub(crate) title: String,
    pub(crate) model: Model,
    /// The truth, where it is not the model itself.
    pub(crate) process: Option<Model>,
    pub(crate) settings: Settings,
    pub(crate) steps: u64,
    /// Who comes and goes, if anybody does.
    pub(crate) schedule: Option<Schedule>,
}

/// What was asked for: flags laid over a scenario.
struct Asked {
    /// The model and its title, where one is named.
    model: Option<(String, Model)>,
    process: Option<Model>,
    agents: Option<u64>,
    budget: Option<ByteSize>,
    seed: Option<u64>,
    steps: Option<u64>,
    belief: Option<Belief>,
    mass: Option<f64>,
    tolerance: Option<f64>,
    precision: Option<Precision>,
    history: Option<History>,
    /// What the scenario and the flag say of it, one by one.
    kept: (scenario::History, Option<u64>),
    schedule: Option<Schedule>,
}

impl Asked {
    fn new(scenario: Option<&Path>, model: Option<&Path>, flags: &Flags) -> Outcome<Self> {
        let file = scenario;
        let scenario = file.map(Scenario::read).transpose()?.unwrap_or_default();
        let within = |failure: Failure| match file {
            Some(path) => failure.within(&path.display().to_string()),
            None => failure,
        };
        let model = match model {
            Some(path) => Some((path.display().to_string(), Model::load(path)?)),
            None if scenario.model.is_given() => Some(scenario.model.build().map_err(within)?),
            None => None,
        };
        let process = scenario.environment.process.as_deref().map(Model::load).transpose()?;
        let schedule = scenario.lifecycle.as_ref().map(|lifecycle| lifecycle.schedule());
        let schedule = schedule.transpose().map_err(within)?;
        let asked = Self {
            model,
            process,
            agents: flags.agents.or(scenario.population.agents),
            budget: flags.budget.or(scenario.memory.budget),
            seed: flags.seed.or(scenario.run.seed),
            steps: flags.steps.or(scenario.run.steps),
            belief: flags.belief.or(scenario.memory.belief),
            mass: flags.mass.or(scenario.memory.mass),
            tolerance: flags.tolerance.or(scenario.memory.tolerance),
            precision: flags.precision,
            history: scenario.history.over(flags.history),
            kept: (scenario.history, flags.history),
            schedule,
        };
        at_least_one("agents", asked.agents.unwrap_or(1))?;
        at_least_one("steps", asked.steps.unwrap_or(1))?;
        Ok(asked)
    }

    /// Refuses what a checkpoint's run is not.
    fn agrees_with(&self, checkpoint: &Checkpoint, path: &Path) -> Outcome {
        let path = path.display();
        let same = |what: &str, asked: Option<String>, there: String| match asked {
            Some(asked) if asked != there => Err(Failure::input(format!(
                "{what}: {asked} is asked for, and the run in {path} has {there}"
            ))),
            _ => Ok(()),
        };
        let number = |number: u64| number.to_string();
        same("agents", self.agents.map(number), number(checkpoint.agents()))?;
        same("seed", self.seed.map(number), number(checkpoint.seed()))?;
        same("steps", self.steps.map(number), number(checkpoint.steps()))?;
        let belief = |belief: populace_population::Belief| format!("{belief:?}").to_lowercase();
        same("belief", self.belief.map(|it| belief(it.into())), belief(checkpoint.belief()))?;
        let real = |number: f64| number.to_string();
        same("mass", self.mass.map(real), real(checkpoint.mass()))?;
        same("tolerance", self.tolerance.map(real), real(checkpoint.tolerance()))?;
        let precision = |precision| precision_name(precision).to_owned();
        let asked = self.precision.map(|it| precision(it.into()));
        same("precision", asked, precision(checkpoint.precision()))?;
        if let Some((title, model)) = &self.model
            && contents(model)? != contents(checkpoint.model())?
        {
            return Err(Failure::input(format!(
                "model: {title} is asked for, and the run in {path} has another, {}",
                checkpoint.title()
            )));
        }
        self.schedule_agrees_with(checkpoint, &path)?;
        if let Some(kept) = checkpoint.history() {
            let (scenario, ticks) = &self.kept;
            let contradiction = scenario.contradiction(*ticks, kept);
            if let Some((what, asked, there)) = contradiction {
                same(what, Some(asked), there)?;
            }
        }
        if let Some(process) = &self.process
            && checkpoint.process().map(contents).transpose()? != Some(contents(process)?)
        {
            return Err(Failure::input(format!(
                "process: another is asked for than the run in {path} has"
            )));
        }
        Ok(())
    }
}

impl Asked {
    /// Refuses a `[lifecycle]` that a checkpoint's run has not; its store may be another.
    fn schedule_agrees_with(&self, checkpoint: &Checkpoint, path: &impl Display) -> Outcome {
        let Some(asked) = &self.schedule else { return Ok(()) };
        let Some(there) = checkpoint.schedule() else {
            return Err(Failure::input(format!(
                "[lifecycle]: agents are asked to come and go, and those of the run in {path} stay"
            )));
        };
        if *asked != (Schedule { store: asked.store.clone(), ..there.clone() }) {
            return Err(Failure::input(format!(
                "[lifecycle]: another is asked for than the run in {path} has, which is {there:?}"
            )));
        }
        Ok(())
    }
}

/// A model as its file would be: equal where models are.
fn contents(model: &Model) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    model.write(&mut bytes)?;
    Ok(bytes)
}

/// As flags spell the arithmetic.
fn precision_name(precision: populace_agent::Precision) -> &'static str {
    match precision {
        populace_agent::Precision::F32 => "f32",
        populace_agent::Precision::F64 => "f64",
    }
}

impl Job {
    /// Lays flags over a scenario over the default run. `model` is `--model`: it takes the place
    /// of the scenario's `[model]`, keys and all.
    pub(crate) fn new(
        scenario: Option<&Path>,
        model: Option<&Path>,
        flags: &Flags,
    ) -> Outcome<Self> {
        let asked = Asked::new(scenario, model, flags)?;
        let (title, model) = match asked.model {
            Some(named) => named,
            None => Scenario::default().model.build()?,
        };
        let default = Settings::default();
        let settings = Settings {
            agents: asked.agents.unwrap_or(default.agents),
            budget_bytes: asked.budget.map_or(default.budget_bytes, |ByteSize(bytes)| bytes),
            threads: flags.threads.unwrap_or(default.threads),
            chunk: flags.chunk,
            spill: flags.spill.clone(),
            seed: asked.seed.unwrap_or(default.seed),
            belief: asked.belief.map_or(default.belief, Into::into),
            mass: asked.mass.unwrap_or(default.mass),
            tolerance: asked.tolerance.unwrap_or(default.tolerance),
            precision: asked.precision.map_or(default.precision, Into::into),
            history: asked.history,
            ..default
        };
        let steps = asked.steps.unwrap_or(100);
        Ok(Self { title, model, process: asked.process, settings, steps, schedule: asked.schedule })
    }

    /// The run of a checkpoint. What is asked for beside it must agree; the budget, the threads and
    /// the chunks are free.
    pub(crate) fn resume(
        checkpoint: &Checkpoint,
        path: &Path,
        scenario: Option<&Path>,
        model: Option<&Path>,
        flags: &Flags,
    ) -> Outcome<Self> {
        let asked = Asked::new(scenario, model, flags)?;
        asked.agrees_with(checkpoint, path)?;
        let store = asked.schedule.and_then(|schedule| schedule.store);
        let schedule = checkpoint.schedule().map(|there| {
            let store = store.or_else(|| there.store.clone());
            Schedule { store, ..there.clone() }
        });
        let default = Settings::default();
        let settings = Settings {
            agents: checkpoint.agents(),
            budget_bytes: asked.budget.map_or(default.budget_bytes, |ByteSize(bytes)| bytes),
            threads: flags.threads.unwrap_or(default.threads),
            chunk: flags.chunk,
            spill: flags.spill.clone(),
            seed: checkpoint.seed(),
            belief: checkpoint.belief(),
            mass: checkpoint.mass(),
            tolerance: checkpoint.tolerance(),
            precision: checkpoint.precision(),
            history: asked.history,
            ..default
        };
        Ok(Self {
            title: checkpoint.title().to_owned(),
            model: checkpoint.model().clone(),
            process: checkpoint.process().cloned(),
            settings,
            steps: checkpoint.steps(),
            schedule,
        })
    }

    /// As flags spell the arithmetic.
    pub(crate) fn precision_name(&self) -> &'static str {
        precision_name(self.settings.precision)
    }
}
