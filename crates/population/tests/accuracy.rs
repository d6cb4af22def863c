//! What losing costs: beliefs and actions against an exact twin.

#![allow(clippy::unwrap_used)] // tests' helpers

mod twins;

use populace_agent::{ActionSelection, Model, Precision, SamplingMode};
use populace_population::{Belief, Crowd, Settings};
use twins::{apart, live, models};

/// What was found of one tier on one model.
#[derive(Debug, Default)]
struct Found {
    choices: u64,
    different: u64,
    /// Choices where the twin's best action led by more than [`CLEAR`], and those that differed.
    clear: u64,
    clear_different: u64,
    /// The largest lead of a choice that differed.
    lead_different: f64,
    apart_mean: f64,
    apart_max: f64,
}

/// From which lead on a choice is clear, in nats of ln q_pi. That is γ (16, or 8 in the maze) times the gap
/// between expected free energies, so that nothing is left out of which that gap is 0.01 nat.
const CLEAR: f64 = 0.01;

fn compare(model: &Model, settings: &Settings, steps: u64) -> Found {
    let mut found = Found::default();
    let agents = settings.agents;
    let ids: Vec<u64> = (0..agents).collect();
    live(model, settings, steps, |lossy, twin, ours, theirs| {
        found.choices += agents;
        let factors = model.factors();
        let leads = leads(model, twin, &ids);
        for ((ours, theirs), lead) in
            ours.chunks_exact(factors).zip(theirs.chunks_exact(factors)).zip(leads)
        {
            found.different += u64::from(ours != theirs);
            found.clear += u64::from(lead > CLEAR);
            if ours != theirs {
                found.clear_different += u64::from(lead > CLEAR);
                found.lead_different = found.lead_different.max(lead);
            }
        }
        for apart in apart(model, lossy, twin, agents) {
            found.apart_mean += apart / (agents * steps) as f64;
            found.apart_max = found.apart_max.max(apart);
        }
    });
    found
}

/// By how many nats the best first action leads the best other one: by its best policy, or by the sum
/// over its policies, as the model samples.
fn leads(model: &Model, crowd: &mut Crowd, ids: &[u64]) -> Vec<f64> {
    let weighed = crowd.policies(ids).unwrap();
    let policies = model.all_policies().unwrap();
    let marginal = model.arguments.sampling_mode == SamplingMode::Marginal;
    let lead = |row: usize| {
        let mut best = std::collections::BTreeMap::new();
        for p in 0..weighed.policies {
            let q = weighed.q_pi.get(row * weighed.policies + p);
            let worth = best.entry(policies.step(p, 0)).or_insert(0.0_f64);
            *worth = if marginal { *worth + q } else { worth.max(q) };
        }
        let mut worths: Vec<f64> = best.into_values().collect();
        worths.sort_by(|a, b| b.total_cmp(a));
        (worths[0] / worths[1]).ln()
    };
    (0..ids.len()).map(lead).collect()
}

/// A tier, and how often its actions are the twin's at least; where those were clear, always.
struct Tier {
    name: &'static str,
    belief: Belief,
    mass: f64,
    equal: f64,
}

const TIERS: [Tier; 3] = [
    Tier { name: "f16", belief: Belief::F16, mass: 0.0, equal: 0.999 },
    Tier { name: "log8", belief: Belief::Log8, mass: 0.0, equal: 0.998 },
    Tier { name: "mass", belief: Belief::Auto, mass: 1e-4, equal: 0.995 },
];

const AGENTS: u64 = 200;
const STEPS: u64 = 200;

fn settings(tier: &Tier) -> Settings {
    Settings {
        agents: AGENTS,
        budget_bytes: 64 << 20,
        threads: 1,
        belief: tier.belief,
        mass: tier.mass,
        precision: Precision::F32,
        ..Settings::default()
    }
}

#[test]
fn drawn_actions_are_the_exact_ones_as_often_as_each_tier_says() {
    for (name, mut model) in models() {
        model.arguments.action_selection = ActionSelection::Stochastic;
        for tier in &TIERS {
            let found = compare(&model, &settings(tier), STEPS);
            let equal = 1.0 - found.different as f64 / found.choices as f64;
            println!("{name} {}: {equal:.5} {found:?}", tier.name);
            assert!(equal >= tier.equal, "{name} {}: {found:?}", tier.name);
        }
    }
}

#[test]
fn the_best_actions_are_the_exact_ones_where_they_are_clear() {
    let mut clear = 0;
    for (name, mut model) in models() {
        model.arguments.action_selection = ActionSelection::Deterministic;
        for tier in &TIERS {
            let found = compare(&model, &settings(tier), STEPS);
            clear += found.clear;
            println!("{name} {}: {found:?}", tier.name);
            assert_eq!(found.clear_different, 0, "{name} {}: {found:?}", tier.name);
        }
    }
    assert!(clear > 10_000, "only {clear} choices were clear");
}
