//! An agent over a whole recording, and its answers under the names of `expect.*`.

use std::collections::BTreeMap;

use crate::agent::{Agent, Step};
use crate::array::Array;
use crate::problem::{Observation, Problem};

/// Steps an agent over observations; it follows `actions` where there are any, else its own.
pub fn replay(
    problem: &Problem,
    observations: &[Observation],
    actions: Option<&[Vec<i32>]>,
) -> Vec<Step> {
    let mut agent = Agent::new(problem);
    let step = |(t, observation): (usize, &Observation)| {
        agent.step(observation, actions.map(|actions| &actions[t][..]))
    };
    observations.iter().enumerate().map(step).collect()
}

/// What was answered, as a golden run names it: `qs.0`, `neg_efe`, `q_pi`, `action`,
/// `pA_after.0`, …, each with the steps (or updates) as its first axis.
pub fn answers(steps: &[Step]) -> BTreeMap<String, Array> {
    let mut answers = BTreeMap::new();
    let mut put = |name: String, rows: Vec<Array>| {
        if rows.first().is_some_and(|row| !row.data.is_empty()) {
            answers.insert(name, stack(&rows));
        }
    };
    let vectors = |of: fn(&Step) -> &Vec<f64>| {
        steps.iter().map(|step| Array::vector(of(step).clone())).collect::<Vec<_>>()
    };
    put("neg_efe".to_string(), vectors(|step| &step.neg_efe));
    put("q_pi".to_string(), vectors(|step| &step.q_pi));
    put("free_energy".to_string(), vectors(|step| &step.free_energy));
    let action = |step: &Step| Array::vector(step.action.iter().map(|&u| u.into()).collect());
    put("action".to_string(), steps.iter().map(action).collect());
    let habits = steps.iter().filter(|step| !step.p_e_after.is_empty());
    let habits = habits.map(|step| Array::vector(step.p_e_after.clone()));
    put("pE_after".to_string(), habits.collect());
    let Some(last) = steps.last() else { return answers };
    for f in 0..last.qs.len() {
        let rows = steps.iter().map(|step| Array::vector(step.qs[f].clone()));
        put(format!("qs.{f}"), rows.collect());
    }
    for f in 0..last.action.len() {
        let policy = |qs: &Vec<Vec<Vec<f64>>>| {
            stack(&qs.iter().map(|step| Array::vector(step[f].clone())).collect::<Vec<_>>())
        };
        put(format!("qs_policy.{f}"), last.qs_policy.iter().map(policy).collect());
    }
    let counts: [(&str, CountsOf); 3] = [
        ("pA_after", |step| &step.p_a_after),
        ("pB_after", |step| &step.p_b_after),
        ("pD_after", |step| &step.p_d_after),
    ];
    for (name, of) in counts {
        let updates: Vec<&Vec<Array>> = steps.iter().map(of).filter(|c| !c.is_empty()).collect();
        for i in 0..updates.first().map_or(0, |first| first.len()) {
            put(format!("{name}.{i}"), updates.iter().map(|update| update[i].clone()).collect());
        }
    }
    answers
}

/// The counts that a step updated.
type CountsOf = fn(&Step) -> &Vec<Array>;

/// Arrays of one shape along a new first axis.
fn stack(rows: &[Array]) -> Array {
    let mut shape = vec![rows.len()];
    shape.extend(&rows[0].shape);
    Array::new(shape, rows.iter().flat_map(|row| row.data.clone()).collect())
}
