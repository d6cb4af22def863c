//! `--trace`: what a run observed and did, tick by tick; also of a run that is resumed.
//!
//! A resumed run has not seen the ticks before. Where the file already is their trace, as an interrupted
//! run leaves it, it is completed: its first ticks are taken over, and the hash of their actions must be
//! the checkpoint's. Where there is no file, the trace begins with the first tick that is run now.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use populace_agent::TraceWriter;
use populace_population::{Simulation, trajectory_term};
use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::job::Job;

/// A trace being written.
pub(super) struct Traced {
    writer: TraceWriter,
    /// The tick of its first row.
    first: u64,
}

impl Traced {
    /// A trace of a run at `path`, of its ticks from the first on, or from where it was resumed.
    pub(super) fn new(path: &Path, job: &Job, simulation: &Simulation) -> Outcome<Self> {
        let done = simulation.ticks();
        let (agents, steps) = (job.settings.agents as usize, job.steps);
        let (modalities, factors) = (job.model.modalities(), job.model.factors());
        let create = |first: u64| -> Outcome<Self> {
            let steps = (steps - first) as usize;
            let writer = TraceWriter::create(path, steps, agents, modalities, factors)?;
            Ok(Self { writer, first })
        };
        if done == 0 || !path.exists() {
            return create(done);
        }
        let another = || {
            Failure::input(format!(
                "--trace: {} is there, and no trace of the {done} ticks that were run before; name a \
                 file that is not there to trace those that follow",
                path.display()
            ))
        };
        let mut before = Before::open(path, [agents, modalities, factors], done)
            .map_err(|error| Failure::unreadable(path, &error))?
            .ok_or_else(another)?;
        let mut trace = create(0)?;
        let mut hash = 0_u64;
        for tick in 0..done {
            let (seen, actions) =
                before.tick(tick).map_err(|error| Failure::unreadable(path, &error))?;
            for (place, &action) in actions.iter().enumerate() {
                let (agent, factor) = (place / factors, place % factors);
                let term = trajectory_term(agent as u64, tick, factor as u64, action as u64);
                hash = hash.wrapping_add(term);
            }
            trace.writer.put(tick as usize, 0, seen, actions)?;
        }
        if hash == simulation.trajectory_hash() { Ok(trace) } else { Err(another()) }
    }

    /// Writes the last tick.
    pub(super) fn put(&mut self, tick: u64, simulation: &Simulation) -> Outcome {
        let (seen, done) = (simulation.observations(), simulation.actions());
        Ok(self.writer.put((tick - self.first) as usize, 0, seen, done)?)
    }

    /// Ends it after so many ticks of the run.
    pub(super) fn finish(self, ticks: u64) -> Outcome {
        Ok(self.writer.finish((ticks - self.first) as usize)?)
    }
}

/// The trace of the ticks before, read one tick at a time.
struct Before {
    file: BufReader<File>,
    /// Where both tensors start in the file, and how many numbers of each a tick has.
    starts: [u64; 2],
    lengths: [usize; 2],
    bytes: Vec<u8>,
    rows: [Vec<i32>; 2],
}

/// The header of a trace is a few hundred bytes.
const MOST_HEADER_BYTES: u64 = 1 << 16;

impl Before {
    /// Opens a trace of at least so many ticks; `None` where it is none of these agents.
    fn open(
        path: &Path,
        [agents, modalities, factors]: [usize; 3],
        ticks: u64,
    ) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut bytes = [0; 8];
        if length < 8 {
            return Ok(None);
        }
        file.read_exact(&mut bytes)?;
        let header_bytes = u64::from_le_bytes(bytes);
        if header_bytes > MOST_HEADER_BYTES.min(length - 8) {
            return Ok(None);
        }
        let mut header = vec![0; header_bytes as usize];
        file.read_exact(&mut header)?;
        let Ok(header) = serde_json::from_slice::<Value>(&header) else { return Ok(None) };
        let start = |name: &str, width: usize| {
            let tensor = &header[name];
            let shape: Vec<u64> = serde_json::from_value(tensor["shape"].clone()).ok()?;
            let there = shape[..] == [*shape.first()?, agents as u64, width as u64]
                && shape[0] >= ticks
                && tensor["dtype"] == "I32";
            let start = tensor["data_offsets"][0].as_u64()?.checked_add(8 + header_bytes)?;
            let end = ticks.checked_mul((agents * width * 4) as u64)?.checked_add(start)?;
            (there && end <= length).then_some(start)
        };
        let Some(starts) = start("observations", modalities).zip(start("actions", factors)) else {
            return Ok(None);
        };
        Ok(Some(Self {
            file: BufReader::new(file),
            starts: starts.into(),
            lengths: [agents * modalities, agents * factors],
            bytes: Vec::new(),
            rows: Default::default(),
        }))
    }

    /// What all agents observed and did at a tick.
    fn tick(&mut self, tick: u64) -> io::Result<(&[i32], &[i32])> {
        for ((start, &length), row) in self.starts.iter().zip(&self.lengths).zip(&mut self.rows) {
            self.file.seek(SeekFrom::Start(start + tick * 4 * length as u64))?;
            self.bytes.resize(4 * length, 0);
            self.file.read_exact(&mut self.bytes)?;
            row.clear();
            let numbers = self.bytes.as_chunks::<4>().0;
            row.extend(numbers.iter().map(|&number| i32::from_le_bytes(number)));
        }
        Ok((&self.rows[0], &self.rows[1]))
    }
}
