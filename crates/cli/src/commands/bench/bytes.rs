//! Bytes an agent, by model and by how beliefs are stored: everything that grows with their number,
//! at the peak of a short run, divided by it. They are counts: any machine finds the same, but for
//! its pages.

use populace_population::{Belief, Settings, Simulation};
use serde::Serialize;

use super::cases;
use crate::failure::Outcome;
use crate::table::Table;

pub(super) const NAME: &str = "bytes";

/// What an agent of a model takes when beliefs are stored so.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    name: &'static str,
    model: &'static str,
    belief: &'static str,
    agents: u64,
    bytes_per_agent: f64,
    /// What it is promised to be at most, where something is.
    most: Option<f64>,
    pub(super) checked: bool,
}

/// A model, how many of its agents run how long, and what is promised: by [`BELIEFS`].
struct Subject {
    model: &'static str,
    make: fn() -> Outcome<populace_agent::Model>,
    agents: u64,
    steps: u64,
    most: [Option<f64>; BELIEFS.len()],
}

const BELIEFS: [(&str, Belief); 4] = [
    ("dense", Belief::Dense),
    ("auto", Belief::Auto),
    ("f16", Belief::F16),
    ("log8", Belief::Log8),
];

const SUBJECTS: [Subject; 4] = [
    Subject {
        model: "grid 20 × 20",
        make: cases::grid::<20>,
        agents: 40_000,
        steps: 8,
        most: [Some(1616.0), Some(104.0), Some(72.0), Some(72.0)],
    },
    Subject {
        model: "the same, actions slip",
        make: cases::slippery,
        agents: 8_000,
        steps: 20,
        most: [Some(1616.0), None, None, None],
    },
    Subject {
        model: "400 states, all dense",
        make: cases::dense400,
        agents: 8_000,
        steps: 2,
        most: [Some(1616.0), Some(1616.0), Some(820.0), Some(420.0)],
    },
    Subject {
        model: "T-maze",
        make: cases::tmaze,
        agents: 40_000,
        steps: 8,
        most: [Some(48.0), Some(12.0), Some(12.0), Some(12.0)],
    },
];

/// Runs them all.
pub(super) fn rows() -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for subject in &SUBJECTS {
        let model = (subject.make)()?;
        for ((belief, stored), most) in BELIEFS.into_iter().zip(subject.most) {
            let settings = Settings {
                agents: subject.agents,
                budget_bytes: 1 << 30,
                threads: 1,
                belief: stored,
                ..Settings::default()
            };
            let mut simulation = Simulation::new(&model, None, &settings, subject.steps, false)?;
            for _ in 0..subject.steps {
                simulation.tick()?;
            }
            let bytes_per_agent = simulation.bytes_per_agent();
            rows.push(Row {
                name: NAME,
                model: subject.model,
                belief,
                agents: subject.agents,
                bytes_per_agent,
                most,
                checked: most.is_none_or(|most| bytes_per_agent <= most),
            });
        }
    }
    Ok(rows)
}

/// A line a model, a column a tier.
pub(super) fn table(rows: &[&Row]) -> String {
    let mut table = Table::numbers_after(1);
    let [dense, auto, f16, log8] = BELIEFS.map(|(belief, _)| belief);
    table.row(["bytes an agent", dense, auto, f16, log8]);
    for line in rows.chunks_exact(BELIEFS.len()) {
        let [dense, auto, f16, log8] =
            std::array::from_fn(|at| format!("{:.1}", line[at].bytes_per_agent));
        table.row([line[0].model.to_owned(), dense, auto, f16, log8]);
    }
    table.render()
}
