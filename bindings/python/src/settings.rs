//! The settings of a population by their names in Python.

use populace_agent::Precision;
use populace_population::history::Codec;
use populace_population::{Belief, History, Settings};

use crate::errors::{Failure, Result};

/// What Python gives, checked.
#[allow(clippy::too_many_arguments)] // Python's keywords, one each
pub(crate) fn settings(
    agents: u64,
    budget_bytes: u64,
    seed: u64,
    threads: usize,
    chunk: Option<usize>,
    belief: &str,
    precision: &str,
) -> Result<Settings> {
    let belief = match belief {
        "auto" => Belief::Auto,
        "dense" => Belief::Dense,
        "sparse" => Belief::Sparse,
        "f16" => Belief::F16,
        "log8" => Belief::Log8,
        other => return Err(unknown("belief", other, "auto, dense, sparse, f16 or log8")),
    };
    let precision = self::precision(precision)?;
    Ok(Settings {
        agents,
        budget_bytes,
        threads,
        chunk,
        seed,
        belief,
        precision,
        // A population can be saved at any time, so what that takes is kept free.
        checkpoint: true,
        ..Settings::default()
    })
}

/// A precision by its name.
pub(crate) fn precision(name: &str) -> Result<Precision> {
    match name {
        "f32" => Ok(Precision::F32),
        "f64" => Ok(Precision::F64),
        other => Err(unknown("precision", other, "f32 or f64")),
    }
}

/// The name of a precision.
pub(crate) fn name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::F64 => "f64",
    }
}

/// What is kept of the past, as Python says it: ticks, bytes, codec, whether beliefs.
pub(crate) type Keeping = (u64, Option<u64>, String, bool);

/// What is kept of the past.
pub(crate) fn history(keeping: Option<Keeping>) -> Result<Option<History>> {
    let Some((ticks, bytes, codec, beliefs)) = keeping else { return Ok(None) };
    let codec = match codec.as_str() {
        "zstd" => Codec::Zstd,
        "zlib" => Codec::Zlib,
        "lz4" => Codec::Lz4,
        "none" => Codec::None,
        other => return Err(unknown("codec", other, "zstd, zlib, lz4 or none")),
    };
    Ok(Some(History { ticks, bytes, codec, beliefs }))
}

fn unknown(name: &str, value: &str, known: &str) -> Failure {
    Failure::invalid(format!("{name}: {value:?} is not {known}"))
}
