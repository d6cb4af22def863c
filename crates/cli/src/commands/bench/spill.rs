//! Twice as many agents as memory holds, beside what the disk alone would take.
//!
//! Ticks, ticks of the same run with room for all, and plain passes over a file of as many bytes take
//! turns: one thread reads the file from its start to its end and writes it again, a mebibyte at a time.
//! The ratio is a plain pass ÷ a tick: 1 where nothing but the disk's rate bounds a tick. Both go through
//! the system's cache of files, as a run does; where that is faster than agents are stepped, stepping is
//! what bounds the ratio, and what streaming adds to it is a tick − one in memory.
//!
//! So there are two populations of as large beliefs: one that plans and acts in the default grid, where
//! most of a tick is planning, and one that follows something through it and only infers, where a tick
//! is little more than a pass over its beliefs.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use populace_agent::models::{GridOptions, grid};
use populace_agent::{Model, Tensor};
use populace_pool::Bytes;
use populace_population::{Belief, Settings, Simulation};
use serde::Serialize;

use super::WARM_TICKS;
use crate::failure::{Failure, Outcome};
use crate::figures::{grouped, seconds};
use crate::table::Table;

pub(super) const NAME: &str = "spill";

/// Dense beliefs of the default grid: 1,600 bytes each.
const AGENTS: u64 = 60_000;
const TIMED_TICKS: usize = 15;
const BUFFER_BYTES: usize = 1 << 20;

/// A population of twice the budget.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    name: &'static str,
    /// What its agents do.
    subject: &'static str,
    agents: u64,
    threads: usize,
    budget_bytes: u64,
    working_set_bytes: u64,
    /// Read and written by a tick, together.
    streamed_bytes: u64,
    tick_seconds: f64,
    /// The same tick where nothing is streamed.
    memory_seconds: f64,
    plain_seconds: f64,
    /// A plain pass over as many bytes ÷ a tick.
    ratio: f64,
    checked: bool,
}

/// Runs them on so many threads.
pub(super) fn rows(threads: usize) -> Outcome<Vec<Row>> {
    let grid = grid(&GridOptions::default())?;
    let follower = follower(&grid)?;
    [("grid", grid), ("following", follower)]
        .iter()
        .map(|(subject, model)| row(subject, model, threads))
        .collect()
}

/// Agents that see a walker in the grid as those who live there see themselves: through the same noise,
/// and it goes where it likes. There is nothing that they could do about it.
fn follower(grid: &Model) -> Outcome<Model> {
    let states = grid.num_states()[0];
    let moves = grid.num_controls[0];
    let chances = grid.b[0].to_dense();
    let mut walks = vec![0.0; states * states];
    for (entry, chance) in walks.iter_mut().enumerate() {
        let moved = (0..moves).map(|action| chances.values().get(entry * moves + action));
        *chance = moved.sum::<f64>() / moves as f64;
    }
    let b = Tensor::dense([states, states, 1], walks)?;
    let mut model = Model::new(grid.dialect, grid.a.clone(), vec![b]);
    model.d = grid.d.clone();
    model.check()?;
    Ok(model)
}

fn row(subject: &'static str, model: &Model, threads: usize) -> Outcome<Row> {
    let directory = tempfile::tempdir()
        .map_err(|error| Failure::other(format!("{NAME}: no directory for files: {error}")))?;
    let whole = Settings {
        agents: AGENTS,
        budget_bytes: 1 << 30,
        threads,
        belief: Belief::Dense,
        ..Settings::default()
    };
    let working_set_bytes = in_memory_bytes(model, &whole)?;
    let mut roomy = Simulation::new(model, None, &whole, steps(), false)?;
    let settings = Settings {
        budget_bytes: working_set_bytes / 2,
        spill: Some(directory.path().to_owned()),
        ..whole
    };
    let unmeasured =
        |error: std::io::Error| Failure::other(format!("{NAME}: a plain pass: {error}"));
    let mut run = Simulation::new(model, None, &settings, steps(), false)?;
    (0..WARM_TICKS).try_for_each(|_| run.tick())?;
    (0..=WARM_TICKS).try_for_each(|_| roomy.tick())?;
    let before = run.spilled();
    run.tick()?;
    let after = run.spilled();
    let (read, written) =
        (after.read_bytes - before.read_bytes, after.written_bytes - before.written_bytes);
    let mut plain = Plain::new(directory.path(), read.midpoint(written)).map_err(unmeasured)?;
    let (mut ticks, mut in_memory, mut passes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMED_TICKS {
        let start = Instant::now();
        run.tick()?;
        ticks.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        roomy.tick()?;
        in_memory.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        plain.pass().map_err(unmeasured)?;
        passes.push(start.elapsed().as_secs_f64());
    }
    let (tick, memory, pass) = (median(ticks), median(in_memory), median(passes));
    Ok(Row {
        name: NAME,
        subject,
        agents: AGENTS,
        threads,
        budget_bytes: settings.budget_bytes,
        working_set_bytes,
        streamed_bytes: read + written,
        tick_seconds: tick,
        memory_seconds: memory,
        plain_seconds: pass,
        ratio: pass / tick,
        checked: run.trajectory_hash() == roomy.trajectory_hash()
            && run.peak().total() <= settings.budget_bytes,
    })
}

fn steps() -> u64 {
    WARM_TICKS + 1 + TIMED_TICKS as u64
}

/// The most that the run takes that has room.
fn in_memory_bytes(model: &Model, settings: &Settings) -> Outcome<u64> {
    let mut run = Simulation::new(model, None, settings, steps(), false)?;
    (0..steps()).try_for_each(|_| run.tick())?;
    Ok(run.peak().total())
}

/// A file, read and written from its start to its end.
struct Plain {
    file: File,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Plain {
    fn new(directory: &Path, bytes: u64) -> std::io::Result<Self> {
        let file = tempfile::tempfile_in(directory)?;
        let mut plain = Self { file, bytes, buffer: vec![0xA5; BUFFER_BYTES] };
        plain.write()?;
        Ok(plain)
    }

    fn pass(&mut self) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut rest = self.bytes;
        while rest > 0 {
            let bytes = rest.min(BUFFER_BYTES as u64) as usize;
            self.file.read_exact(&mut self.buffer[..bytes])?;
            rest -= bytes as u64;
        }
        self.write()
    }

    fn write(&mut self) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut rest = self.bytes;
        while rest > 0 {
            let bytes = rest.min(BUFFER_BYTES as u64) as usize;
            self.file.write_all(&self.buffer[..bytes])?;
            rest -= bytes as u64;
        }
        Ok(())
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// The rows as a table.
pub(super) fn table(rows: &[&Row]) -> String {
    let mut table = Table::numbers_after(1);
    table.row([
        "",
        "agents",
        "threads",
        "budget",
        "needs",
        "streamed",
        "tick",
        "in memory",
        "plain",
        "ratio",
    ]);
    for row in rows {
        table.row([
            format!("{} {}", row.name, row.subject),
            grouped(row.agents),
            row.threads.to_string(),
            Bytes(row.budget_bytes).to_string(),
            Bytes(row.working_set_bytes).to_string(),
            Bytes(row.streamed_bytes).to_string(),
            seconds(row.tick_seconds),
            seconds(row.memory_seconds),
            seconds(row.plain_seconds),
            format!("{:.2}", row.ratio),
        ]);
    }
    table.render()
}

impl Row {
    /// Whether it was the run that it had to be.
    pub(super) fn checked(&self) -> bool {
        self.checked
    }
}
