//! `populace export`: a built-in model as a file.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use populace_agent::models::Builtin;

use crate::failure::Outcome;

/// Write a built-in model to a file
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The model, as a scenario that names it and nothing else would have it
    #[arg(value_name = "BUILTIN", value_parser = builtins())]
    builtin: Builtin,
    /// The safetensors file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Export {
    pub(crate) fn execute(&self) -> Outcome {
        Ok(self.builtin.model()?.save(&self.output)?)
    }
}

/// Accepts a name; completions and near misses know all of them.
fn builtins() -> impl TypedValueParser<Value = Builtin> {
    PossibleValuesParser::new(Builtin::ALL.map(Builtin::name)).try_map(|name| name.parse())
}
