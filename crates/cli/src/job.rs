//! What a run, a plan or a question to them is about: a model, its environment, and how many.
//!
//! Three sources are laid over each other: flags, then the scenario, then the default run.

use std::path::Path;

use clap::{Args, ValueEnum};
use populace_agent::Model;
use populace_agent::models::{Builtin, GridOptions, GridStart, grid};
use populace_population::Settings;
use serde::Deserialize;

use crate::byte_size::ByteSize;
use crate::failure::{Failure, Outcome};
use crate::scenario::{self, Scenario, Start};

/// How beliefs are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Belief {
    /// Dense while diffuse, sparse once the support is small
    Auto,
    /// Every state's probability
    Dense,
    /// The states that are possible, and their probabilities
    Sparse,
}

/// The arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    F32,
    F64,
}

/// The flags that `run` and `plan` share.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// Agents [default: 100000]
    #[arg(long, value_name = "N")]
    agents: Option<u64>,
    /// Ticks; one steps every agent [default: 100]
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Memory that the engine may take, such as 512MiB [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    budget: Option<ByteSize>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Agents a block; the results do not depend on it [default: by the model's size]
    #[arg(long, value_name = "N")]
    chunk: Option<usize>,
    /// Seed of everything that is drawn [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How beliefs are stored [default: auto]
    #[arg(long, value_name = "TIER")]
    belief: Option<Belief>,
    /// The arithmetic
    #[arg(long, default_value = "f32")]
    precision: Precision,
}

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
        let ByteSize(budget_bytes) =
            flags.budget.or(scenario.memory.budget).unwrap_or(ByteSize(256 << 20));
        let agents = flags.agents.or(scenario.population.agents).unwrap_or(100_000);
        let steps = flags.steps.or(scenario.run.steps).unwrap_or(100);
        at_least_one("agents", agents)?;
        at_least_one("steps", steps)?;
        if let Some(threads) = flags.threads {
            at_least_one("threads", threads as u64)?;
        }
        if let Some(chunk) = flags.chunk {
            at_least_one("chunk", chunk as u64)?;
        }
        let settings = Settings {
            agents,
            budget_bytes,
            threads: flags.threads.unwrap_or(0),
            chunk: flags.chunk,
            seed: flags.seed.or(scenario.run.seed).unwrap_or(1),
            belief: flags.belief.or(scenario.memory.belief).unwrap_or(Belief::Auto).into(),
            precision: flags.precision.into(),
        };
        Ok(Self { title, model, process, settings, steps })
    }
}

impl Job {
    /// As flags spell the arithmetic.
    pub(crate) fn precision_name(&self) -> &'static str {
        match self.settings.precision {
            populace_agent::Precision::F32 => "f32",
            populace_agent::Precision::F64 => "f64",
        }
    }
}

impl scenario::Model {
    /// The model that a scenario's `[model]` describes, and its title.
    pub(crate) fn build(&self) -> Outcome<(String, Model)> {
        if let Some(path) = &self.path {
            if self.builtin.is_some() {
                return Err(Failure::input("[model] has both `path` and `builtin`: which one?"));
            }
            self.only_of_grid(&format!("the file {}", path.display()))?;
            return Ok((path.display().to_string(), Model::load(path)?));
        }
        let builtin = self.builtin.unwrap_or(Builtin::Grid);
        if builtin != Builtin::Grid {
            self.only_of_grid(builtin.name())?;
            return Ok((builtin.name().to_owned(), builtin.model()?));
        }
        let default = GridOptions::default();
        let options = GridOptions {
            side: self.side.unwrap_or(default.side),
            slip: self.slip.unwrap_or(default.slip),
            noise: self.noise.unwrap_or(default.noise),
            start: match self.start {
                Some(Start::Block) => GridStart::Block,
                Some(Start::Anywhere) => GridStart::Anywhere,
                None => default.start,
            },
            seed: self.seed.unwrap_or(default.seed),
        };
        Ok((format!("grid {0} × {0}", options.side), grid(&options)?))
    }

    /// Refuses the grid's keys beside a model that does not know them.
    fn only_of_grid(&self, model: &str) -> Outcome {
        let keys = [
            ("side", self.side.is_some()),
            ("slip", self.slip.is_some()),
            ("noise", self.noise.is_some()),
            ("start", self.start.is_some()),
            ("seed", self.seed.is_some()),
        ];
        match keys.iter().find(|(_, given)| *given) {
            Some((key, _)) => Err(Failure::input(format!(
                "[model] `{key}` shapes the built-in grid and means nothing for {model}"
            ))),
            None => Ok(()),
        }
    }
}

pub(crate) fn at_least_one(what: &str, count: u64) -> Outcome {
    if count == 0 {
        Err(Failure::input(format!("{what}: 0, but at least 1 is needed")))
    } else {
        Ok(())
    }
}

impl From<Belief> for populace_population::Belief {
    fn from(belief: Belief) -> Self {
        match belief {
            Belief::Auto => Self::Auto,
            Belief::Dense => Self::Dense,
            Belief::Sparse => Self::Sparse,
        }
    }
}

impl From<Precision> for populace_agent::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F64 => Self::F64,
        }
    }
}
