//! Nothing asks the heap in a tick once a run is warm: whatever plans, on however many threads, in
//! either precision; and what is learnt comes from the pool.
//!
//! One test, because the counter is the process'.

#![allow(clippy::unwrap_used)] // tests' helpers

use populace_agent::models::{
    CueChainingOptions, TmazeOptions, cue_chaining, epistemic_chaining, tmaze,
};
use populace_agent::{InferenceAlgorithm, Model, Planner, Precision, Sophisticated};
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
