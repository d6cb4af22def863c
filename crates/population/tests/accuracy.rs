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
    apart_mean: f64,
    apart_max: f64,
}

/// In nats of ln q_pi. Below that rounding decides: agents in single precision that lose nothing
/// take another of several equal actions, too.
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
            found.clear_different += u64::from(lead > CLEAR && ours != theirs);
        }
        for apart in apart(model, lossy, twin, agents) {
            found.apart_mean += apart / (agents * steps) as f64;
            found.apart_max = found.apart_max.max(apart);
        }
    });
    found
}

/// By how many nats the best first action leads the best other one: by policy, or summed over
/// policies, as the model samples.
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

/// A tier, how often its actions are the twin's at least, and how often where those were clear.
struct Tier {
    name: &'static str,
    belief: Belief,
    mass: f64,
    equal: f64,
    clearly_equal: f64,
}

const TIERS: [Tier; 3] = [
    Tier { name: "f16", belief: Belief::F16, mass: 0.0, equal: 0.999, clearly_equal: 1.0 },
    // Eight bits, and a ten-thousandth that a surprise makes a hundredth, may turn a choice that is
    // a few hundredths of a nat ahead.
    Tier { name: "log8", belief: Belief::Log8, mass: 0.0, equal: 0.998, clearly_equal: 0.999 },
    Tier { name: "mass", belief: Belief::Auto, mass: 1e-4, equal: 0.995, clearly_equal: 0.995 },
];

/// Agents and steps: those of the issue with `POPULACE_LONG=1`.
fn size() -> (u64, u64) {
    if std::env::var_os("POPULACE_LONG").is_some() { (200, 200) } else { (64, 60) }
}

fn settings(tier: &Tier) -> Settings {
    Settings {
        agents: size().0,
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
            let found = compare(&model, &settings(tier), size().1);
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
            let found = compare(&model, &settings(tier), size().1);
            clear += found.clear;
            let equal = 1.0 - found.clear_different as f64 / found.clear.max(1) as f64;
            println!("{name} {}: {equal:.5} {found:?}", tier.name);
            assert!(equal >= tier.clearly_equal, "{name} {}: {found:?}", tier.name);
        }
    }
    assert!(clear > 10_000, "only {clear} choices were clear");
}
