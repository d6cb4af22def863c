//! The two planners are one: first-action marginals and choices of the graph are those of
//! enumeration, over random models, sparse and dense.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use populace_agent::models::{
    CueChainingOptions, GridOptions, cue_chaining, epistemic_chaining, grid,
};
use populace_agent::random::mix;
use populace_agent::{
    ActionSelection, Answers, CompiledModel, Model, Planner, SamplingMode, Scratch, Window,
};
use populace_oracle::random::{Features, case};
use populace_oracle::{Precision, write_case};
use populace_pool::{Pages, SharedResource};
use populace_tensor::lanes::LANES;

/// Counter-based numbers in 0..n.
fn below(seed: u64, place: u64, n: usize) -> usize {
    (mix(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ place) % n as u64) as usize
}

/// Steps a block whose lanes observe different things; answers q_π, the actions, and the scratch.
fn step(model: &CompiledModel<f64>, seed: u64, memory: &SharedResource) -> Scratch<f64> {
    let mut scratch = model.scratch(Window::default(), memory).unwrap();
    scratch.start();
    let outcomes = model.num_obs().to_vec();
    for lane in 0..LANES {
        let observed = outcomes.iter().enumerate().map(|(m, &count)| {
            below(seed, (lane * 64 + m) as u64, count) as i32 - i32::from(m % 3 == 2)
        });
        scratch.observe(lane, observed);
        for factor in 0..model.num_states().len() {
            let number = below(seed, (1 << 20) + (lane * 64 + factor) as u64, 1 << 20);
            scratch.draw(factor, lane, number as f64 / f64::from(1 << 20));
        }
    }
    model.infer_states(&mut scratch);
    model.infer_policies(&mut scratch);
    model.sample_action(&mut scratch);
    scratch
}

/// What the policies of each first joint action weigh together, by enumeration.
fn marginals(model: &Model, q_pi: &[f64]) -> Vec<f64> {
    let actions: usize = model.num_controls.iter().product();
    q_pi.chunks_exact(q_pi.len() / actions).map(|following| following.iter().sum()).collect()
}

/// Compares the planners on a model; answers whether there was something to compare.
fn compare(model: &Model, seed: u64) -> bool {
    let memory: SharedResource = Arc::new(Pages);
    let every = CompiledModel::<f64>::compile(model, Answers::Policies, &memory).unwrap();
    let first = CompiledModel::<f64>::compile(model, Answers::FirstActions, &memory).unwrap();
    assert_eq!(every.planner(), Planner::Enumeration);
    if first.planner() == Planner::Enumeration {
        return false;
    }
    let (want, got) = (step(&every, seed, &memory), step(&first, seed, &memory));
    for lane in 0..LANES {
        let q_pi: Vec<f64> = want.q_pi().iter().map(|row| row[lane]).collect();
        let expected = marginals(model, &q_pi);
        assert_eq!(expected.len(), got.q_pi().len());
        for (action, (&expected, row)) in expected.iter().zip(got.q_pi()).enumerate() {
            let difference = (row[lane] - expected).abs();
            assert!(
                difference <= 1e-9 * expected + 1e-12,
                "seed {seed}, lane {lane}, first action {action}: {} is not {expected}",
                row[lane]
            );
        }
        if clear(model, &q_pi, &expected) {
            for factor in 0..model.factors() {
                let actions = (want.action(factor, lane), got.action(factor, lane));
                assert_eq!(actions.0, actions.1, "seed {seed}, lane {lane}, factor {factor}");
            }
        }
    }
    true
}

/// Whether rounding cannot decide between the best action and another. Drawn ones always may be at
/// an edge, so seldom that it is not seen.
fn clear(model: &Model, q_pi: &[f64], first: &[f64]) -> bool {
    let apart = |weights: &[f64]| {
        let mut sorted = weights.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.windows(2).next_back().is_none_or(|pair| pair[1] - pair[0] > 1e-9)
    };
    if model.arguments.action_selection == ActionSelection::Stochastic {
        return true;
    }
    if model.arguments.sampling_mode == SamplingMode::Full {
        return apart(q_pi);
    }
    (0..model.factors()).all(|factor| {
        let mut marginal = vec![0.0; model.actions_of(factor)];
        for (joint, q) in first.iter().enumerate() {
            let mut rest = joint;
            let mut controls = vec![0; model.num_controls.len()];
            for (control, &count) in controls.iter_mut().zip(&model.num_controls).rev() {
                *control = (rest % count) as u32;
                rest /= count;
            }
            marginal[model.flat_action(factor, &controls) as usize] += q;
        }
        apart(&marginal)
    })
}

