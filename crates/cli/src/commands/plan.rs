//! `populace plan`: what a run will take, before it runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use populace_pool::Bytes;
use populace_population::{Settings, plan};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::figures::{grouped, seconds};
use crate::flags::{BELIEFS, Flags};
use crate::job::Job;
use crate::output::{print, print_json};
use crate::summary::Split;
use crate::table::{Align, Table};

/// Say what a run will take, before it runs
///
/// By class of bytes and by tier; with the largest population that fits the budget.
#[derive(Debug, Args)]
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
}

impl Plan {
    pub(crate) fn execute(&self) -> Outcome {
        let is_scenario = |path: &&Path| path.extension().is_some_and(|it| it == "toml");
        let scenario = self.subject.as_deref().filter(is_scenario);
        let model = self.subject.as_deref().filter(|path| !is_scenario(path));
        let job = Job::new(scenario, model, &self.flags)?;
        let report = Report::new(&job)?;
        if self.json {
            return print_json(&report);
        }
        print(&report.text(&job.title))
    }
}

impl Report {
    fn new(job: &Job) -> Outcome<Self> {
        let tier = |belief| {
            let settings = Settings { belief, ..job.settings.clone() };
            let plan = plan(&job.model, job.process.as_ref(), &settings, job.steps, false)
                .map_err(|error| Failure::from(error).within(&job.title))?;
            Outcome::Ok(Tier {
                bytes: plan.expected.into(),
                engine_bytes_peak: plan.expected.total(),
                bytes_per_agent: plan.bytes_per_agent,
                worst_bytes: plan.worst_bytes,
                fits: plan.fits,
                largest_agents: plan.most_agents,
                tick_seconds: plan.tick_seconds,
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
        format!(
            "{} agents, {title}, in {}\n\n{}\n  where every byte is expected, with {} beliefs\n\n{}",
            grouped(self.agents),
            Bytes(self.budget_bytes),
            table.render(),
            self.belief,
            self.own.bytes.table(self.budget_bytes),
        )
    }
}
