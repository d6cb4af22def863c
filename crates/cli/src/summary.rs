//! What a run was: for a person, or as one JSON object.
//!
//! Invariant: the six classes of [`Split`] add up to `engine_bytes_peak`, exactly.

use std::collections::BTreeMap;

use populace_agent::Planner;
use populace_pool::Bytes;
use populace_population::{HistoryTotals, Memory, Simulation, Tiers};
use serde::Serialize;

use crate::figures::{bar, grouped, percent, rate, seconds};
use crate::job::Job;
use crate::prim;
use crate::table::{Align, Table};

/// A run in numbers; the fields of `--json`, which are added to, never renamed.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    version: u32,
    agents: u64,
    steps: u64,
    /// How many of them were run before, by the run that left the checkpoint.
    resumed_steps: u64,
    seconds: f64,
    agent_steps_per_second: f64,
    bytes_per_agent: f64,
    bytes: Split,
    engine_bytes_peak: u64,
    budget_bytes: u64,
    resident_bytes_peak: Option<u64>,
    resident_bytes_baseline: Option<u64>,
    tiers: BTreeMap<&'static str, u64>,
    /// Bounds on how far beliefs are from the exact ones.
    error_bound_max: f64,
    error_bound_mean: f64,
    above_tolerance: u64,
    hibernated: u64,
    /// Agents on disk at the end, and what went there and back.
    spilled: u64,
    spilled_bytes: u64,
    spill_read_bytes: u64,
    spill_written_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifecycle: Option<Lifecycle>,
    allocations: u64,
    trajectory_hash: String,
    threads: usize,
    precision: &'static str,
    planner: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Kept>,
    #[serde(skip)]
    title: String,
    #[serde(skip)]
    planned: u64,
    #[serde(skip)]
    seed: u64,
    #[serde(skip)]
    agent_steps: u64,
}

/// What was run before, by the run that left the checkpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    ticks: u64,
    agent_steps: u64,
}

impl Before {
    /// All that was run by now.
    pub(crate) fn now(simulation: &Simulation) -> Self {
        Self { ticks: simulation.ticks(), agent_steps: simulation.agent_steps() }
    }
}

/// How many agents are where in their lives at the end, where they come and go.
#[derive(Debug, Serialize)]
struct Lifecycle {
    active: u64,
    hibernated: u64,
    retired: u64,
    agent_steps: u64,
}

/// What was kept of the past, where any was.
#[derive(Debug, Serialize)]
pub(crate) struct Kept {
    /// Of how many of the last ticks everything is there.
    ticks: u64,
    blocks: u64,
    raw_bytes: u64,
    stored_bytes: u64,
    open_bytes: u64,
    ratio: f64,
    dropped: u64,
}

impl From<HistoryTotals> for Kept {
    fn from(totals: HistoryTotals) -> Self {
        let ratio = totals.ratio();
        let HistoryTotals { ticks, blocks, raw_bytes, stored_bytes, open_bytes, dropped } = totals;
        Self { ticks, blocks, raw_bytes, stored_bytes, open_bytes, ratio, dropped }
    }
}

impl Kept {
    /// `the last 100 ticks in 12.1 MiB, 6.3 × smaller than int32`.
    fn text(&self) -> String {
        let mut text = format!(
            "the last {} in {}, {:.1} × smaller than int32",
            counted(self.ticks, "tick"),
            Bytes(self.stored_bytes),
            self.ratio
        );
        if self.dropped > 0 {
            text.push_str(&format!("; {} dropped for room", counted(self.dropped, "block")));
        }
        text
    }
}

/// Engine bytes by class.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Split {
    agents: u64,
    shared: u64,
    scratch: u64,
    pool_idle: u64,
    padding: u64,
    overhead: u64,
}

impl From<Memory> for Split {
    fn from(memory: Memory) -> Self {
        let Memory { agents, shared, scratch, pool_idle, padding, overhead } = memory;
        Self { agents, shared, scratch, pool_idle, padding, overhead }
    }
}

impl Split {
    /// The classes, in the order in which they are shown.
    pub(crate) fn classes(&self) -> [(&'static str, u64); 6] {
        [
            ("agents", self.agents),
            ("shared", self.shared),
            ("scratch", self.scratch),
            ("pool idle", self.pool_idle),
            ("padding", self.padding),
            ("overhead", self.overhead),
        ]
    }

    /// A table of the classes and their sum, each with its part of a budget.
    pub(crate) fn table(&self, budget_bytes: u64) -> String {
        const WIDTH: usize = 32;
        let mut table = Table::new([Align::Left, Align::Right, Align::Right, Align::Left]);
        let total: u64 = self.classes().iter().map(|(_, bytes)| bytes).sum();
        let sum = [("all", total)];
        for (name, bytes) in self.classes().into_iter().chain(sum) {
            table.row([
                name.to_owned(),
                Bytes(bytes).to_string(),
                percent(bytes, budget_bytes),
                bar(bytes, budget_bytes, WIDTH),
            ]);
        }
        table.render()
    }
}

impl Summary {
    /// Sums up a simulation.
    pub(crate) fn new(
        job: &Job,
        simulation: &mut Simulation,
        before: &Before,
        seconds: f64,
        allocations: u64,
        resident_bytes_baseline: Option<u64>,
    ) -> Self {
        let bounds = simulation.bounds();
        let (peak, spilled) = (simulation.peak(), simulation.spilled());
        let (agents, steps) = (job.settings.agents, simulation.ticks());
        let counts = simulation.lifecycle_counts();
        let agent_steps = simulation.agent_steps().saturating_sub(before.agent_steps);
        let lifecycle = job.schedule.is_some().then(|| Lifecycle {
            active: counts.initialising + counts.active + counts.idle,
            hibernated: counts.hibernated,
            retired: counts.retired,
            agent_steps: simulation.agent_steps(),
        });
        Self {
            version: 1,
            agents,
            steps,
            resumed_steps: before.ticks,
            seconds,
            agent_steps_per_second: agent_steps as f64 / seconds,
            bytes_per_agent: simulation.bytes_per_agent(),
            bytes: peak.into(),
            engine_bytes_peak: peak.total(),
            budget_bytes: job.settings.budget_bytes,
            resident_bytes_peak: prim::resident_bytes_peak(),
            resident_bytes_baseline,
            tiers: named(simulation.tiers()),
            error_bound_max: bounds.max,
            error_bound_mean: bounds.mean,
            above_tolerance: bounds.above,
            hibernated: counts.hibernated,
            spilled: spilled.agents,
            spilled_bytes: spilled.bytes,
            spill_read_bytes: spilled.read_bytes,
            spill_written_bytes: spilled.written_bytes,
            lifecycle,
            agent_steps,
            allocations,
            trajectory_hash: format!("{:016x}", simulation.trajectory_hash()),
            threads: simulation.threads(),
            precision: job.precision_name(),
            planner: named_planner(simulation.planner()),
            history: simulation.history_totals().map(Into::into),
            title: job.title.clone(),
            planned: job.steps,
            seed: job.settings.seed,
        }
    }