/// A random model of the oracle's, through a file, its plans as long as enumeration can bear.
fn random(seed: u64) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let case = case(seed, &Features::base(), 1);
    write_case(&case, &path, Precision::F64, false).unwrap();
    let mut model = Model::load(&path).unwrap();
    let actions: usize = model.num_controls.iter().product();
    let timed = model.c.iter().any(|c| c.shape().len() == 2);
    if model.e.is_none() && model.policies.is_none() && !timed {
        while actions.pow(model.arguments.policy_len as u32 + 1) <= 1024
            && model.arguments.policy_len < 5
        {
            model.arguments.policy_len += 1;
        }
    }
    if below(seed, 1, 2) == 0 && model.policies.is_none() {
        // A habit that is a product over steps, with certain and impossible actions.
        let steps = model.arguments.policy_len;
        let factor = |step: usize, action: usize| {
            1e-3 + below(seed, (2 + step * 64 + action) as u64, 1000) as f64 / 1e3
        };
        let policies = actions.pow(steps as u32);
        let product = |policy: usize| -> f64 {
            (0..steps).map(|t| factor(t, policy / actions.pow(t as u32) % actions)).product()
        };
        model.e = Some((0..policies).map(product).collect());
    }
    model
}

#[test]
fn over_a_thousand_random_models() {
    let (mut compared, mut seed) = (0, 0);
    let wanted = if std::env::var_os("POPULACE_LONG").is_some() { 5000 } else { 1000 };
    while compared < wanted {
        compared += usize::from(compare(&random(seed), seed));
        seed += 1;
        assert!(seed < 4 * wanted as u64, "only {compared} models have a graph");
    }
}

#[test]
fn on_grids_certain_and_slipping() {
    for (seed, slip) in [0.0, 0.1, 0.25].into_iter().enumerate() {
        let options = GridOptions { side: 5, slip, ..GridOptions::default() };
        let mut model = grid(&options).unwrap();
        for (mode, selection) in [
            (SamplingMode::Marginal, ActionSelection::Deterministic),
            (SamplingMode::Full, ActionSelection::Stochastic),
            (SamplingMode::Full, ActionSelection::Deterministic),
        ] {
            model.arguments.policy_len = 4;
            model.arguments.gamma = 4.0;
            model.arguments.alpha = 4.0;
            model.arguments.sampling_mode = mode;
            model.arguments.action_selection = selection;
            assert!(compare(&model, seed as u64));
        }
    }
}

#[test]
fn on_epistemic_chaining() {
    // Enumeration at 7 steps weighs 16,384 policies.
    for policy_len in 4..=7 {
        let model = epistemic_chaining(policy_len).unwrap();
        for seed in 0..3 {
            assert!(compare(&model, seed));
        }
    }
}

#[test]
fn plans_too_many_to_enumerate_are_weighed() {
    let memory: SharedResource = Arc::new(Pages);
    let mut model = cue_chaining(&CueChainingOptions::default()).unwrap();
    model.arguments.policy_len = 14;
    model.check().unwrap();
    assert!(model.policy_count().is_err());
    let compiled = CompiledModel::<f64>::compile(&model, Answers::Policies, &memory).unwrap();
    assert_eq!(compiled.planner(), Planner::Graph);
    let scratch = step(&compiled, 1, &memory);
    let sum: f64 = scratch.q_pi().iter().map(|row| row[0]).sum();
    assert!((sum - 1.0).abs() < 1e-12);
    // Dense moves lead to ever new beliefs: that is refused in words.
    let mut slipping =
        grid(&GridOptions { side: 20, slip: 0.1, ..GridOptions::default() }).unwrap();
    slipping.arguments.policy_len = 200_000;
    let error = CompiledModel::<f64>::compile(&slipping, Answers::Actions, &memory).unwrap_err();
    assert!(error.to_string().starts_with("agent.policy_len: 200000 steps lead to too many"));
}
