//! `populace plan`: what a run will take, before it runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use populace_pool::Bytes;
use populace_population::{Belief, Settings, plan};
use serde::Serialize;

use crate::failure::{Outcome, print};
use crate::figures::{grouped, seconds};
use crate::job::{Flags, Job};
use crate::summary::Split;
use crate::table::{Align, Table};

/// Say what a run will take, before it runs
///
/// By class of bytes and by tier; with the largest population that fits the budget.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// A model file, or a scenario (.toml) [default: the default run]
    #[arg(value_name = "MODEL|SCENARIO")]
    subject: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The plan in numbers; `engine_bytes_peak` and `bytes` are what `run` will report.
#[derive(Debug, Serialize)]
struct Report {
    version: u32,
    agents: u64,
    steps: u64,
    budget_bytes: u64,
    belief: &'static str,
    #[serde(flatten)]
    own: Tier,
    tiers: BTreeMap<&'static str, Tier>,
}

/// What one way of storing beliefs takes.
#[derive(Debug, Clone, Serialize)]
struct Tier {
    bytes: Split,
    engine_bytes_peak: u64,
    bytes_per_agent: f64,
    fits: bool,
    largest_agents: u64,
    tick_seconds: f64,
}
