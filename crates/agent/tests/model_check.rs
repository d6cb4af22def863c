//! Every rule of a model, each with the line that a user reads.
#![allow(clippy::unwrap_used, clippy::type_complexity)]

use populace_agent::{
    Dialect, ErrorKind, InferenceAlgorithm, Model, Policies, SamplingMode, Sophisticated, Tensor,
};

/// Two factors (3 and 2 states, 2 and 1 actions), two modalities (4 and 3 outcomes).
fn sound() -> Model {
    let a = vec![
        Tensor::dense([4, 3, 2], vec![0.25; 24]).unwrap(),
        Tensor::dense([3, 3, 2], [vec![0.5; 12], vec![0.0; 6]].concat()).unwrap(),
    ];
    let b = vec![
        Tensor::certain([3, 3, 2], |column| column as u32 / 2).unwrap(),
        Tensor::certain([2, 2, 1], |column| column as u32).unwrap(),
    ];
    Model::new(Dialect::Pymdp1, a, b)
}

fn pymdp_0() -> Model {
    let Model { a, b, .. } = sound();
    Model::new(Dialect::Pymdp0, a, b)
}

fn with(change: impl FnOnce(&mut Model)) -> Model {
    let mut model = sound();
    change(&mut model);
    model
}

/// Everything is learnt that can be.
fn learning(model: &mut Model) {
    (model.p_a, model.p_b, model.p_d) = (model.a.clone(), model.b.clone(), model.d.clone());
    model.p_e = vec![1.0; 2];
    let agent = &mut model.arguments;
    (agent.learn_a, agent.learn_b, agent.learn_d, agent.learn_e) = (true, true, true, true);
}

fn dense(shape: &[usize], values: &[f64]) -> Tensor {
    Tensor::dense(shape, values.to_vec()).unwrap()
}

#[test]
fn a_sound_model_passes() {
    sound().check().unwrap();
    pymdp_0().check().unwrap();
}

#[test]
fn defaults_are_pymdps() {
    assert_eq!(sound().c[0].to_f64(), [0.25; 4]);
    assert_eq!(pymdp_0().c[0].to_f64(), [0.0; 4]);
    assert_eq!(sound().d[1].to_f64(), [0.5; 2]);
    assert_eq!(sound().a_dependencies, [[0, 1], [0, 1]]);
    assert_eq!(sound().b_dependencies, [[0], [1]]);
    assert_eq!(sound().num_states(), [3, 2]);
    assert_eq!(sound().num_obs(), [4, 3]);
}

