//! Policies come in the order of `itertools.product`.
#![allow(clippy::unwrap_used)]

use populace_agent::{Dialect, ErrorKind, Model, Policies, Tensor};

fn controlled(num_controls: &[usize], policy_len: usize) -> Model {
    let factors = num_controls.len();
    let a = Tensor::certain(vec![2; factors + 1], |_| 0).unwrap();
    let b = num_controls.iter().map(|&u| Tensor::certain([2, 2, u], |_| 1).unwrap()).collect();
    let mut model = Model::new(Dialect::Pymdp1, vec![a], b);
    model.arguments.policy_len = policy_len;
    model
}

#[test]
fn last_control_of_the_last_step_runs_fastest() {
    let policies = controlled(&[2, 1, 3], 2).all_policies().unwrap();
    assert_eq!((policies.count, policies.len, policies.factors), (36, 2, 3));
    // list(itertools.product(*[range(n) for n in [2, 1, 3] * 2])), some of it:
    assert_eq!(policies.step(0, 0), [0, 0, 0]);
    assert_eq!(policies.step(1, 1), [0, 0, 1]);
    assert_eq!(policies.step(3, 1), [1, 0, 0]);
    assert_eq!((policies.step(6, 0), policies.step(6, 1)), (&[0, 0, 1][..], &[0, 0, 0][..]));
    assert_eq!((policies.step(35, 0), policies.step(35, 1)), (&[1, 0, 2][..], &[1, 0, 2][..]));
}

#[test]
fn several_controls_become_one_flat_action() {
    let mut model = controlled(&[2, 1], 1);
    let b = Tensor::certain([2, 2, 3, 2], |_| 0).unwrap();
    model.b = vec![b, Tensor::certain([2, 2], |_| 0).unwrap()];
    model.num_controls = vec![2, 3];
    model.b_action_dependencies = Some(vec![vec![1, 0], vec![]]);
    model.check().unwrap();
    assert_eq!((model.actions_of(0), model.actions_of(1)), (6, 1));
    let policies = model.all_policies().unwrap();
    // Controls (0, 0), (0, 1), (0, 2), (1, 0), …; factor 0 counts control 1 first.
    let first: Vec<u32> = (0..6).map(|policy| policies.step(policy, 0)[0]).collect();
    assert_eq!(first, [0, 2, 4, 1, 3, 5]);
    assert!((0..6).all(|policy| policies.step(policy, 0)[1] == 0));
}

#[test]
fn given_policies_are_taken_as_they_are() {
    let mut model = controlled(&[2, 2], 1);
    let given = Policies { count: 1, len: 1, factors: 2, actions: vec![1, 0] };
    model.policies = Some(given.clone());
    model.check().unwrap();
    assert_eq!(model.all_policies().unwrap(), given);
}

#[test]
fn too_many_are_refused_before_memory_is_taken() {
    let mut model = controlled(&[5], 40);
    // First actions can be weighed without enumeration; a habit names every policy.
    model.check().unwrap();
    let error = model.policy_count().unwrap_err();
    model.e = Some(vec![1.0]);
    assert_eq!(model.check().unwrap_err().to_string(), error.to_string());
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "agent.policy_len: 40 steps of num_controls [5] make 9094947017729282379150390625 \
         policies, and policies × steps × factors may be at most 16777216"
    );
    assert!(controlled(&[5], 1 << 40).check().is_err());
    assert!(controlled(&[1], 1 << 31).check().is_err());
    assert!(controlled(&[5], 8).check().is_ok());
}
