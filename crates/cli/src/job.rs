//! What a run or a plan is about: a model, its environment, and how many agents.
//!
//! Three sources are laid over each other: flags, then the scenario, then the default run.

use std::path::Path;

use populace_agent::Model;
use populace_population::Settings;

use crate::byte_size::ByteSize;
use crate::failure::{Failure, Outcome};
use crate::flags::{Flags, at_least_one};
use crate::scenario::Scenario;

/// A model, its environment, and the settings of a population.
pub(crate) struct Job {
    /// What a person calls the model.
    pub(crate) title: String,
    pub(crate) model: Model,
    /// The truth, where it is not the model itself.
    pub(crate) process: Option<Model>,
    pub(crate) settings: Settings,
    pub(crate) steps: u64,
}

impl Job {
    /// Lays flags over a scenario over the default run. `model` is `--model`: it takes the place
    /// of the scenario's `[model]`, keys and all.
    pub(crate) fn new(
        scenario: Option<&Path>,
        model: Option<&Path>,
        flags: &Flags,
    ) -> Outcome<Self> {
        let file = scenario;
        let scenario = file.map(Scenario::read).transpose()?.unwrap_or_default();
        let within = |failure: Failure| match file {
            Some(path) => failure.within(&path.display().to_string()),
            None => failure,
        };
        let (title, model) = match model {
            Some(path) => (path.display().to_string(), Model::load(path)?),
            None => scenario.model.build().map_err(within)?,
        };
        let process = scenario.environment.process.as_deref().map(Model::load).transpose()?;
        let default = Settings::default();
        let budget = flags.budget.or(scenario.memory.budget);
        let settings = Settings {
            agents: flags.agents.or(scenario.population.agents).unwrap_or(default.agents),
            budget_bytes: budget.map_or(default.budget_bytes, |ByteSize(bytes)| bytes),
            threads: flags.threads.unwrap_or(default.threads),
            chunk: flags.chunk,
            seed: flags.seed.or(scenario.run.seed).unwrap_or(default.seed),
            belief: flags.belief.or(scenario.memory.belief).map_or(default.belief, Into::into),
            mass: flags.mass.or(scenario.memory.mass).unwrap_or(default.mass),
            tolerance: flags.tolerance.or(scenario.memory.tolerance).unwrap_or(default.tolerance),
            precision: flags.precision.into(),
        };
        let steps = flags.steps.or(scenario.run.steps).unwrap_or(100);
        at_least_one("agents", settings.agents)?;
        at_least_one("steps", steps)?;
        Ok(Self { title, model, process, settings, steps })
    }

    /// As flags spell the arithmetic.
    pub(crate) fn precision_name(&self) -> &'static str {
        match self.settings.precision {
            populace_agent::Precision::F32 => "f32",
            populace_agent::Precision::F64 => "f64",
        }
    }
}
