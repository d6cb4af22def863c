//! Two populations that live through the same: one that loses something, and its exact twin.
//!
//! Both observe what the world shows the first, and the world moves by the first one's actions. The
//! twin then takes those instead of its own ([`Crowd::took`]), so that the two differ by what was
//! lost and by nothing else; what it chose itself is what is compared. (Letting each go its own way
//! would compare two lives after the first difference, most of which chance decides.)
#![allow(clippy::unwrap_used)] // a test's helper

use std::sync::Arc;

use populace_agent::models::{Builtin, GridOptions, grid};
use populace_agent::random::{Purpose, Stream};
use populace_agent::{Model, Precision, Tensor};
use populace_pool::{Pages, SharedResource};
use populace_population::{Belief, Crowd, Environment, Generative, Moment, Settings};

/// Steps two crowds as twins; shows both after each step, and the actions of both.
pub(crate) fn live(
    model: &Model,
    settings: &Settings,
    steps: u64,
    mut show: impl FnMut(&mut Crowd, &mut Crowd, &[i32], &[i32]),
) {
    let memory: SharedResource = Arc::new(Pages);
    let world = Generative::new(model, &memory).unwrap();
    let exact = Settings {
        belief: Belief::Dense,
        mass: 0.0,
        precision: Precision::F64,
        budget_bytes: 1 << 30,
        ..settings.clone()
    };
    let mut lossy = Crowd::new(model, settings).unwrap();
    let mut twin = Crowd::new(model, &exact).unwrap();
    let agents = settings.agents;
    let mut states = vec![0; agents as usize * world.state_bytes()];
    let mut observations = vec![0; agents as usize * model.modalities()];
    let mut actions = vec![0; agents as usize * model.factors()];
    let mut others = actions.clone();
    world.begin(settings.seed, 0..agents, &mut states);
    for tick in 0..steps {
        let moment = Moment { seed: settings.seed, tick };
        world.observe(moment, 0..agents, &mut states, &mut observations);
        lossy.step(&observations, &mut actions).unwrap();
        twin.step(&observations, &mut others).unwrap();
        show(&mut lossy, &mut twin, &actions, &others);
        twin.took(&actions).unwrap();
        world.act(moment, 0..agents, &mut states, &mut actions);
    }
}

/// The grid with slips, and three other models: no two lose in the same way.
pub(crate) fn models() -> Vec<(&'static str, Model)> {
    let side = 12;
    vec![
        ("slip", grid(&GridOptions { side, slip: 0.1, ..GridOptions::default() }).unwrap()),
        ("grid", grid(&GridOptions { side, ..GridOptions::default() }).unwrap()),
        ("fog", fog()),
        ("tmaze", Builtin::Tmaze.model().unwrap()),
    ]
}

/// A slippery grid seen through a random likelihood, so that beliefs are diffuse and dense.
fn fog() -> Model {
    let mut model = grid(&GridOptions { side: 6, slip: 0.1, ..GridOptions::default() }).unwrap();
    let states = 36;
    let stream = Stream::new(0, 0, Purpose::Observe);
    let mut likelihood: Vec<f64> =
        (0..states * states).map(|entry| stream.uniform(entry as u64).powi(6)).collect();
    for state in 0..states {
        let sum: f64 = likelihood.iter().skip(state).step_by(states).sum();
        likelihood.iter_mut().skip(state).step_by(states).for_each(|p| *p /= sum);
    }
    model.a = vec![Tensor::dense([states, states], likelihood).unwrap()];
    model
}

/// The total-variation distance of beliefs over one agent's factors: the largest.
pub(crate) fn apart(model: &Model, lossy: &mut Crowd, twin: &mut Crowd, agents: u64) -> Vec<f64> {
    let ids: Vec<u64> = (0..agents).collect();
    let (a, b) = (lossy.beliefs(&ids).unwrap(), twin.beliefs(&ids).unwrap());
    let mut apart = vec![0.0_f64; agents as usize];
    for (f, &states) in model.num_states().iter().enumerate() {
        for (agent, apart) in apart.iter_mut().enumerate() {
            let range = agent * states..(agent + 1) * states;
            let sum = |of: &populace_agent::Reals| range.clone().map(|i| of.get(i)).sum::<f64>();
            let (whole_a, whole_b) = (sum(&a[f]), sum(&b[f]));
            let of = |i: usize| (a[f].get(i) / whole_a - b[f].get(i) / whole_b).abs();
            *apart = apart.max(0.5 * range.clone().map(of).sum::<f64>());
        }
    }
    apart
}
