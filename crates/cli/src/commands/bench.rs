//! `populace bench`: the project's own benchmarks, each answer checked before it is timed.
//!
//! What is timed is the steady state, as a long run has it: the ticks from [`WARM_TICKS`] on. The
//! first ticks of a run may cost more (an agent of the default grid starts with 16 possible states
//! and after six ticks has one) or less (with slip, beliefs spread first). So a rate agrees with
//! (t₂ − t₁) / (n₂ − n₁) of two `populace run`s of n₂ > n₁ ≥ [`WARM_TICKS`] steps; `--models`
//! writes the files for it.

mod bytes;
mod cases;
mod check;
mod epistemic_chaining;
mod pool;
mod spill;
mod subject;
mod tensor;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::PossibleValuesParser;
use populace_population::{Settings, Simulation};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::figures::{grouped, rate};
use crate::output::{print, print_json};
use crate::prim::Machine;
use crate::table::Table;
use cases::{CASES, Case};

/// Measure this machine, answers checked first
///
/// Each benchmark runs on one thread and on all; medians over ticks.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Which [default: all]
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(names()))]
    names: Vec<String>,
    /// Write the models to NAME.safetensors in this directory, and measure nothing
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    models: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was measured, and where.
#[derive(Serialize)]
struct Report {
    version: u32,
    machine: Machine,
    benches: Vec<Measured>,
}

/// A row of the report: its fields are its kind's own.
#[derive(Serialize)]
#[serde(untagged)]
enum Measured {
    Ticks(Row),
    Episode(epistemic_chaining::Row),
    Bytes(bytes::Row),
    Spill(spill::Row),
    Pool(#[serde(with = "pool::Columns")] populace_pool::workload::Row),
    Tensor(populace_tensor::workload::Row),
}

impl Measured {
    /// Its name, if its answer was not the expected one.
    fn wrong(&self) -> Option<&str> {
        let (name, checked) = match self {
            // Refused where they are run.
            Self::Ticks(_) | Self::Episode(_) => return None,
            Self::Bytes(row) => (bytes::NAME, row.checked),
            Self::Spill(row) => (spill::NAME, row.checked()),
            Self::Pool(row) => (&*row.name, row.checked),
            Self::Tensor(row) => (&*row.name, row.checked),
        };
        (!checked).then_some(name)
    }
}

/// Every benchmark's name.
fn names() -> impl Iterator<Item = &'static str> {
    let others = [epistemic_chaining::NAME, bytes::NAME, spill::NAME];
    let cases = CASES.iter().map(|case| case.name).chain(others);
    cases.chain(pool::SUBJECT.names()).chain(tensor::SUBJECT.names())
}

/// One benchmark on so many threads.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    agents: u64,
    threads: usize,
    median_ns_per_agent_step: f64,
    agent_steps_per_second_per_core: f64,
    bytes_per_agent: f64,
    checked: bool,
}

/// Ticks before the first that counts: beliefs settle into their tiers, caches warm.
const WARM_TICKS: u64 = 10;
/// Ticks that count, unless they take longer than [`ENOUGH`].
const TIMED_TICKS: u64 = 101;
/// A benchmark stops after this, once it has [`FEWEST_TICKS`].
const ENOUGH: Duration = Duration::from_secs(3);
const FEWEST_TICKS: usize = 5;

impl Bench {
    pub(crate) fn execute(&self) -> Outcome {
        let chosen =
            |name: &str| self.names.is_empty() || self.names.iter().any(|asked| asked == name);
        let cases = CASES.iter().filter(|case| chosen(case.name));
        if let Some(directory) = &self.models {
            return write_models(cases, directory);
        }
        let machine = Machine::this();
        let mut benches = Vec::new();
        for case in cases {
            check::against_oracle(case)?;
            let mut threads = vec![1];
            if case.agents > 1 && machine.cores > 1 {
                threads.push(machine.cores);
            }
            for threads in threads {
                benches.push(Measured::Ticks(measure(case, threads)?));
            }
        }
        if chosen(epistemic_chaining::NAME) {
            benches.extend(epistemic_chaining::rows()?.into_iter().map(Measured::Episode));
        }
        if chosen(bytes::NAME) {
            benches.extend(bytes::rows()?.into_iter().map(Measured::Bytes));
        }
        if chosen(spill::NAME) {
            benches.extend(spill::rows(machine.cores)?.into_iter().map(Measured::Spill));
        }
        benches.extend(pool::rows(&self.names)?.into_iter().map(Measured::Pool));
        benches.extend(tensor::rows(&self.names, machine.cores)?.into_iter().map(Measured::Tensor));
        let report = Report { version: 1, machine, benches };
        if self.json {
            print_json(&report)?;
        } else {
            print(&report.text())?;
        }
        match report.benches.iter().find_map(Measured::wrong) {
            Some(name) => {
                Err(Failure::other(format!("{name}: the answer is not the expected one")))
            }
            None => Ok(()),
        }
    }
}