#[test]
#[rustfmt::skip]
fn every_rule_has_its_line() {
    let cases: &[(&str, fn(&mut Model))] = &[
        ("A.0: is missing; a model has at least one modality", |m| m.a.clear()),
        ("B.0: is missing; a model has at least one factor", |m| m.b.clear()),
        ("A.1: has no axis, but at least one is needed", |m| m.a[1] = Tensor::Dense { shape: vec![], values: vec![1.0].into() }),
        ("C: there are 1, but 2 modalities", |m| { m.c.pop(); }),
        ("D: there are 1, but 2 factors", |m| { m.d.pop(); }),
        ("pA: there are 1, but 2 modalities", |m| m.p_a = vec![m.a[0].clone()]),
        ("H: there are 1, but 2 factors", |m| m.h = vec![m.d[0].clone()]),
        ("A_dependencies: there are 1, but 2 modalities", |m| { m.a_dependencies.pop(); }),
        ("A_dependencies[1]: 2 is out of range, there are 2 factors", |m| m.a_dependencies[1] = vec![0, 2]),
        ("A_dependencies[1]: names 0 twice", |m| m.a_dependencies[1] = vec![0, 0]),
        ("A_dependencies[1]: is empty; name at least one factor", |m| m.a_dependencies[1] = vec![]),
        ("B_dependencies[0]: 7 is out of range, there are 2 factors", |m| m.b_dependencies[0] = vec![7]),
        ("B_dependencies[0]: [1] leaves out 0; a factor depends on itself", |m| m.b_dependencies[0] = vec![1]),
        ("num_controls: there are 1, but 2 factors (without B_action_dependencies, one for each)", |m| m.num_controls = vec![2]),
        ("num_controls[1]: is 0; a control has at least one action", |m| m.num_controls[1] = 0),
        ("B_action_dependencies: there are 1, but 2 factors", |m| m.b_action_dependencies = Some(vec![vec![0]])),
        ("B_action_dependencies[1]: 2 is out of range, there are 2 controls", |m| m.b_action_dependencies = Some(vec![vec![0], vec![2]])),
        ("A.1: shape is (3, 3, 2), not (3, 2, 3) (A_dependencies [1, 0])", |m| m.a_dependencies[1] = vec![1, 0]),
        ("B.0: shape is (3, 3, 2), not (3, 3, 2, 2) (B_dependencies [0, 1] and num_controls [2])", |m| m.b_dependencies[0] = vec![0, 1]),
        ("B.0: shape is (3, 3, 2), not (3, 3, 3) (B_dependencies [0] and num_controls [3])", |m| m.num_controls[0] = 3),
        ("D.0: shape is (2,), not (3,) (the states of factor 0)", |m| m.d[0] = Tensor::uniform(2)),
        ("pB.1: shape is (2, 2), not (2, 2, 1) (B's shape)", |m| m.p_b = vec![m.b[0].clone(), dense(&[2, 2], &[1.0; 4])]),
        ("C.1: shape is (4,), but A.1 has 3 outcomes", |m| m.c[1] = Tensor::uniform(4)),
        ("C.1: shape is (3, 2), read as (T, O), but A.1 has 3 outcomes", |m| m.c[1] = dense(&[3, 2], &[0.0; 6])),
        ("C.1: has preferences for 1 steps, but 2 are planned", |m| { m.arguments.policy_len = 2; m.c[1] = dense(&[1, 3], &[0.0; 3]); }),
        ("C.1: shape is (1, 1, 3), not (O,) or timed", |m| m.c[1] = dense(&[1, 1, 3], &[0.0; 3])),
        ("C.0: (2,) is NaN, not a finite number", |m| m.c[0] = Tensor::vector(vec![0.0, 0.0, f64::NAN, 0.0])),
        ("A.0: (0, 1, 1) is NaN, not a probability", |m| m.a[0] = dense(&[4, 3, 2], &[[0.25; 3].as_slice(), &[f64::NAN], &[0.25; 20]].concat())),
        ("B.1: (1, 0, 0) is -0.5, not a probability", |m| m.b[1] = dense(&[2, 2, 1], &[1.5, 0.0, -0.5, 1.0])),
        ("B.1: column (1, 0) sums to 0.93, not 1 (±1e-6)", |m| m.b[1] = dense(&[2, 2, 1], &[1.0, 0.03, 0.0, 0.9])),
        ("B.1: column (1, 0) sums to 0.93, not 1 (±1e-4)", |m| m.b[1] = Tensor::dense([2, 2, 1], vec![1.0_f32, 0.03, 0.0, 0.9]).unwrap()),
        ("B.1: column (0, 0) sums to 0, not 1 (±1e-6)", |m| m.b[1] = Tensor::sparse([2, 2, 1], vec![0, 0, 1], vec![1], vec![1.0]).unwrap()),
        ("B.1: (1, 1, 0) is inf, not a probability", |m| m.b[1] = Tensor::sparse([2, 2, 1], vec![0, 1, 2], vec![0, 1], vec![1.0, f64::INFINITY]).unwrap()),
        ("D.1: sums to 0.5, not 1 (±1e-6)", |m| m.d[1] = Tensor::vector(vec![0.25; 2])),
        ("E: has 3 entries, but there are 2 policies", |m| m.e = Some(vec![1.0; 3])),
        ("E: [1] is -1, not a finite number of at least 0", |m| m.e = Some(vec![1.0, -1.0])),
        ("pA.0: (0, 0, 0) is -1, not a finite number of at least 0", |m| m.p_a = vec![dense(&[4, 3, 2], &[-1.0; 24]), m.a[1].clone()]),
        ("policies: have 1 actions a step, but 2 factors", |m| m.policies = Some(Policies { count: 1, len: 1, factors: 1, actions: vec![0] })),
        ("policies: there are none; leave them out to have all", |m| m.policies = Some(Policies { count: 0, len: 1, factors: 2, actions: vec![] })),
        ("policies: have 2 steps, but agent.policy_len is 1", |m| m.policies = Some(Policies { count: 1, len: 2, factors: 2, actions: vec![0; 4] })),
        ("policies: shape (2, 1, 2) does not hold 3 actions", |m| m.policies = Some(Policies { count: 2, len: 1, factors: 2, actions: vec![0; 3] })),
        ("policies: (1, 0, 1) is 1, but factor 1 has 1 actions", |m| m.policies = Some(Policies { count: 2, len: 1, factors: 2, actions: vec![0, 0, 0, 1] })),
        ("agent.policy_len: is 0, not at least 1", |m| m.arguments.policy_len = 0),
        ("agent.num_iter: is 0, not at least 1", |m| m.arguments.num_iter = 0),
        ("agent.num_iter: is 1000001, and at most 1000000 are made", |m| m.arguments.num_iter = 1_000_001),
        ("agent.gamma: is NaN, not a finite number", |m| m.arguments.gamma = f64::NAN),
        ("agent.inference_horizon: is 0, not at least 1", |m| m.arguments.inference_horizon = Some(0)),
        ("agent.inference_horizon: is 2000000, and a window holds at most 1048576 steps", |m| m.arguments.inference_horizon = Some(2_000_000)),
        ("agent.lr_pA: is -1, not at least 0", |m| m.arguments.lr_pa = -1.0),
        ("agent.inference_algo: pymdp-1 has no \"VANILLA\", only fpi, mmp, vmp, ovf, exact, exact-joint", |m| m.arguments.inference_algo = InferenceAlgorithm::Vanilla),
        ("agent.inference_algo: \"exact\" is for one factor, and there are 2", |m| m.arguments.inference_algo = InferenceAlgorithm::Exact),
        ("agent.use_BMA: pymdp-1 has no such thing", |m| m.arguments.use_bma = true),
        ("agent.modalities_to_learn: pymdp-1 has no such thing", |m| m.arguments.modalities_to_learn = Some(vec![0])),
        ("agent.factors_to_learn: pymdp-1 has no such thing", |m| m.arguments.factors_to_learn = Some(vec![])),
        ("agent.control_fac_idx[1]: is 2, and there are 2 control factors", |m| m.arguments.control_fac_idx = Some(vec![0, 2])),
        ("agent.control_fac_idx[1]: 0 stands there twice", |m| m.arguments.control_fac_idx = Some(vec![0, 0])),
        ("agent.control_fac_idx[0]: factor 1 has one action", |m| m.arguments.control_fac_idx = Some(vec![1])),
        ("agent.learn_A: needs Dirichlet counts, but pA.0 is missing", |m| m.arguments.learn_a = true),
        ("agent.learn_B: needs Dirichlet counts, but pB.0 is missing", |m| m.arguments.learn_b = true),
        ("agent.learn_D: needs Dirichlet counts, but pD.0 is missing", |m| m.arguments.learn_d = true),
        ("agent.learn_E: needs Dirichlet counts, but pE is missing", |m| m.arguments.learn_e = true),
        ("pE: has 3 entries, but there are 2 policies", |m| m.p_e = vec![1.0; 3]),
        ("pE: [1] is -1, not a finite number of at least 0", |m| m.p_e = vec![1.0, -1.0]),
        ("agent.use_param_info_gain: needs Dirichlet counts, but pA.0 and pB.0 are missing", |m| m.arguments.use_param_info_gain = true),
        ("agent.use_inductive: needs a goal, but H.0 is missing", |m| m.arguments.use_inductive = true),
        ("agent.inductive_depth: is 0, not at least 1", |m| { m.arguments.use_inductive = true; m.h = m.d.clone(); m.arguments.inductive_depth = 0; }),
        ("agent.inductive_epsilon: is 0, not above 0", |m| { m.arguments.use_inductive = true; m.h = m.d.clone(); m.arguments.inductive_epsilon = 0.0; }),
        ("sophisticated.horizon: is 0, not at least 1", |m| m.sophisticated = Some(Sophisticated { horizon: 0, ..Default::default() })),
        ("sophisticated: searches one step at a time, but agent.policy_len is 2", |m| { m.arguments.policy_len = 2; m.sophisticated = Some(Sophisticated::default()); }),
        ("agent.learn_E: is true, but sophisticated inference does not use E", |m| { learning(m); m.sophisticated = Some(Sophisticated::default()); }),
        ("agent.fr_pA: is 0, not above 0 and at most 1", |m| { learning(m); m.arguments.fr_pa = 0.0; }),
        ("agent.fr_pB: is 1.5, not above 0 and at most 1", |m| { learning(m); m.arguments.fr_pb = 1.5; }),
        ("agent.fr_pD: is NaN, not above 0 and at most 1", |m| { learning(m); m.arguments.fr_pd = f64::NAN; }),
        ("agent.fr_pE: is 0.5, but nothing is learnt that could be forgotten: agent.learn_E is false", |m| m.arguments.fr_pe = 0.5),
        ("agent.keep_zeros: is true, but nothing is learnt", |m| m.arguments.keep_zeros = true),
        ("agent.planning_interval: is 0, not at least 1", |m| m.arguments.planning_interval = 0),
        ("agent.planning_interval: is 3, but policies have 2 steps to follow (agent.policy_len)", |m| { m.arguments.policy_len = 2; m.arguments.planning_interval = 3; }),
        ("agent.planning_interval: is 2, but with agent.sampling_mode \"marginal\" no policy is chosen that could be followed", |m| { m.arguments.policy_len = 2; m.arguments.planning_interval = 2; m.arguments.sampling_mode = SamplingMode::Marginal; }),
        ("sophisticated.max_branching: is 1, but there are 2 policies", |m| m.sophisticated = Some(Sophisticated { max_branching: 1, ..Default::default() })),
    ];
    for (message, change) in cases {
        let error = with(change).check().unwrap_err();
        assert_eq!(error.to_string(), *message);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{message}");
    }
}

