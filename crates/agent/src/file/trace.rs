//! What all agents of a run observed and did, written tick by tick.
//!
//! A trace is a safetensors file of `observations` (steps, agents, M) and `actions` (steps, agents,
//! F), int32. The format wants the header first and one tensor's data after the other's, but a run
//! may end early; so the file is laid out for the planned steps and every tick is written to its
//! two places:
//!
//! ```text
//! header | observations of tick 0, 1, … planned − 1 | actions of tick 0, 1, … planned − 1
//! ```
//!
//! When fewer ticks than planned were run, the actions are moved down to where the observations
//! end, the file is cut and the header rewritten, in the same number of bytes (padded with spaces,
//! as the format allows). Memory: one buffer of 64 KiB, whatever the population.
//! Like every output, the file appears under its name only when it is finished.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::atomic::AtomicFile;
use super::values::write_numbers;
use super::writer::header;
use crate::{Error, ErrorKind, Result};

/// Writes a trace; dropped before [`finish`](Self::finish), it leaves no file behind.
///
/// ```
/// use populace_agent::TraceWriter;
///
/// let path = std::env::temp_dir().join(format!("trace-{}.safetensors", std::process::id()));
/// // Two agents, one modality, two state factors; 10 steps are planned, one is run.
/// let mut trace = TraceWriter::create(&path, 10, 2, 1, 2)?;
/// trace.put(0, 0, &[3, 4], &[0, 1, 2, 0])?;
/// trace.finish(1)?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), populace_agent::Error>(())
/// ```
#[derive(Debug)]
pub struct TraceWriter {
    out: AtomicFile,
    scratch: Vec<u8>,
    planned: usize,
    agents: usize,
    modalities: usize,
    factors: usize,
    header_bytes: usize,
}

impl TraceWriter {
    /// Opens a trace of at most `steps` ticks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`], naming the path, where it cannot be written;
    /// [`ErrorKind::Invalid`] where its size cannot be counted, or it is no regular file.
    pub fn create(
        path: impl AsRef<Path>,
        steps: usize,
        agents: usize,
        modalities: usize,
        factors: usize,
    ) -> Result<Self> {
        let path = path.as_ref();
        let values = (modalities as u128 + factors as u128) * agents as u128;
        if values.saturating_mul(steps as u128 * 4) > i64::MAX as u128 - (1 << 20) {
            return Err(Error::invalid(format!(
                "{}: {steps} steps of {agents} agents are too many for a file",
                path.display()
            )));
        }
        let mut trace = Self {
            out: AtomicFile::create(path)?,
            scratch: Vec::new(),
            planned: steps,
            agents,
            modalities,
            factors,
            header_bytes: 0,
        };
        if !trace.out.is_regular() {
            return Err(Error::new(
                ErrorKind::Io,
                format!(
                    "{}: cannot be written: a trace needs a regular file, which it can go back in",
                    path.display()
                ),
            ));
        }
        let header = trace.header(steps);
        trace.header_bytes = header.len();
        let bytes = trace.actions_start(steps) + trace.actions_bytes(steps);
        trace.attempt(|trace| {
            trace.out.file().write_all(&header)?;
            trace.out.file().set_len(bytes)
        })?;
        Ok(trace)
    }

    /// Writes what a range of agents, from `first_agent` on, observed and did in a tick:
    /// `observations` (agents, M), `actions` (agents, F). Ranges may come in any order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`], naming the path, where it cannot be written.
    ///
    /// # Panics
    ///
    /// Where the range is outside the planned ticks and agents, or the two slices are of different
    /// numbers of agents.
    pub fn put(
        &mut self,
        tick: usize,
        first_agent: usize,
        observations: &[i32],
        actions: &[i32],
    ) -> Result<()> {
        let agents = observations.len() / self.modalities.max(1);
        assert!(
            observations.len() == agents * self.modalities
                && actions.len() == agents * self.factors
                && tick < self.planned
                && first_agent + agents <= self.agents,
            "a trace of {} ticks and {} agents has no place for agents {first_agent} + {agents} \
             of tick {tick}",
            self.planned,
            self.agents
        );
        let place = (tick * self.agents + first_agent) as u64 * 4;
        let observed = self.header_bytes as u64 + place * self.modalities as u64;
        let acted = self.actions_start(self.planned) + place * self.factors as u64;
        self.attempt(|trace| {
            let file = trace.out.file();
            for (start, values) in [(observed, observations), (acted, actions)] {
                file.seek(SeekFrom::Start(start))?;
                write_numbers(values, &mut trace.scratch, |bytes| file.write_all(bytes))?;
            }
            Ok(())
        })
    }

    /// Ends the trace after `ticks` ticks and lets the file appear.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`], naming the path, where it cannot be written.
    ///
    /// # Panics
    ///
    /// Where more ticks are claimed than were planned.
    pub fn finish(mut self, ticks: usize) -> Result<()> {
        assert!(ticks <= self.planned, "{ticks} ticks of {} planned", self.planned);
        if ticks < self.planned {
            self.attempt(|trace| {
                let (from, to) = (trace.actions_start(trace.planned), trace.actions_start(ticks));
                let bytes = trace.actions_bytes(ticks);
                trace.move_down(from, to, bytes)?;
                trace.out.file().set_len(to + bytes)?;
                let header = trace.header(ticks);
                trace.out.file().seek(SeekFrom::Start(0))?;
                trace.out.file().write_all(&header)
            })?;
        }
        self.out.commit()
    }

    /// The header of a trace of `steps`, as long as the planned one's, which no shorter run's
    /// numbers exceed.
    fn header(&self, steps: usize) -> Vec<u8> {
        let observations = [steps, self.agents, self.modalities];
        let actions = [steps, self.agents, self.factors];
        let tensors =
            [("observations", "I32", &observations[..], 4), ("actions", "I32", &actions[..], 4)];
        header(tensors, None, self.header_bytes)
    }

    fn actions_start(&self, steps: usize) -> u64 {
        self.header_bytes as u64 + (steps * self.agents * self.modalities) as u64 * 4
    }

    fn actions_bytes(&self, steps: usize) -> u64 {
        (steps * self.agents * self.factors) as u64 * 4
    }

    /// Moves bytes towards the start of the file, front to back, so that they may overlap.
    fn move_down(&mut self, from: u64, to: u64, bytes: u64) -> io::Result<()> {
        const CHUNK_BYTES: u64 = 64 << 10;
        let mut moved = 0;
        while moved < bytes {
            let chunk = CHUNK_BYTES.min(bytes - moved) as usize;
            self.scratch.resize(chunk, 0);
            let file = self.out.file();
            file.seek(SeekFrom::Start(from + moved))?;
            file.read_exact(&mut self.scratch)?;
            file.seek(SeekFrom::Start(to + moved))?;
            file.write_all(&self.scratch)?;
            moved += chunk as u64;
        }
        Ok(())
    }

    fn attempt(&mut self, work: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<()> {
        work(self).map_err(|error| self.out.error(&error))
    }
}
