//! `populace plan`: what a run will take, before it runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use populace_pool::Bytes;
use populace_population::{PlannedHistory, Settings, plan, plan_changing};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::figures::{grouped, seconds};
use crate::flags::{BELIEFS, Flags};
use crate::job::Job;
use crate::output::{print, print_json};
use crate::summary::{Governor, Split};
use crate::table::{Align, Table};

/// Say what a run will take, before it runs
///
/// By class of bytes and by tier; with the largest population that fits the budget.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)] // so that what is wrong is the flag's value
pub(crate) struct Plan {
    /// A model file, or a scenario (.toml) [default: the default run]
    #[arg(value_name = "MODEL|SCENARIO")]
    subject: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The plan in numbers; `bytes` and `engine_bytes_peak` are what `run` will report, if the sample
/// that was run is like the whole.
#[derive(Debug, Serialize)]
struct Report {
    version: u32,
    agents: u64,
    steps: u64,
    budget_bytes: u64,
    belief: &'static str,
    #[serde(flatten)]
    own: Tier,
    tiers: BTreeMap<&'static str, Tier>,
}

/// What one way of storing beliefs takes.
#[derive(Debug, Clone, Serialize)]
struct Tier {
    bytes: Split,
    engine_bytes_peak: u64,
    bytes_per_agent: f64,
    /// What is asked of the budget before the first tick.
    worst_bytes: u64,
    fits: bool,
    largest_agents: u64,
    tick_seconds: f64,
    /// What `run --checkpoint` takes of the budget, and on disk.
    checkpoint_memory_bytes: u64,
    checkpoint_bytes: u64,
    /// With `--spill`: who stays in memory, and what the others take on disk.
    resident_agents: u64,
    spilled_bytes: u64,
    /// What is expected to be done to keep to the budget, at any one tick.
    governor: Governor,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Past>,
}

/// What history takes of it; where the budget has less than the most, the oldest ticks go.
#[derive(Debug, Clone, Copy, Serialize)]
struct Past {
    least_bytes: u64,
    expected_bytes: u64,
    worst_bytes: u64,
}

impl From<PlannedHistory> for Past {
    fn from(planned: PlannedHistory) -> Self {
        let PlannedHistory { least_bytes, expected_bytes, worst_bytes } = planned;
        Self { least_bytes, expected_bytes, worst_bytes }
    }
}

impl Plan {
    pub(crate) fn execute(&self) -> Outcome {
        let is_scenario = |path: &&Path| path.extension().is_some_and(|it| it == "toml");
        let scenario = self.subject.as_deref().filter(is_scenario);
        let model = self.subject.as_deref().filter(|path| !is_scenario(path));
        let mut job = Job::new(scenario, model, &self.flags)?;
        // Where agents come and go, the most that there can be at once.
        if let Some(schedule) = &job.schedule {
            job.settings.agents = schedule.most_agents(job.settings.agents, job.steps);
        }
        let report = Report::new(&job)?;
        if self.json {
            return print_json(&report);
        }
        print(&report.text(&job.title))
    }
}

impl Report {
    fn new(job: &Job) -> Outcome<Self> {
        let tier = |belief: populace_population::Belief| {
            let demote = job.settings.demote.filter(|&lower| belief.demotes_to(lower));
            let settings = Settings { belief, demote, ..job.settings.clone() };
            let (model, process) = (&job.model, job.process.as_ref());
            let plan = match &job.schedule {
                None => plan(model, process, &settings, job.steps, false),
                Some(_) => plan_changing(model, process, &settings, job.steps),
            };
            let plan = plan.map_err(|error| Failure::from(error).within(&job.title))?;
            Outcome::Ok(Tier {
                bytes: plan.expected.into(),
                engine_bytes_peak: plan.expected.total(),
                bytes_per_agent: plan.bytes_per_agent,
                worst_bytes: plan.worst_bytes,
                fits: plan.fits,
                largest_agents: plan.most_agents,
                tick_seconds: plan.tick_seconds,
                checkpoint_memory_bytes: plan.store_bytes,
                checkpoint_bytes: plan.checkpoint_bytes,
                resident_agents: plan.resident_agents,
                spilled_bytes: plan.spilled_bytes,
                governor: plan.economies.into(),
                history: plan.history.map(Into::into),
            })
        };
        let mut tiers = BTreeMap::new();
        for (name, belief) in BELIEFS {
            tiers.insert(name, tier(belief)?);
        }
        let chosen = BELIEFS.iter().find(|(_, belief)| *belief == job.settings.belief);
        let belief = chosen.map_or("auto", |(name, _)| name);
        Ok(Self {
            version: 1,
            agents: job.settings.agents,
            steps: job.steps,
            budget_bytes: job.settings.budget_bytes,
            belief,
            own: tiers[belief].clone(),
            tiers,
        })
    }

    fn text(&self, title: &str) -> String {
        let mut table = Table::new([
            Align::Left,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Left,
        ]);
        table.row(["beliefs", "bytes/agent", "expected", "at worst", "largest N", "tick", ""]);
        for (name, tier) in &self.tiers {
            table.row([
                (*name).to_owned(),
                format!("{:.1}", tier.bytes_per_agent),
                Bytes(tier.engine_bytes_peak).to_string(),
                Bytes(tier.worst_bytes).to_string(),
                grouped(tier.largest_agents),
                seconds(tier.tick_seconds),
                if tier.fits { "fits" } else { "does not fit" }.to_owned(),
            ]);
        }
        let mut disk = Table::new([Align::Left, Align::Left]);
        let governor = self.own.governor.text("at any one tick");
        if !governor.is_empty() {
            disk.row(["governor", &governor]);
        }
        disk.row([
            "checkpoint",
            &format!(
                "about {} on disk, {} of the budget",
                Bytes(self.own.checkpoint_bytes),
                Bytes(self.own.checkpoint_memory_bytes),
            ),
        ]);
        if self.own.resident_agents < self.agents {
            disk.row([
                "spilled",
                &format!(
                    "{} agents in memory, {} on disk: {}",
                    grouped(self.own.resident_agents),
                    grouped(self.agents - self.own.resident_agents),
                    Bytes(self.own.spilled_bytes),
                ),
            ]);
        }
        let history = self.own.history.map_or_else(String::new, |past| {
            format!(
                "  history   {} expected, at least {}, at most {}\n\n",
                Bytes(past.expected_bytes),
                Bytes(past.least_bytes),
                Bytes(past.worst_bytes),
            )
        });
        format!(
            "{} agents, {title}, in {}\n\n{}\n{}\n{history}  where every byte is expected, with {} beliefs\n\n{}",
            grouped(self.agents),
            Bytes(self.budget_bytes),
            table.render(),
            disk.render(),
            self.belief,
            self.own.bytes.table(self.budget_bytes),
        )
    }
}