#[test]
fn what_is_ours_passes_where_it_does_something() {
    let mut model = with(learning);
    let agent = &mut model.arguments;
    (agent.fr_pa, agent.fr_pb, agent.fr_pd, agent.fr_pe) = (0.5, 0.9, 0.1, 1.0);
    agent.keep_zeros = true;
    agent.inference_algo = InferenceAlgorithm::ExactJoint;
    agent.policy_len = 3;
    agent.planning_interval = 3;
    model.p_e = vec![1.0; 8];
    model.check().unwrap();
}

#[test]
fn cross_factor_dynamics_are_refused_where_they_mean_nothing() {
    let mut model = sound();
    model.b[0] = Tensor::certain([3, 3, 2, 2], |_| 0).unwrap();
    model.b_dependencies[0] = vec![0, 1];
    model.check().unwrap();
    model.h = model.d.clone();
    model.arguments.use_inductive = true;
    assert_eq!(
        model.check().unwrap_err().to_string(),
        "agent.use_inductive: needs factors that depend on themselves alone, but \
         B_dependencies[0] is [0, 1]"
    );
    model.arguments.use_inductive = false;
    model.p_b = model.b.clone();
    model.arguments.learn_b = true;
    model.check().unwrap();
    model.arguments.inference_algo = InferenceAlgorithm::Ovf;
    assert_eq!(
        model.check().unwrap_err().to_string(),
        "agent.learn_B with inference_algo \"ovf\": needs factors that depend on themselves \
         alone, but B_dependencies[0] is [0, 1]"
    );
}

