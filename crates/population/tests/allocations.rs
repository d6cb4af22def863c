//! Nothing asks the heap in a tick once a run is warm: whatever plans, on however many threads, in
//! either precision; and what is learnt comes from the pool.
//!
//! One test, because the counter is the process'.

#![allow(clippy::unwrap_used)] // tests' helpers

use populace_agent::models::{
    CueChainingOptions, TmazeForm, TmazeOptions, cue_chaining, epistemic_chaining, tmaze,
};
use populace_agent::{Dialect, InferenceAlgorithm, Model, Planner, Precision, Sophisticated};
use populace_pool::CountingAllocator;
use populace_population::{Settings, Simulation};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const TICKS: u64 = 24;

/// Heap allocations in the second half of a run, as `populace run` counts them, and how policies
/// were weighed.
fn allocations(model: &Model, threads: usize, precision: Precision) -> (u64, Planner) {
    let settings = Settings {
        agents: 200,
        budget_bytes: 256 << 20,
        threads,
        precision,
        ..Settings::default()
    };
    let mut simulation = Simulation::new(model, None, &settings, TICKS, false).unwrap();
    let counted = simulation.on_worker(|simulation| {
        let mut before = 0;
        while simulation.ticks() < TICKS {
            if simulation.ticks() == TICKS / 2 {
                before = CountingAllocator::allocations();
            }
            simulation.tick().unwrap();
        }
        CountingAllocator::allocations() - before
    });
    (counted, simulation.planner())
}

fn maze(change: impl FnOnce(&mut Model)) -> Model {
    let mut model = tmaze(&TmazeOptions::default()).unwrap();
    change(&mut model);
    model
}

/// The maze for agents of `pymdp-0`, which pass messages over `horizon` steps and the planned ones.
fn by_policy(horizon: usize) -> Model {
    let options = TmazeOptions { form: TmazeForm::Simplified, ..TmazeOptions::default() };
    let maze = tmaze(&options).unwrap();
    let mut model = Model::new(Dialect::Pymdp0, maze.a, maze.b);
    (model.c, model.d) = (maze.c, maze.d);
    model.arguments.inference_algo = InferenceAlgorithm::Mmp;
    model.arguments.inference_horizon = Some(horizon);
    model.arguments.policy_len = 2;
    model
}

fn cases() -> Vec<(&'static str, Planner, Model)> {
    let mut cues = cue_chaining(&CueChainingOptions::default()).unwrap();
    cues.arguments.policy_len = 4;
    vec![
        ("enumeration", Planner::Enumeration, maze(|_| {})),
        ("graph, several cues", Planner::Graph, cues),
        ("graph, a chain of cues", Planner::Graph, epistemic_chaining(5).unwrap()),
        (
            "search",
            Planner::Search,
            maze(|model| {
                model.arguments.policy_len = 1;
                model.sophisticated = Some(Sophisticated { horizon: 3, ..Default::default() });
            }),
        ),
        (
            "windows",
            Planner::Enumeration,
            maze(|model| {
                model.arguments.inference_algo = InferenceAlgorithm::Mmp;
                model.arguments.inference_horizon = Some(4);
            }),
        ),
        ("beliefs by policy", Planner::Enumeration, by_policy(3)),
        ("beliefs by policy, one step at a time", Planner::Enumeration, by_policy(1)),
        (
            "exact joint beliefs, a plan every two steps",
            Planner::Enumeration,
            maze(|model| {
                model.arguments.inference_algo = InferenceAlgorithm::ExactJoint;
                model.arguments.planning_interval = 2;
            }),
        ),
        (
            "learning",
            Planner::Enumeration,
            maze(|model| {
                (model.p_a, model.p_b) = (model.a.clone(), model.b.clone());
                (model.arguments.learn_a, model.arguments.learn_b) = (true, true);
            }),
        ),
    ]
}

#[test]
fn no_tick_asks_the_heap() {
    for (name, planner, model) in cases() {
        for precision in [Precision::F32, Precision::F64] {
            for threads in [1, 2] {
                let (counted, planned) = allocations(&model, threads, precision);
                assert_eq!(planned, planner, "{name}");
                assert_eq!(counted, 0, "{name}, {threads} threads, {precision:?}");
            }
        }
    }
}
