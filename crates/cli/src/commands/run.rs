//! `populace run`: a population in its environment, tick by tick.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use populace_agent::TraceWriter;
use populace_pool::CountingAllocator;
use populace_population::Simulation;

use crate::failure::{Failure, Outcome};
use crate::flags::Flags;
use crate::interrupt::Interrupt;
use crate::job::Job;
use crate::output::{print, print_json};
use crate::prim;
use crate::progress::Progress;
use crate::summary::Summary;

/// Simulate a population
///
/// With nothing given: 100,000 agents of a 20 × 20 grid world, 100 ticks, in 256 MiB.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// What to simulate, a TOML file; flags go before what it says
    #[arg(value_name = "SCENARIO.toml")]
    scenario: Option<PathBuf>,
    /// A model file, which is then its own environment
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// Write every observation and action to a safetensors file
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

impl Run {
    fn simulation(&self, job: &Job) -> Outcome<Simulation> {
        let Job { model, process, settings, steps, schedule, .. } = job;
        let (process, traced) = (process.as_ref(), self.trace.is_some());
        let simulation = match schedule {
            None => Simulation::new(model, process, settings, *steps, traced),
            Some(_) if traced => {
                let why = "--trace: its rows are agents, and by [lifecycle] these come and go";
                return Err(Failure::input(why.to_owned()));
            }
            Some(schedule) => Simulation::living(model, process, settings, *steps, schedule),
        };
        simulation.map_err(|error| Failure::from(error).within(&job.title))
    }

    pub(crate) fn execute(&self) -> Outcome {
        let baseline = prim::resident_bytes_peak();
        let interrupt = Interrupt::listen()?;
        let job = Job::new(self.scenario.as_deref(), self.model.as_deref(), &self.flags)?;
        let mut simulation = self.simulation(&job)?;
        let trace = self.trace.as_deref().map(|path| {
            let (modalities, factors) = (job.model.modalities(), job.model.factors());
            let agents = job.settings.agents as usize;
            TraceWriter::create(path, job.steps as usize, agents, modalities, factors)
        });
        let mut trace = trace.transpose()?;

        let mut progress = Progress::new(job.steps, &job.settings);
        let start = Instant::now();
        let allocations = simulation.on_worker(|simulation| -> Outcome<u64> {
            let mut allocations = 0;
            while simulation.ticks() < job.steps && !interrupt.pressed() {
                let tick = simulation.ticks();
                let before = CountingAllocator::allocations();
                simulation.tick()?;
                if let Some(trace) = &mut trace {
                    let (seen, done) = (simulation.observations(), simulation.actions());
                    trace.put(tick as usize, 0, seen, done)?;
                }
                if tick >= job.steps / 2 {
                    allocations += CountingAllocator::allocations() - before;
                }
                progress.show(simulation);
            }
            Ok(allocations)
        })?;
        let seconds = start.elapsed().as_secs_f64();
        progress.clear();

        if let Some(trace) = trace {
            trace.finish(simulation.ticks() as usize)?;
        }
        let summary = Summary::new(&job, &mut simulation, seconds, allocations, baseline);
        if self.json {
            print_json(&summary)?
        } else {
            print(&summary.text())?
        }
        if simulation.ticks() < job.steps { Err(Failure::interrupted()) } else { Ok(()) }
    }
}
