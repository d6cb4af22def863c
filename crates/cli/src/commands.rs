//! The subcommands, a file each.

mod bench;
mod completions;
mod export;
mod infer;
mod inspect;
mod plan;
mod run;

use clap::{Parser, Subcommand};

use crate::failure::Outcome;

/// Very large populations of active-inference agents inside a memory budget you set.
#[derive(Debug, Parser)]
#[command(name = "populace", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Populace {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Run),
    Infer(infer::Infer),
    Plan(plan::Plan),
    Inspect(inspect::Inspect),
    Export(export::Export),
    Bench(bench::Bench),
    Completions(completions::Completions),
}

impl Command {
    /// Does it.
    pub(crate) fn execute(&self) -> Outcome {
        match self {
            Self::Run(run) => run.execute(),
            Self::Infer(infer) => infer.execute(),
            Self::Plan(plan) => plan.execute(),
            Self::Inspect(inspect) => inspect.execute(),
            Self::Export(export) => export.execute(),
            Self::Bench(bench) => bench.execute(),
            Self::Completions(completions) => completions.execute(),
        }
    }
}
