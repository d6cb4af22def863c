//! The built-in models: pymdp's arrays, and the grid as it is defined.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use populace_agent::models::{
    Builtin, CueChainingOptions, GraphOptions, GridOptions, GridStart, TmazeForm, TmazeOptions,
    cue_chaining, graph, grid, tmaze,
};
use populace_agent::{ActionSelection, Model, SamplingMode, Tensor};

fn golden(name: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/pymdp-1");
    Model::load(folder.join(name)).unwrap()
}

fn assert_same(ours: &Model, golden: &Model) {
    let pairs =
        [(&ours.a, &golden.a), (&ours.b, &golden.b), (&ours.c, &golden.c), (&ours.d, &golden.d)];
    for (ours, golden) in pairs {
        assert_eq!(ours.len(), golden.len());
        for (one, other) in ours.iter().zip(golden) {
            assert_eq!(one.shape(), other.shape());
            assert_eq!(one.to_f64(), other.to_f64());
        }
    }
    assert_eq!(ours.a_dependencies, golden.a_dependencies);
    assert_eq!(ours.b_dependencies, golden.b_dependencies);
    assert_eq!(ours.num_controls, golden.num_controls);
    assert_eq!(ours.arguments, golden.arguments);
}

#[test]
fn tmaze_and_cue_chaining_are_the_golden_ones() {
    assert_same(&tmaze(&TmazeOptions::default()).unwrap(), &golden("tmaze.safetensors"));
    assert_same(
        &cue_chaining(&CueChainingOptions::default()).unwrap(),
        &golden("cue_chaining.safetensors"),
    );
}

/// Holds a model against the arrays of pymdp's own generator (`builtins/make.py`).
fn assert_generated(name: &str, ours: &Model) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/builtins").join(name);
    let theirs = Model::load(path.with_extension("safetensors")).unwrap();
    for (ours, theirs) in [(&ours.a, &theirs.a), (&ours.b, &theirs.b), (&ours.d, &theirs.d)] {
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (one, other) in ours.iter().zip(theirs) {
            // Some of them are made in single precision there.
            let single = |tensor: &Tensor| -> Vec<f32> {
                tensor.to_f64().into_iter().map(|value| value as f32).collect()
            };
            assert_eq!(one.shape(), other.shape(), "{name}");
            assert_eq!(single(one), single(other), "{name}");
        }
    }
    assert_eq!(ours.a_dependencies, theirs.a_dependencies, "{name}");
    assert_eq!(ours.b_dependencies, theirs.b_dependencies, "{name}");
    assert_eq!(ours.num_controls, theirs.num_controls, "{name}");
}

#[test]
fn the_forms_of_every_world_are_pymdps() {
    let chances = TmazeOptions {
        reward_probability: 0.8,
        punishment_probability: 0.7,
        cue_validity: 0.9,
        ..TmazeOptions::default()
    };
    let dependent = TmazeOptions { dependent_outcomes: true, ..chances.clone() };
    let simplified = TmazeForm::Simplified;
    for (name, options) in [
        ("tmaze", chances),
        ("tmaze_dependent", TmazeOptions { reward_condition: Some(1), ..dependent.clone() }),
        ("tmaze_simplified", TmazeOptions { form: simplified, ..TmazeOptions::default() }),
        (
            "tmaze_simplified_dependent",
            TmazeOptions { form: simplified, reward_condition: Some(0), ..dependent },
        ),
    ] {
        assert_generated(name, &tmaze(&options).unwrap());
    }
    let cues = CueChainingOptions {
        grid_shape: (3, 4),
        start_location: (1, 1),
        cue1_location: (2, 3),
        cue2_locations: vec![(0, 0), (0, 3), (2, 0)],
        reward_locations: [(1, 3), (1, 0)],
        cue2_state: None,
        reward_condition: Some(1),
    };
    assert_generated("cue_chaining", &cue_chaining(&cues).unwrap());
    let clusters = GraphOptions {
        object_location: Some(4),
        agent_location: 2,
        ..GraphOptions::connected_clusters(3, 2)
    };
    assert_generated("graph", &graph(&clusters).unwrap());
    let nowhere = GraphOptions { object_location: Some(5), ..GraphOptions::default() };
    assert_generated("graph_nowhere", &graph(&nowhere).unwrap());
}

#[test]
fn every_builtin_is_sound_and_found_by_name() {
    for builtin in Builtin::ALL {
        builtin.model().unwrap().check().unwrap();
        assert_eq!(builtin.to_string().parse::<Builtin>().unwrap(), builtin);
    }
    let options = TmazeOptions {
        form: TmazeForm::Simplified,
        reward_probability: 0.8,
        dependent_outcomes: true,
        reward_condition: Some(1),
        ..TmazeOptions::default()
    };
    let simplified = tmaze(&options).unwrap();
    simplified.check().unwrap();
    assert_eq!(simplified.num_obs(), [5, 3]);
    assert_eq!(simplified.d[1].to_f64(), [0.0, 1.0]);
    graph(&GraphOptions::connected_clusters(3, 4)).unwrap().check().unwrap();
}

/// The cell that an action most probably leads to.
fn step(b: &Tensor, cell: usize, action: usize) -> usize {
    let column = b.column(cell * 5 + action);
    column.max_by(|one, other| one.1.total_cmp(&other.1)).unwrap().0
}

