//! Bytes an agent, all in: what the README's table shows, and that agents in the same position, of
//! which one is stepped, take none more.

#![allow(clippy::unwrap_used)] // tests' helpers

use populace_agent::models::{Builtin, GridOptions, grid};
use populace_agent::random::{Purpose, Stream};
use populace_agent::{Model, Tensor};
use populace_population::{Belief, Settings, Simulation, Tiers, most_bytes_per_agent};

/// Bytes an agent at the peak of a short run, and how beliefs are stored at its end.
fn run(model: &Model, belief: Belief, mass: f64, agents: u64, steps: u64) -> (f64, Tiers) {
    let settings =
        Settings { agents, belief, mass, threads: 1, budget_bytes: 1 << 30, ..Settings::default() };
    let mut simulation = Simulation::new(model, None, &settings, steps, false).unwrap();
    (0..steps).for_each(|_| simulation.tick().unwrap());
    (simulation.bytes_per_agent(), simulation.tiers())
}

/// The grid's moves under a likelihood that is random and has no zeros: beliefs are always dense.
fn dense() -> Model {
    let mut model = grid(&GridOptions::default()).unwrap();
    let stream = Stream::new(0, 0, Purpose::Observe);
    let mut likelihood: Vec<f64> = (0..400 * 400).map(|entry| stream.uniform(entry)).collect();
    for state in 0..400 {
        let sum: f64 = likelihood.iter().skip(state).step_by(400).sum();
        likelihood.iter_mut().skip(state).step_by(400).for_each(|p| *p /= sum);
    }
    model.a = vec![Tensor::dense([400, 400], likelihood).unwrap()];
    model
}

#[test]
fn an_agent_takes_what_its_tier_promises() {
    let grid = grid(&GridOptions::default()).unwrap();
    let tmaze = Builtin::Tmaze.model().unwrap();
    let dense = dense();
    let promised = [
        ("grid", &grid, Belief::Auto, 104.0, 20_000),
        ("grid", &grid, Belief::F16, 72.0, 20_000),
        ("grid", &grid, Belief::Log8, 64.0, 20_000),
        ("grid", &grid, Belief::Dense, 1616.0, 2000),
        ("dense", &dense, Belief::Auto, 1616.0, 2000),
        ("dense", &dense, Belief::F16, 820.0, 2000),
        ("dense", &dense, Belief::Log8, 420.0, 8000),
        ("tmaze", &tmaze, Belief::Auto, 12.0, 20_000),
        ("tmaze", &tmaze, Belief::F16, 12.0, 20_000),
        ("tmaze", &tmaze, Belief::Log8, 12.0, 20_000),
    ];
    for (name, model, belief, most, agents) in promised {
        let (bytes, _) = run(model, belief, 0.0, agents, 3);
        assert!(bytes <= most, "{name} {belief:?}: {bytes} bytes an agent, not {most}");
        let settings = Settings { belief, ..Settings::default() };
        let own = most_bytes_per_agent(model, &settings).unwrap();
        assert!(own > 0 && own as f64 <= 1700.0, "{name} {belief:?}: {own}");
    }
}

#[test]
fn each_belief_is_counted_where_it_is() {
    let slip = grid(&GridOptions { slip: 0.1, ..GridOptions::default() }).unwrap();
    let cases = [
        (Belief::Auto, [true, true, false, false, false, false]),
        (Belief::F16, [false, false, true, true, false, false]),
        (Belief::Log8, [false, false, false, false, true, true]),
    ];
    for (belief, expected) in cases {
        // Some beliefs are diffuse at any tick: both forms are there.
        let mut seen = [false; 6];
        for steps in [3, 8] {
            let (_, tiers) = run(&slip, belief, 0.0, 300, steps);
            let counts = [
                tiers.dense,
                tiers.sparse,
                tiers.dense_f16,
                tiers.sparse_f16,
                tiers.dense_log8,
                tiers.sparse_log8,
            ];
            assert_eq!(counts.iter().sum::<u64>() + tiers.initial, 300);
            seen.iter_mut().zip(counts).for_each(|(seen, count)| *seen |= count > 0);
        }
        let may = |(seen, may): (&bool, &bool)| !seen || *may;
        assert!(seen.iter().zip(&expected).all(may), "{belief:?}: {seen:?}");
    }
}

#[test]
fn what_is_dropped_takes_no_bytes() {
    let slip = grid(&GridOptions { slip: 0.1, ..GridOptions::default() }).unwrap();
    let (whole, _) = run(&slip, Belief::Sparse, 0.0, 1000, 12);
    let (less, _) = run(&slip, Belief::Sparse, 0.1, 1000, 12);
    assert!(1.5 * less < whole, "{less} bytes of {whole}");
}
