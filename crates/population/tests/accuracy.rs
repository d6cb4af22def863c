//! What losing costs: beliefs and actions against an exact twin.

#![allow(clippy::unwrap_used)] // tests' helpers

mod twins;

use populace_agent::{Model, Precision};
use populace_population::{Belief, Crowd, Settings};
use twins::{apart, live, models};

/// What was found of one tier on one model.
#[derive(Debug, Default)]
struct Found {
    choices: u64,
    different: u64,
    /// Differences where the twin's best action led by more than [`CLEAR`].
    different_though_clear: u64,
    worst_gap: f64,
    apart_mean: f64,
    apart_max: f64,
}

/// In nats of ln q_pi: between choices nearer than that, anything decides.
const CLEAR: f64 = 0.01;

fn compare(model: &Model, settings: &Settings, steps: u64) -> Found {
    let mut found = Found::default();
    let agents = settings.agents;
    live(model, settings, steps, |lossy, twin, ours, theirs| {
        let factors = model.factors();
        let differ: Vec<u64> = (0..agents)
            .filter(|&agent| {
                let row = agent as usize * factors..(agent as usize + 1) * factors;
                ours[row.clone()] != theirs[row]
            })
            .collect();
        found.choices += agents;
        found.different += differ.len() as u64;
        for gap in gaps(model, twin, &differ, ours) {
            found.different_though_clear += u64::from(gap > CLEAR);
            found.worst_gap = found.worst_gap.max(gap);
        }
        for apart in apart(model, lossy, twin, agents) {
            found.apart_mean += apart / (agents * steps) as f64;
            found.apart_max = found.apart_max.max(apart);
        }
    });
    found
}

/// By how many nats the twin's best policy led the best one that starts with the action taken.
fn gaps(model: &Model, twin: &mut Crowd, ids: &[u64], actions: &[i32]) -> Vec<f64> {
    let weighed = twin.policies(ids).unwrap();
    let policies = model.all_policies().unwrap();
    let factors = model.factors();
    let gap = |(row, &id): (usize, &u64)| {
        let taken = &actions[id as usize * factors..(id as usize + 1) * factors];
        let ln = |p: usize| weighed.q_pi.get(row * weighed.policies + p).ln();
        let best = |fits: &dyn Fn(usize) -> bool| {
            let fitting = (0..weighed.policies).filter(|&p| fits(p));
            fitting.map(ln).fold(f64::NEG_INFINITY, f64::max)
        };
        let first = |p: usize| policies.step(p, 0).iter().zip(taken).all(|(&a, &b)| a as i32 == b);
        best(&|_| true) - best(&first)
    };
    ids.iter().enumerate().map(gap).collect()
}

#[test]
fn actions_are_the_exact_ones_as_often_as_each_tier_says() {
    let tiers = [
        ("exact", Belief::Auto, 0.0, 0.999),
        ("f16", Belief::F16, 0.0, 0.999),
        ("log8", Belief::Log8, 0.0, 0.998),
        ("mass", Belief::Auto, 1e-4, 0.995),
    ];
    for (name, mut model) in models() {
        for choice in [populace_agent::ActionSelection::Deterministic, populace_agent::ActionSelection::Stochastic] {
        model.arguments.action_selection = choice;
        for (tier, belief, mass, least) in tiers {
            for precision in [Precision::F32] {
            let settings = Settings {
                agents: 64,
                budget_bytes: 64 << 20,
                threads: 1,
                belief,
                mass,
                precision,
                ..Settings::default()
            };
            let found = compare(&model, &settings, 100);
            let equal = 1.0 - found.different as f64 / found.choices as f64;
            println!("{name} {choice:?} {tier} {precision:?}: {equal:.5} {least} {found:?}");
            }
        }
        }
    }
}
