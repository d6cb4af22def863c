//! `[model]`: a file, or a built-in with its options.

use std::path::PathBuf;

use populace_agent::models::{Builtin, GridOptions, GridStart, grid};
use serde::{Deserialize, Deserializer, de};

use crate::failure::{Failure, Outcome};

/// The section as it stands in its file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Model {
    pub(crate) path: Option<PathBuf>,
    #[serde(deserialize_with = "builtin")]
    pub(crate) builtin: Option<Builtin>,
    pub(crate) side: Option<usize>,
    pub(crate) slip: Option<f64>,
    pub(crate) noise: Option<f64>,
    pub(crate) start: Option<Start>,
    pub(crate) seed: Option<u64>,
}

/// Where agents of the grid believe to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Start {
    Block,
    Anywhere,
}

/// The library knows its models by name, so the names stand there.
fn builtin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Builtin>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(de::Error::custom)
}

impl Model {
    /// Whether the section says anything.
    pub(crate) fn is_given(&self) -> bool {
        let Self { path, builtin, side, slip, noise, start, seed } = self;
        path.is_some()
            || builtin.is_some()
            || side.is_some()
            || slip.is_some()
            || noise.is_some()
            || start.is_some()
            || seed.is_some()
    }

    /// The model that a scenario's `[model]` describes, and its title.
    pub(crate) fn build(&self) -> Outcome<(String, populace_agent::Model)> {
        if let Some(path) = &self.path {
            if self.builtin.is_some() {
                return Err(Failure::input("[model] has both `path` and `builtin`: which one?"));
            }
            self.only_of_grid(&format!("the file {}", path.display()))?;
            return Ok((path.display().to_string(), populace_agent::Model::load(path)?));
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
