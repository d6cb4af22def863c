//! `populace export`: a built-in model as a file.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Outcome;
use crate::scenario::{self, Builtin};

/// Write a built-in model to a file
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The model, as a scenario that names it and nothing else would have it
    #[arg(value_name = "BUILTIN")]
    builtin: Builtin,
    /// The safetensors file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Export {
    pub(crate) fn execute(&self) -> Outcome {
        let model = scenario::Model { builtin: Some(self.builtin), ..Default::default() };
        let (_, model) = model.build()?;
        Ok(model.save(&self.output)?)
    }
}