/// Every case's model as a file, so that others can be measured on it.
fn write_models<'a>(cases: impl Iterator<Item = &'a Case>, directory: &Path) -> Outcome {
    let unwritable = |error| Failure::unwritable(directory, &error);
    std::fs::create_dir_all(directory).map_err(unwritable)?;
    for case in cases {
        (case.model)()?.save(directory.join(case.name).with_extension("safetensors"))?;
    }
    Ok(())
}

/// The median tick of a case.
fn measure(case: &Case, threads: usize) -> Outcome<Row> {
    let model = (case.model)()?;
    let settings = Settings { threads, ..case.settings() };
    let ticks = WARM_TICKS + TIMED_TICKS;
    let mut simulation = Simulation::new(&model, None, &settings, ticks, false)?;
    let mut nanoseconds = simulation.on_worker(|simulation| -> Outcome<Vec<f64>> {
        for _ in 0..WARM_TICKS {
            simulation.tick()?;
        }
        let mut nanoseconds = Vec::with_capacity(TIMED_TICKS as usize);
        let start = Instant::now();
        while simulation.ticks() < ticks
            && (nanoseconds.len() < FEWEST_TICKS || start.elapsed() < ENOUGH)
        {
            let tick = Instant::now();
            simulation.tick()?;
            nanoseconds.push(tick.elapsed().as_nanos() as f64);
        }
        Ok(nanoseconds)
    })?;
    nanoseconds.sort_by(f64::total_cmp);
    let median = nanoseconds[nanoseconds.len() / 2] / case.agents as f64;
    Ok(Row {
        name: case.name,
        agents: case.agents,
        threads,
        median_ns_per_agent_step: median,
        agent_steps_per_second_per_core: 1e9 / median / threads as f64,
        bytes_per_agent: simulation.bytes_per_agent(),
        checked: true,
    })
}

impl Report {
    fn text(&self) -> String {
        let (mut ticks, mut episodes, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        let (mut spills, mut pools, mut tensors) = (Vec::new(), Vec::new(), Vec::new());
        for bench in &self.benches {
            match bench {
                Measured::Ticks(row) => ticks.push(row),
                Measured::Episode(row) => episodes.push(row),
                Measured::Bytes(row) => sizes.push(row),
                Measured::Spill(row) => spills.push(row),
                Measured::Pool(row) => pools.push(row),
                Measured::Tensor(row) => tensors.push(row),
            }
        }
        let mut text = format!("{}\n", self.machine);
        if !ticks.is_empty() {
            text.push_str(&format!("\n{}", table(&ticks)));
        }
        if !episodes.is_empty() {
            text.push_str(&format!("\n{}", epistemic_chaining::table(&episodes)));
        }
        if !sizes.is_empty() {
            text.push_str(&format!("\n{}", bytes::table(&sizes)));
        }
        if !spills.is_empty() {
            text.push_str(&format!("\n{}", spill::table(&spills)));
        }
        if !pools.is_empty() {
            text.push_str(&format!("\n{}", pool::table(&pools)));
        }
        if !tensors.is_empty() {
            text.push_str(&format!("\n{}", tensor::table(&tensors)));
        }
        text
    }
}

fn table(rows: &[&Row]) -> String {
    let mut table = Table::numbers_after(1);
    table.row(["", "agents", "threads", "ns/step", "steps/s/core", "bytes/agent"]);
    for row in rows {
        table.row([
            row.name.to_owned(),
            grouped(row.agents),
            row.threads.to_string(),
            format!("{:.1}", row.median_ns_per_agent_step),
            rate(row.agent_steps_per_second_per_core),
            format!("{:.1}", row.bytes_per_agent),
        ]);
    }
    table.render()
}
