//! Twice as many agents as memory holds, beside what the disk alone would take.
//!
//! Ticks, ticks of the same run with room for all, and plain passes over a file of as many bytes take
//! turns: one thread reads the file from its start to its end and writes it again, a mebibyte at a time.
//! The ratio is a plain pass ÷ a tick: 1 where nothing but the disk's rate bounds a tick. Both go through
//! the system's cache of files, as a run does; where that is faster than agents are stepped, stepping is
//! what bounds the ratio, and what streaming adds to it is a tick − one in memory.
//!
//! So there are two populations: one that lives in the default grid, of whom a tick steps everybody; and a
//! crowd of the same agents of whom a tick calls every tenth, so that as much is streamed and less is
//! computed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use populace_agent::models::{GridOptions, grid};
use populace_pool::Bytes;
use populace_population::{Belief, Crowd, Memory, Settings, Simulation, Spilled};
use serde::Serialize;

use super::WARM_TICKS;
use crate::failure::{Failure, Outcome};
use crate::figures::{grouped, seconds};
use crate::table::Table;

pub(super) const NAME: &str = "spill";

/// Dense beliefs of the default grid: 1,600 bytes each.
const AGENTS: u64 = 60_000;
const TIMED_TICKS: usize = 15;
/// Of how many agents a crowd's tick calls one.
const CALLED: u64 = 10;
const BUFFER_BYTES: usize = 1 << 20;

/// A population of twice the budget.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    name: &'static str,
    /// Whose agents they are.
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
    let model = grid(&GridOptions::default())?;
    let living = |settings: &Settings| {
        let simulation = Simulation::new(&model, None, settings, steps(), false)?;
        Ok(Subject::Living(Box::new(simulation)))
    };
    let called = |settings: &Settings| {
        Ok(Subject::Called(Box::new(Crowd::new(&model, settings)?), model.num_obs()[0] as u64))
    };
    Ok(vec![row("grid", threads, living)?, row("crowd", threads, called)?])
}

/// Who is stepped.
enum Subject {
    /// Everybody, in their world.
    Living(Box<Simulation>),
    /// Every tenth agent, who sees one of so many outcomes.
    Called(Box<Crowd>, u64),
}

impl Subject {
    fn tick(&mut self) -> Outcome {
        match self {
            Self::Living(run) => run.tick()?,
            Self::Called(crowd, outcomes) => {
                let tick = crowd.ticks();
                let ids: Vec<u64> = (tick % CALLED..AGENTS).step_by(CALLED as usize).collect();
                let seen: Vec<i32> =
                    ids.iter().map(|id| ((id + tick) % *outcomes) as i32).collect();
                crowd.step_subset(&ids, &seen, &mut vec![0; ids.len()])?;
            }
        }
        Ok(())
    }

    /// What it has done, the most memory that it took, and what it has on disk.
    fn told(&self) -> (u64, Memory, Spilled) {
        match self {
            Self::Living(it) => (it.trajectory_hash(), it.peak(), it.spilled()),
            Self::Called(it, _) => (it.trajectory_hash(), it.peak(), it.spilled()),
        }
    }
}

fn row(
    subject: &'static str,
    threads: usize,
    make: impl Fn(&Settings) -> Outcome<Subject>,
) -> Outcome<Row> {
    let directory = tempfile::tempdir()
        .map_err(|error| Failure::other(format!("{NAME}: no directory for files: {error}")))?;
    let whole = Settings {
        agents: AGENTS,
        budget_bytes: 1 << 30,
        threads,
        belief: Belief::Dense,
        ..Settings::default()
    };
    let mut roomy = make(&whole)?;
    (0..=WARM_TICKS).try_for_each(|_| roomy.tick())?;
    let working_set_bytes = roomy.told().1.total();
    let settings = Settings {
        budget_bytes: working_set_bytes / 2,
        spill: Some(directory.path().to_owned()),
        ..whole
    };
    let unmeasured =
        |error: std::io::Error| Failure::other(format!("{NAME}: a plain pass: {error}"));
    let mut run = make(&settings)?;
    (0..WARM_TICKS).try_for_each(|_| run.tick())?;
    let (_, _, before) = run.told();
    run.tick()?;
    let (_, _, after) = run.told();
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
    let ((hash, peak, _), (expected, ..)) = (run.told(), roomy.told());
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
        checked: hash == expected && peak.total() <= settings.budget_bytes,
    })
}

fn steps() -> u64 {
    WARM_TICKS + 1 + TIMED_TICKS as u64
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