#[test]
fn the_default_grid_is_as_defined() {
    let model = grid(&GridOptions::default()).unwrap();
    model.check().unwrap();
    assert_eq!((model.num_states(), model.num_obs()), (vec![400], vec![400]));
    assert_eq!((model.arguments.gamma, model.arguments.alpha), (16.0, 16.0));
    assert_eq!(model.arguments.policy_len, 1);
    assert_eq!(model.arguments.action_selection, ActionSelection::Stochastic);
    assert_eq!(model.arguments.sampling_mode, SamplingMode::Marginal);

    let a = model.a[0].to_f64();
    assert!((a[0] - (0.9 + 0.1 / 400.0)).abs() < 1e-15);
    assert_eq!(a[1], 0.1 / 400.0);
    let c = model.c[0].to_f64();
    assert_eq!(c.iter().filter(|&&value| value == 3.0).count(), 1);
    assert_eq!(c.iter().sum::<f64>(), 3.0);
    for (cell, &chance) in model.d[0].to_f64().iter().enumerate() {
        let inside = (8..12).contains(&(cell / 20)) && (8..12).contains(&(cell % 20));
        assert_eq!(chance, if inside { 1.0 / 16.0 } else { 0.0 });
    }

    let b = &model.b[0];
    assert!(b.is_sparse());
    assert_eq!(b.nonzeros(), 2000, "without slip every move is certain");
    let (mut walled, mut open) = (0, 0);
    for cell in 0..400_usize {
        let (row, column) = (cell / 20, cell % 20);
        let moves = [
            (0, true, cell),
            (1, row > 0, cell.wrapping_sub(20)),
            (2, row < 19, cell + 20),
            (3, column > 0, cell.wrapping_sub(1)),
            (4, column < 19, cell + 1),
        ];
        for (action, possible, there) in moves {
            let reached = step(b, cell, action);
            assert!(reached == cell || (possible && reached == there));
            if action > 0 && possible {
                walled += usize::from(reached == cell);
                open += usize::from(reached == there);
            }
        }
    }
    // Of 1520 moves inside the grid a tenth is walled: 152 ± 5 standard deviations.
    assert_eq!(walled + open, 1520);
    assert!((94..=210).contains(&walled), "{walled}");
    // A world that silently became another would change every published figure.
    let goal = c.iter().position(|&value| value == 3.0).unwrap();
    assert_eq!((walled, goal), (137, 110));
}

#[test]
fn slip_takes_a_fifth_for_every_action_and_walls_apply_to_it() {
    let options = GridOptions { side: 6, slip: 0.25, seed: 7, ..GridOptions::default() };
    let slippery = grid(&options).unwrap();
    slippery.check().unwrap();
    let firm = grid(&GridOptions { slip: 0.0, ..options }).unwrap();
    for cell in 0..36 {
        let targets: Vec<usize> = (0..5).map(|action| step(&firm.b[0], cell, action)).collect();
        for action in 0..5 {
            let mut expected = vec![0.0; 36];
            expected[targets[action]] += 0.75;
            targets.iter().for_each(|&target| expected[target] += 0.05);
            for (row, &chance) in expected.iter().enumerate() {
                let own = slippery.b[0].value((row * 36 + cell) * 5 + action);
                assert!((own - chance).abs() < 1e-15);
            }
        }
    }
}

#[test]
fn grids_differ_by_seed_and_start() {
    let with = |seed, start| {
        grid(&GridOptions { side: 9, noise: 0.0, seed, start, ..GridOptions::default() }).unwrap()
    };
    let base = with(0, GridStart::Block);
    assert_eq!(base, with(0, GridStart::Block));
    assert_ne!(base.b, with(1, GridStart::Block).b);
    assert!(base.a[0].is_sparse());
    assert_eq!(with(0, GridStart::Anywhere).d[0].to_f64(), vec![1.0 / 81.0; 81]);
    // The block's first row and column are (9 − 4) / 2 = 2.
    assert_eq!(base.d[0].to_f64().iter().position(|&chance| chance > 0.0), Some(2 * 9 + 2));
}

#[test]
fn options_out_of_range_are_refused() {
    let grid_with = |side, slip, noise, start| {
        grid(&GridOptions { side, slip, noise, start, seed: 0 }).unwrap_err().to_string()
    };
    assert_eq!(grid_with(3, 0.0, 0.1, GridStart::Block), "side: is 3, not between 4 and 4096");
    assert_eq!(grid_with(0, 0.0, 0.1, GridStart::Anywhere), "side: is 0, not between 1 and 4096");
    assert_eq!(grid_with(20, 1.5, 0.1, GridStart::Block), "slip: is 1.5, not between 0 and 1");
    assert_eq!(
        grid_with(20, 0.0, f64::NAN, GridStart::Block),
        "noise: is NaN, not between 0 and 1"
    );
    assert_eq!(
        grid_with(108, 0.0, 0.1, GridStart::Block),
        "side: 11664 cells with noise make an A of 136048896 entries, and at most 134217728 are \
         made; without noise it is sparse"
    );
    let outside = CueChainingOptions { cue1_location: (5, 0), ..CueChainingOptions::default() };
    assert_eq!(
        cue_chaining(&outside).unwrap_err().to_string(),
        "cue1_location: (5, 0) is outside the 5 × 7 grid"
    );
    let outside = GraphOptions { edges: vec![(0, 9)], ..GraphOptions::default() };
    assert_eq!(graph(&outside).unwrap_err().to_string(), "edges: 9 is out of range, there are 5");
}