#[test]
fn pymdp_0_refuses_what_it_lacks() {
    let cases: &[(&str, fn(&mut Model))] = &[
        (
            "A_dependencies[1]: is [1, 0], but in pymdp-0 every modality depends on all factors, \
             [0, 1]",
            |m| m.a_dependencies[1] = vec![1, 0],
        ),
        ("B_dependencies[1]: is [1, 0], but in pymdp-0 a factor depends on itself alone", |m| {
            m.b_dependencies[1] = vec![1, 0]
        }),
        ("B_action_dependencies: pymdp-0 has one control for each factor", |m| {
            m.b_action_dependencies = Some(vec![vec![0], vec![1]]);
        }),
        ("agent.inference_algo: pymdp-0 has no \"fpi\", only VANILLA, MMP", |m| {
            m.arguments.inference_algo = InferenceAlgorithm::Fpi;
        }),
        ("agent.inference_algo: pymdp-0 has no \"vmp\", only VANILLA, MMP", |m| {
            m.arguments.inference_algo = InferenceAlgorithm::Vmp;
        }),
        ("agent.inference_horizon: is 0, not at least 1", |m| {
            m.arguments.inference_horizon = Some(0);
        }),
        ("agent.inference_horizon: is missing; MMP of pymdp-0 needs a window's length", |m| {
            m.arguments.inference_algo = InferenceAlgorithm::Mmp;
            m.arguments.inference_horizon = None;
        }),
        ("agent.use_BMA: is false, but MMP's windows start from the mean over policies", |m| {
            m.arguments.inference_algo = InferenceAlgorithm::Mmp;
            m.arguments.use_bma = false;
        }),
        ("agent.categorical_obs: pymdp-0 has no such thing", |m| {
            m.arguments.categorical_obs = true;
        }),
        ("agent.use_inductive: pymdp-0 has no such thing", |m| m.arguments.use_inductive = true),
        ("H.0: pymdp-0 has no such thing", |m| m.h = m.d.clone()),
        ("sophisticated: pymdp-0 has no such thing", |m| {
            m.sophisticated = Some(Sophisticated::default());
        }),
        ("agent.learn_A: needs Dirichlet counts, but pA.0 is missing", |m| {
            m.arguments.learn_a = true;
        }),
        ("agent.learn_D: needs Dirichlet counts, but pD.0 is missing", |m| {
            m.arguments.learn_d = true;
        }),
        ("C.0: has preferences for 1 steps, but 2 are planned", |m| {
            // MMP weighs the present as well.
            m.arguments.inference_algo = InferenceAlgorithm::Mmp;
            m.c[0] = dense(&[4, 1], &[0.0; 4]);
        }),
        ("agent.inference_algo: pymdp-0 has no \"exact-joint\", only VANILLA, MMP", |m| {
            m.arguments.inference_algo = InferenceAlgorithm::ExactJoint;
        }),
        ("agent.learn_E: pymdp-0 has no such thing", |m| m.arguments.learn_e = true),
        ("agent.keep_zeros: pymdp-0 has no such thing", |m| m.arguments.keep_zeros = true),
        ("agent.modalities_to_learn[0]: is 9, and there are 2 modalities", |m| {
            m.arguments.modalities_to_learn = Some(vec![9])
        }),
        ("agent.factors_to_learn[1]: 0 stands there twice", |m| {
            m.arguments.factors_to_learn = Some(vec![0, 0])
        }),
        ("agent.planning_interval: pymdp-0 has no such thing", |m| {
            m.arguments.planning_interval = 2;
        }),
        ("C.1: shape is (1, 3), read as (O, T), but A.1 has 3 outcomes", |m| {
            m.c[1] = dense(&[1, 3], &[0.0; 3]);
        }),
    ];
    for (message, change) in cases {
        let mut model = pymdp_0();
        change(&mut model);
        assert_eq!(model.check().unwrap_err().to_string(), *message);
    }
}
