//! `populace`: very large populations of active-inference agents inside a memory budget.
//!
//! One file a subcommand, in [`commands`]; everything that a file or a flag can get wrong ends in
//! one [`Failure`](failure::Failure), which is printed as one line and decides the exit code.
#![forbid(unsafe_code)]

mod byte_size;
mod commands;
mod failure;
mod figures;
mod flags;
mod interrupt;
mod job;
mod output;
mod prim;
mod progress;
mod scenario;
mod summary;
mod table;

use std::process::ExitCode;

use clap::Parser;
use populace_pool::CountingAllocator;

/// Counts, so that `run` can report how often the heap was asked.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    let outcome = match commands::Populace::try_parse() {
        Ok(populace) => populace.command.execute(),
        Err(error) => failure::usage(&error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
