//! `--checkpoint`: when a run is committed, and to which file.

use std::fs::canonicalize;
use std::path::Path;

use populace_population::{Checkpoint, CheckpointWriter, Run, Simulation};

use crate::failure::Outcome;
use crate::job::Job;

/// Ticks from one commit to the next, where nobody says.
const EVERY: u64 = 10;

/// Commits a run every so often, and at its end.
pub(super) struct Keeper {
    writer: CheckpointWriter,
    every: u64,
    /// The tick of the last commit.
    committed: u64,
}

impl Keeper {
    /// Opens the checkpoint at `path`: the one that the run was resumed from (and its path), if it is
    /// the same file, else a new one.
    pub(super) fn new(
        path: &Path,
        resumed: Option<(Checkpoint, &Path)>,
        job: &Job,
        every: Option<u64>,
        simulation: &mut Simulation,
    ) -> Outcome<Self> {
        let same = |other: &Path| matches!((canonicalize(path), canonicalize(other)), (Ok(one), Ok(two)) if one == two);
        let every = every.unwrap_or(EVERY);
        let committed = simulation.ticks();
        if let Some((checkpoint, _)) = resumed.filter(|(_, other)| same(other)) {
            return Ok(Self { writer: checkpoint.into_writer()?, every, committed });
        }
        let run = Run {
            process: job.process.as_ref(),
            schedule: job.schedule.as_ref(),
            ..Run::new(&job.title, &job.model, &job.settings, job.steps)
        };
        let mut writer = CheckpointWriter::create(path, &run)?;
        if committed > 0 {
            writer.commit(simulation)?;
        }
        Ok(Self { writer, every, committed })
    }

    /// Commits if it is time to.
    pub(super) fn after_tick(&mut self, simulation: &mut Simulation) -> Outcome {
        if simulation.ticks().is_multiple_of(self.every) { self.commit(simulation) } else { Ok(()) }
    }

    /// Commits what is not committed yet: the run ends, or is interrupted.
    pub(super) fn at_end(&mut self, simulation: &mut Simulation) -> Outcome {
        if simulation.ticks() > self.committed { self.commit(simulation) } else { Ok(()) }
    }

    fn commit(&mut self, simulation: &mut Simulation) -> Outcome {
        self.writer.commit(simulation)?;
        self.committed = simulation.ticks();
        Ok(())
    }
}
