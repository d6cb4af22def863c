//! `populace export`: a built-in model as a file.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::failure::Outcome;
use crate::output::Output;
use crate::scenario::{self, Builtin};

/// Write a built-in model to a file
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The model, as a scenario's [model] builds it when it names nothing else
    #[arg(value_name = "BUILTIN")]
    builtin: Builtin,
    /// The file, safetensors
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}