    /// How far beliefs may be from the exact ones, for a person.
    fn error(&self) -> String {
        let Self { error_bound_mean: mean, error_bound_max: most, above_tolerance, .. } = self;
        let above = match above_tolerance {
            0 => String::new(),
            above => format!(", {} above the tolerance", counted(*above, "agent")),
        };
        if *mean == 1.0 {
            return format!("no bound is known for a model like this{above}");
        }
        format!(
            "a belief is within {mean:.1e} of the exact one on average, {most:.1e} at most{above}"
        )
    }

    /// For a person: how fast, how large, and where every byte is.
    pub(crate) fn text(&self) -> String {
        let ticks = if self.steps < self.planned {
            format!("{} of {} ticks (interrupted)", grouped(self.steps), grouped(self.planned))
        } else {
            format!("{} ticks", grouped(self.steps))
        };
        let ticks = match self.resumed_steps {
            0 => ticks,
            before => format!("{ticks}, {} of them before", grouped(before)),
        };
        let tiers: Vec<String> = self
            .tiers
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(tier, count)| format!("{} {}", grouped(*count), tier.replace('_', " ")))
            .collect();
        let resident = match (self.resident_bytes_peak, self.resident_bytes_baseline) {
            (Some(peak), Some(baseline)) => {
                format!("{} resident at most, {} before the run", Bytes(peak), Bytes(baseline))
            }
            _ => "unknown here".to_owned(),
        };
        let mut facts = Table::new([Align::Left, Align::Left]);
        facts.row([
            "speed",
            &format!(
                "{} agent-steps a second: {} in {}, {} on {}",
                rate(self.agent_steps_per_second),
                grouped(self.agent_steps),
                seconds(self.seconds),
                self.precision,
                counted(self.threads, "thread"),
            ),
        ]);
        facts.row(["size", &format!("{:.1} bytes an agent at the peak", self.bytes_per_agent)]);
        facts.row(["beliefs", &tiers.join(", ")]);
        if self.error_bound_max > 0.0 {
            facts.row(["error", &self.error()]);
        }
        if self.spill_written_bytes > 0 {
            facts.row([
                "spilled",
                &format!(
                    "{} agents on disk, {}; {} read, {} written",
                    grouped(self.spilled),
                    Bytes(self.spilled_bytes),
                    Bytes(self.spill_read_bytes),
                    Bytes(self.spill_written_bytes),
                ),
            ]);
        }
        facts.row(["planner", self.planner]);
        if let Some(history) = &self.history {
            facts.row(["history", &history.text()]);
        }
        if let Some(lifecycle) = &self.lifecycle {
            let [active, hibernated, retired] =
                [lifecycle.active, lifecycle.hibernated, lifecycle.retired].map(grouped);
            let lives =
                format!("{active} active at the end, {hibernated} hibernated, {retired} retired");
            facts.row(["lives", &lives]);
        }
        facts.row(["process", &resident]);
        facts.row([
            "run",
            &format!(
                "trajectory {}, {} in the second half",
                self.trajectory_hash,
                counted(self.allocations, "heap allocation"),
            ),
        ]);
        format!(
            "{} agents, {}, {ticks}, seed {}\n\n{}\n  where every byte is, of {}\n\n{}",
            grouped(self.agents),
            self.title,
            self.seed,
            facts.render(),
            Bytes(self.budget_bytes),
            self.bytes.table(self.budget_bytes),
        )
    }
}

/// How policies were weighed.
pub(crate) fn named_planner(planner: Planner) -> &'static str {
    match planner {
        Planner::Enumeration => "enumeration",
        Planner::Graph => "graph",
        Planner::Search => "search",
    }
}

/// How many beliefs are stored how; only dense and sparse are told where there are none.
fn named(tiers: Tiers) -> BTreeMap<&'static str, u64> {
    let mut named = BTreeMap::from([("dense", tiers.dense), ("sparse", tiers.sparse)]);
    let asked_for = [
        ("dense_f16", tiers.dense_f16),
        ("sparse_f16", tiers.sparse_f16),
        ("dense_log8", tiers.dense_log8),
        ("sparse_log8", tiers.sparse_log8),
        ("initial", tiers.initial),
    ];
    named.extend(asked_for.into_iter().filter(|&(_, count)| count > 0));
    named
}

/// `1 thread`, `2 threads`.
fn counted(count: impl TryInto<u64>, what: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}
