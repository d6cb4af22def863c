//! `populace run`: a population in its environment, tick by tick.

mod keeper;
mod traced;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use populace_pool::CountingAllocator;
use populace_population::{Checkpoint, Simulation};

use crate::failure::{Failure, Outcome};
use crate::flags::{Flags, every};
use crate::interrupt::Interrupt;
use crate::job::Job;
use crate::output::{print, print_json};
use crate::prim;
use crate::progress::Progress;
use crate::summary::{Before, Summary};
use keeper::Keeper;
use traced::Traced;

/// Simulate a population
///
/// With nothing given: 100,000 agents of a 20 × 20 grid world, 100 ticks, in 256 MiB.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)] // so that what is wrong is the flag's value
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
    /// Keep the run in a file, so that it can be resumed whatever happens
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Ticks from one commit to the checkpoint to the next; one more is at the end [default: 10]
    #[arg(long, value_name = "N", value_parser = every, requires = "checkpoint")]
    every: Option<u64>,
    /// Go on with a run where its checkpoint was committed; it may be the file of --checkpoint
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
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
            Some(schedule) => Simulation::living(model, process, settings, *steps, schedule),
        };
        simulation.map_err(|error| Failure::from(error).within(&job.title))
    }

    pub(crate) fn execute(&self) -> Outcome {
        let baseline = prim::resident_bytes_peak();
        let interrupt = Interrupt::listen()?;
        let resumed = self.resume.as_deref().map(Checkpoint::open).transpose()?.flatten();
        let (scenario, model) = (self.scenario.as_deref(), self.model.as_deref());
        let mut job = match (&resumed, &self.resume) {
            (Some(checkpoint), Some(path)) => {
                Job::resume(checkpoint, path, scenario, model, &self.flags)?
            }
            _ => Job::new(scenario, model, &self.flags)?,
        };
        job.settings.checkpoint = self.checkpoint.is_some();
        if job.schedule.is_some() && self.trace.is_some() {
            let why = "--trace: its rows are agents, and by [lifecycle] these come and go";
            return Err(Failure::input(why.to_owned()));
        }
        // Agents at rest go where the scenario says, if it says so.
        let resumed = resumed.map(|checkpoint| match job.schedule.as_ref().map(|it| &it.store) {
            Some(Some(store)) => checkpoint.rest_in(store),
            _ => checkpoint,
        });
        let mut simulation = match &resumed {
            Some(checkpoint) if self.trace.is_some() => {
                checkpoint.resume_keeping_arrays(&job.settings)?
            }
            Some(checkpoint) => checkpoint.resume(&job.settings)?,
            None => self.simulation(&job)?,
        };
        let before = Before::now(&simulation);
        let trace = self.trace.as_deref().map(|path| Traced::new(path, &job, &simulation));
        let mut trace = trace.transpose()?;
        let resumed = resumed.zip(self.resume.as_deref());
        let mut keeper = match &self.checkpoint {
            Some(path) => Some(Keeper::new(path, resumed, &job, self.every, &mut simulation)?),
            None => {
                drop(resumed);
                None
            }
        };

        let mut progress = Progress::new(job.steps, &job.settings, &simulation);
        let start = Instant::now();
        let allocations = simulation.on_worker(|simulation| -> Outcome<u64> {
            let mut allocations = 0;
            while simulation.ticks() < job.steps && !interrupt.pressed() {
                let tick = simulation.ticks();
                let before = CountingAllocator::allocations();
                simulation.tick()?;
                if let Some(trace) = &mut trace {
                    trace.put(tick, simulation)?;
                }
                if tick >= job.steps / 2 {
                    allocations += CountingAllocator::allocations() - before;
                }
                if let Some(keeper) = &mut keeper {
                    keeper.after_tick(simulation)?;
                }
                progress.show(simulation);
            }
            if let Some(keeper) = &mut keeper {
                keeper.at_end(simulation)?;
            }
            Ok(allocations)
        })?;
        let seconds = start.elapsed().as_secs_f64();
        progress.clear();

        if let Some(trace) = trace {
            trace.finish(simulation.ticks())?;
        }
        let summary = Summary::new(&job, &mut simulation, &before, seconds, allocations, baseline);
        if self.json {
            print_json(&summary)?
        } else {
            print(&summary.text())?
        }
        if simulation.ticks() < job.steps { Err(Failure::interrupted()) } else { Ok(()) }
    }
}
