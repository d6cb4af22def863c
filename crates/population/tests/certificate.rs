//! The certificate holds: no belief is further from its exact twin's than its agent says.

#![allow(clippy::unwrap_used)] // tests' helpers

mod twins;

use populace_agent::models::{GridOptions, grid};
use populace_agent::{Model, Precision};
use populace_oracle::random::{Features, case};
use populace_oracle::write_case;
use populace_population::{Belief, Settings};
use twins::{apart, live, models};

/// How many times as much is checked with `POPULACE_LONG=1`.
fn times() -> u64 {
    if std::env::var_os("POPULACE_LONG").is_some() { 60 } else { 1 }
}

/// The ways to lose something.
fn lossy() -> Vec<Settings> {
    let ways = [
        (Belief::Auto, 1e-2, 1.0),
        (Belief::Sparse, 0.5, 1.0),
        (Belief::Auto, 0.1, 0.01),
        (Belief::F16, 0.0, 1.0),
        (Belief::F16, 1e-5, 1.0),
        (Belief::Log8, 0.0, 1.0),
    ];
    let settings = ways.into_iter().zip([Precision::F32, Precision::F64].into_iter().cycle());
    let settings = settings.map(|((belief, mass, tolerance), precision)| Settings {
        agents: 40,
        budget_bytes: 64 << 20,
        threads: 1,
        belief,
        mass,
        tolerance,
        precision,
        ..Settings::default()
    });
    settings.collect()
}

/// What was found: checks, bounds that say something, and what dropped nothing.
#[derive(Default)]
struct Checked {
    all: u64,
    informative: u64,
}

fn check(name: &str, model: &Model, settings: &Settings, steps: u64, checked: &mut Checked) {
    let ids: Vec<u64> = (0..settings.agents).collect();
    live(model, settings, steps, |lossy, twin, _, _| {
        let bounds = lossy.error_bounds(&ids).unwrap();
        let apart = apart(model, lossy, twin, settings.agents);
        for (agent, (bound, apart)) in bounds.iter().zip(&apart).enumerate() {
            assert!(
                apart <= bound,
                "{name}, {settings:?}: agent {agent} at tick {} is {apart} off, not {bound}",
                lossy.ticks()
            );
            checked.all += 1;
            checked.informative += u64::from(*bound < 0.5);
        }
    });
}

#[test]
fn no_belief_is_further_off_than_its_bound() {
    let mut checked = Checked::default();
    for (name, model) in models() {
        for settings in lossy() {
            // Small models are dense where that may be chosen, and then drop nothing.
            let small = model.num_states()[0] < 64;
            for seed in 0..times() {
                let belief = if small { narrowed(settings.belief) } else { settings.belief };
                let settings = Settings { seed, belief, ..settings.clone() };
                check(name, &model, &settings, 25, &mut checked);
            }
        }
    }
    assert!(checked.all >= times() * 24_000, "only {} checks", checked.all);
    // A bound of 1 always holds, and is all that is known of the T-maze; the others say something.
    assert!(
        5 * checked.informative > 2 * checked.all,
        "{} of {}",
        checked.informative,
        checked.all
    );
}

#[test]
fn no_belief_of_a_random_model_is_further_off_than_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    let mut checked = Checked::default();
    for seed in 0..300 * times() {
        let case = case(seed, &Features::base(), 2);
        write_case(&case, &file, populace_oracle::Precision::F64, seed % 2 == 0).unwrap();
        let model = Model::load(&file).unwrap();
        // The world of twins shows outcomes, not distributions over them.
        if model.factors() > 1 || model.arguments.categorical_obs {
            continue;
        }
        let settings = &lossy()[seed as usize % 6];
        let settings =
            Settings { agents: 5, belief: narrowed(settings.belief), ..settings.clone() };
        check(&format!("random model {seed}"), &model, &settings, 20, &mut checked);
    }
    assert!(checked.all > 1000, "only {} checks", checked.all);
}

/// The same without the choice of being dense.
fn narrowed(belief: Belief) -> Belief {
    if belief == Belief::Auto { Belief::Sparse } else { belief }
}

/// The bounds of agents that may drop so much, a sixth of a thousandth a step, that an outcome makes a
/// tenth of it; at every tick.
fn bounds_within(tolerance: f64) -> Vec<Vec<f64>> {
    let model = grid(&GridOptions { side: 8, slip: 0.1, ..GridOptions::default() }).unwrap();
    let settings = Settings {
        agents: 50,
        budget_bytes: 64 << 20,
        belief: Belief::Sparse,
        mass: 0.1,
        tolerance,
        precision: Precision::F64,
        ..Settings::default()
    };
    let ids: Vec<u64> = (0..50).collect();
    let mut bounds = Vec::new();
    live(&model, &settings, 40, |lossy, _, _, _| bounds.push(lossy.error_bounds(&ids).unwrap()));
    bounds
}

#[test]
fn an_agent_above_the_tolerance_drops_nothing_until_it_is_below() {
    // No drop fits within it, so there is none: what is left is rounding, and what surprises made of it.
    let never = bounds_within(1.5e-4);
    let some = bounds_within(0.01);
    let sum = |bounds: &[Vec<f64>]| bounds.iter().flatten().sum::<f64>();
    assert!(2.0 * sum(&never) < sum(&some), "{} {}", sum(&never), sum(&some));
    let (mut stayed, mut recovered) = (0, 0);
    for ticks in some.windows(2) {
        for (&before, &now) in ticks[0].iter().zip(&ticks[1]) {
            stayed += u64::from(before > 0.01 && now > 0.01);
            recovered += u64::from(before > 0.01 && now <= 0.01);
        }
    }
    assert!(stayed > 0 && recovered > 100, "{recovered} recovered, {stayed} did not at once");
}

#[test]
fn nothing_is_lost_unasked() {
    for (name, model) in models() {
        for belief in [Belief::Auto, Belief::Dense, Belief::Sparse] {
            let settings = Settings { agents: 20, belief, ..lossy()[0].clone() };
            let settings = Settings { mass: 0.0, ..settings };
            live(&model, &settings, 5, |lossy, _, _, _| {
                assert_eq!(lossy.error_bounds(&[0, 19]).unwrap(), [0.0; 2], "{name} {belief:?}");
            });
        }
    }
}
