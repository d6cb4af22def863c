//! The flags that commands share, and their values.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use populace_population::Settings;
use serde::Deserialize;

use crate::byte_size::ByteSize;
use crate::failure::{Failure, Outcome};

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
    /// As auto, in half precision: small, and not quite exact
    F16,
    /// As auto, in eight bits: smallest, and least exact
    Log8,
}

/// What beliefs may be demoted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Demote {
    /// Half precision
    F16,
    /// Half precision, then eight bits
    Log8,
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
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) agents: Option<u64>,
    /// Ticks; one steps every agent [default: 100]
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) steps: Option<u64>,
    /// Memory that the engine may take, such as 512MiB [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) budget: Option<ByteSize>,
    /// The lowest tier that beliefs may go down to where the budget would not hold them [default: none]
    #[arg(long, value_name = "TIER")]
    pub(crate) demote: Option<Demote>,
    /// Memory that one agent may have of its own [default: what its model takes]
    #[arg(long, value_name = "SIZE")]
    pub(crate) agent_budget: Option<ByteSize>,
    /// Where agents go that do not fit the budget: a directory, made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) spill: Option<PathBuf>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Agents a block; the results do not depend on it [default: by the model's size]
    #[arg(long, value_name = "N", value_parser = chunk)]
    pub(crate) chunk: Option<usize>,
    /// Seed of everything that is drawn [default: 1]
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) seed: Option<u64>,
    /// How beliefs are stored [default: auto]
    #[arg(long, value_name = "TIER")]
    pub(crate) belief: Option<Belief>,
    /// Mass that a step may drop from a belief, smallest entries first [default: 0]
    #[arg(long, value_name = "M", value_parser = number)]
    pub(crate) mass: Option<f64>,
    /// An agent whose error may be larger drops nothing until it is smaller [default: 1, no limit]
    #[arg(long, value_name = "TV", value_parser = number)]
    pub(crate) tolerance: Option<f64>,
    /// The arithmetic [default: f32]
    #[arg(long)]
    pub(crate) precision: Option<Precision>,
    /// Keep what every agent observed and did in the last N ticks [default: nothing]
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) history: Option<u64>,
}

/// A whole number as people write it, `100000` or `100_000`.
pub(crate) fn count(text: &str) -> Result<u64, &'static str> {
    text.replace('_', "").parse().map_err(|_| "a whole number below 2^64 is needed")
}

fn number(text: &str) -> Result<f64, &'static str> {
    text.parse().map_err(|_| "a number is needed")
}

/// A number of threads.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    const MOST: usize = Settings::MOST_THREADS;
    let threads = text.parse().ok().filter(|threads| (1..=MOST).contains(threads));
    threads.ok_or_else(|| format!("a whole number from 1 to {MOST} is needed"))
}

/// A number of ticks between two commits.
pub(crate) fn every(text: &str) -> Result<u64, &'static str> {
    count(text).ok().filter(|&ticks| ticks > 0).ok_or("a whole number from 1 on is needed")
}

fn chunk(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|&chunk| chunk > 0).ok_or("a whole number from 1 on is needed")
}

/// Refuses a count of nothing.
pub(crate) fn at_least_one(what: &str, count: u64) -> Outcome {
    if count == 0 {
        Err(Failure::input(format!("{what}: 0, but at least 1 is needed")))
    } else {
        Ok(())
    }
}

/// Every way of storing beliefs, by its name in tables and JSON.
pub(crate) const BELIEFS: [(&str, populace_population::Belief); 5] = [
    ("auto", populace_population::Belief::Auto),
    ("dense", populace_population::Belief::Dense),
    ("sparse", populace_population::Belief::Sparse),
    ("f16", populace_population::Belief::F16),
    ("log8", populace_population::Belief::Log8),
];

impl From<Belief> for populace_population::Belief {
    fn from(belief: Belief) -> Self {
        match belief {
            Belief::Auto => Self::Auto,
            Belief::Dense => Self::Dense,
            Belief::Sparse => Self::Sparse,
            Belief::F16 => Self::F16,
            Belief::Log8 => Self::Log8,
        }
    }
}

impl From<Demote> for populace_population::Belief {
    fn from(demote: Demote) -> Self {
        match demote {
            Demote::F16 => Self::F16,
            Demote::Log8 => Self::Log8,
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
