//! The progress bar: on a terminal only, never in a pipe.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use populace_pool::Bytes;
use populace_population::{Settings, Simulation};

use crate::figures;

/// How often the bar is drawn at most.
const INTERVAL: Duration = Duration::from_millis(100);

/// Ticks done, agent-steps a second, bytes used of the budget.
pub(crate) struct Progress {
    bar: ProgressBar,
    budget_bytes: u64,
    /// Steps that were made before the bar: by the run that is resumed.
    before: u64,
    start: Instant,
    drawn: Instant,
}

impl Progress {
    /// A bar for so many ticks.
    pub(crate) fn new(steps: u64, settings: &Settings, simulation: &Simulation) -> Self {
        // indicatif draws on standard error and stays silent where that is no terminal.
        let bar = ProgressBar::new(steps);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} ticks  {msg}") {
            bar.set_style(style);
        }
        let now = Instant::now();
        let (budget_bytes, before) = (settings.budget_bytes, simulation.agent_steps());
        Self { bar, budget_bytes, before, start: now, drawn: now }
    }

    /// Draws how far a simulation is, if it is time to.
    pub(crate) fn show(&mut self, simulation: &Simulation) {
        if self.bar.is_hidden() || self.drawn.elapsed() < INTERVAL {
            return;
        }
        self.drawn = Instant::now();
        let ticks = simulation.ticks();
        let steps = (simulation.agent_steps() - self.before) as f64;
        self.bar.set_message(format!(
            "{} agent-steps/s  {} of {}",
            figures::rate(steps / self.start.elapsed().as_secs_f64()),
            Bytes(simulation.memory().total()),
            Bytes(self.budget_bytes),
        ));
        self.bar.set_position(ticks);
    }

    /// Takes the bar away, so that the summary stands alone.
    pub(crate) fn clear(self) {
        self.bar.finish_and_clear();
    }
}
