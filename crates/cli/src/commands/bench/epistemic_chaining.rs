//! The field's one published head-to-head: extended epistemic chaining, whole episodes of one agent
//! on one thread.
//!
//! pymdp took 132 / 865 / 5,459 / 35,036 s for the four (five actions), cpp-AIF 0.75 / 4.2 / 22 /
//! 122 s. An episode is timed from the model's arrays to the reward: compiling is part of it. It
//! runs twice, by the graph and then, from what was seen, by enumeration; both must act alike, and
//! reach the reward by the shortest way that visits every cue.

use std::time::Instant;

use populace_agent::models::{EpistemicChain, epistemic_chaining};
use populace_agent::{Observations, Planner, Precision, Recording};
use populace_population::{Settings, Simulation, infer};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::figures::grouped;
use crate::summary::named_planner;
use crate::table::{Align, Table};

pub(super) const NAME: &str = "epistemic-chaining";

/// pymdp-1's default; with it the agent takes the shortest way in all four episodes.
const GAMMA: f64 = 1.0;

/// An episode and how long it took.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    name: &'static str,
    policy_len: usize,
    path_length: usize,
    policies: u64,
    planner: &'static str,
    gamma: f64,
    seconds: f64,
    checked: bool,
}

struct Episode {
    policy_len: usize,
    chain: EpistemicChain,
    path_length: usize,
}

const fn episode(policy_len: usize, chain: [usize; 3], path_length: usize) -> Episode {
    let [live_l, live_k, good_side] = chain;
    Episode { policy_len, chain: EpistemicChain { live_l, live_k, good_side }, path_length }
}

const EPISODES: [Episode; 4] = [
    episode(4, [0, 0, 0], 13),
    episode(5, [0, 1, 1], 15),
    episode(6, [1, 3, 0], 17),
    episode(7, [0, 3, 0], 19),
];

/// Runs the episodes.
pub(super) fn rows() -> Outcome<Vec<Row>> {
    EPISODES.iter().map(run).collect()
}

fn run(episode: &Episode) -> Outcome<Row> {
    let mut model = epistemic_chaining(episode.policy_len)?;
    model.arguments.gamma = GAMMA;
    let mut world = model.clone();
    world.d = episode.chain.states()?;
    let settings = Settings {
        agents: 1,
        budget_bytes: 1 << 30,
        threads: 1,
        precision: Precision::F64,
        ..Settings::default()
    };
    // An agent that strays is stopped.
    let most = 2 * episode.path_length;
    let (mut observations, mut actions) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let mut simulation = Simulation::new(&model, Some(&world), &settings, most as u64, true)?;
    let mut at = None;
    while actions.len() < most * model.factors() && !at.is_some_and(EpistemicChain::is_end) {
        simulation.tick()?;
        observations.extend_from_slice(simulation.observations());
        actions.extend(simulation.actions().iter().map(|&action| action as u32));
        // Moves are certain: where the last one led is known before the next observation.
        let (cell, action) = (simulation.observations()[0], simulation.actions()[0]);
        let column = cell as usize * model.num_controls[0] + action as usize;
        at = model.b[0].column(column).find(|&(_, p)| p > 0.0).map(|(next, _)| next);
    }
    let seconds = start.elapsed().as_secs_f64();
    let path_length = actions.len() / model.factors();
    let wrong = |what: String| Failure::other(format!("{NAME}: policy_len {what}"));
    if path_length != episode.path_length {
        let (len, want) = (episode.policy_len, episode.path_length);
        return Err(wrong(format!("{len}: the way took {path_length} steps, not {want}")));
    }
    let recording = Recording {
        steps: path_length,
        observations: Observations::Discrete(observations),
        actions: Some(actions.clone()),
    };
    let enumerated = infer(&model, &recording, &settings)?;
    let same = enumerated.action.iter().zip(&actions).all(|(&a, &b)| a as u32 == b);
    if enumerated.planner != Some(Planner::Enumeration) || !same {
        return Err(wrong(format!("{}: enumeration acts differently", episode.policy_len)));
    }
    Ok(Row {
        name: NAME,
        policy_len: episode.policy_len,
        path_length,
        policies: enumerated.policies as u64,
        planner: named_planner(simulation.planner()),
        gamma: GAMMA,
        seconds,
        checked: true,
    })
}

/// The episodes as a table.
pub(super) fn table(rows: &[&Row]) -> String {
    let mut table = Table::new([
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Left,
        Align::Right,
    ]);
    table.row(["", "policy_len", "steps", "policies", "planner", "seconds"]);
    for row in rows {
        table.row([
            row.name.to_owned(),
            row.policy_len.to_string(),
            row.path_length.to_string(),
            grouped(row.policies),
            row.planner.to_owned(),
            format!("{:.4}", row.seconds),
        ]);
    }
    table.render()
}
