//! What a snapshot says of its crowd: one JSON object, its length and checksum before it.

use std::io::{self, Read, Write};

use populace_agent::Precision;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::{lengths, unreadable};
use crate::population::Population;
use crate::record::Number;
use crate::{Belief, Error, LifecyclePolicy, Result, Settings};

/// The version of the format: of the file, of records, and of this object.
const FORMAT: u32 = 1;

/// A crowd, but for its agents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    format: u32,
    /// How many agents each chunk has, and may have.
    pub(crate) chunks: Vec<usize>,
    pub(crate) chunk: usize,
    pub(crate) next_id: u64,
    pub(crate) retired: u64,
    pub(crate) recycled: u64,
    idle_after: Option<u64>,
    wakes: bool,
    pub(crate) tick: u64,
    pub(crate) hash: u64,
    pub(crate) agent_steps: u64,
    seed: u64,
    belief: Belief,
    mass: f64,
    tolerance: f64,
    /// Bytes of a number: 4 or 8.
    precision: u8,
    /// The length and the checksum of the model's file.
    pub(super) model_bytes: u64,
    pub(super) model_sum: u64,
}

/// What is read first: later formats may have other fields.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Header {
    /// Of a population with these settings, whose model's file this is.
    pub(super) fn of<T: Number>(
        population: &Population<T>,
        settings: &Settings,
        model: &[u8],
    ) -> Self {
        let life = &population.life;
        Self {
            format: FORMAT,
            chunks: lengths(population),
            chunk: population.chunk_agents,
            next_id: life.next_id,
            retired: life.retired,
            recycled: life.recycled,
            idle_after: life.policy.idle_after,
            wakes: life.policy.wakes,
            tick: population.ticks(),
            hash: population.trajectory_hash(),
            agent_steps: population.agent_steps(),
            seed: population.seed,
            belief: settings.belief,
            mass: settings.mass,
            tolerance: settings.tolerance,
            precision: match settings.precision {
                Precision::F32 => 4,
                Precision::F64 => 8,
            },
            model_bytes: model.len() as u64,
            model_sum: XxHash3_64::oneshot(model),
        }
    }

    /// The settings to go on with: of those given, what a snapshot does not hold.
    pub(crate) fn settings(&self, given: &Settings) -> Settings {
        Settings {
            agents: self.chunks.iter().map(|&agents| agents as u64).sum(),
            seed: self.seed,
            belief: self.belief,
            mass: self.mass,
            tolerance: self.tolerance,
            precision: if self.precision == 8 { Precision::F64 } else { Precision::F32 },
            ..given.clone()
        }
    }

    /// What becomes of agents that nobody steps, as far as it needs no file.
    pub(crate) fn policy(&self) -> LifecyclePolicy {
        LifecyclePolicy { idle_after: self.idle_after, wakes: self.wakes, sweeps: false }
    }

    pub(super) fn write(&self, magic: &[u8], out: &mut impl Write) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        out.write_all(magic)?;
        out.write_all(&(json.len() as u64).to_le_bytes())?;
        out.write_all(&XxHash3_64::oneshot(&json).to_le_bytes())?;
        out.write_all(&json)
    }

    /// Reads it; it has at most `most` bytes.
    pub(super) fn read(most: u64, from: &mut impl Read) -> Result<Self> {
        let mut numbers = [0; 16];
        from.read_exact(&mut numbers).map_err(unreadable)?;
        let [len, sum] =
            [0, 8].map(|at| u64::from_le_bytes(std::array::from_fn(|byte| numbers[at + byte])));
        let damaged = || Error::invalid("is damaged: its header's checksum does not match");
        if len > most {
            return Err(damaged());
        }
        let mut json = Vec::new();
        from.take(len).read_to_end(&mut json).map_err(unreadable)?;
        if sum != XxHash3_64::oneshot(&json) {
            return Err(damaged());
        }
        let unread = |error: serde_json::Error| Error::invalid(format!("its header: {error}"));
        let Version { format } = serde_json::from_slice(&json).map_err(unread)?;
        if format != FORMAT {
            return Err(Error::invalid(format!(
                "is a saved population of format {format}, and this version reads {FORMAT}"
            )));
        }
        let header: Self = serde_json::from_slice(&json).map_err(unread)?;
        let in_range = |&agents: &usize| (1..=header.chunk).contains(&agents);
        // Places in a chunk are counted in 4 bytes.
        let most = u32::MAX as usize;
        if !(1..=most).contains(&header.chunk) || !header.chunks.iter().all(in_range) {
            return Err(Error::invalid("is damaged: its header's chunks are of no size"));
        }
        Ok(header)
    }
}
