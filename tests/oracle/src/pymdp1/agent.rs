//! The agent's loop: infer, plan, learn, act, predict.

use super::{filter, inductive, learning, ln, planning, sequence, sophisticated};
use crate::agent::Step;
use crate::array::Array;
use crate::choice::choose;
use crate::problem::{Algorithm, Observation, Policy, Problem};

pub(crate) struct Agent {
    /// The model; `a`, `b` and the counts change as the agent learns.
    problem: Problem,
    policies: Vec<Policy>,
    /// Inductive reachability; empty where not used.
    reach: Vec<Array>,
    /// What is expected before the observation.
    prior: Vec<Vec<f64>>,
    /// Belief after the last step's observation; None before the first.
    before: Option<Vec<Vec<f64>>>,
    /// All observations so far, as weights.
    seen: Vec<Vec<Vec<f64>>>,
    /// All actions so far.
    done: Vec<Vec<usize>>,
}

impl Agent {
    pub(crate) fn new(problem: &Problem) -> Self {
        check(problem);
        Agent {
            policies: problem.all_policies(),
            reach: inductive_reach(problem),
            prior: problem.d.iter().map(|d| d.data.clone()).collect(),
            before: None,
            seen: Vec::new(),
            done: Vec::new(),
            problem: problem.clone(),
        }
    }

    pub(crate) fn step(&mut self, observation: &Observation, taken: Option<&[i32]>) -> Step {
        let mut step = Step::default();
        let weights = observation.weights(&self.problem.num_obs());
        self.seen.push(weights.clone());
        step.qs = self.infer();
        match &self.problem.sophisticated {
            Some(search) => {
                step.q_pi = sophisticated::search(&self.problem, search, &self.policies, &step.qs);
            }
            None => {
                step.neg_efe =
                    planning::neg_efe(&self.problem, &self.policies, &step.qs, &self.reach);
                step.q_pi = planning::posterior(&self.problem, &step.neg_efe);
            }
        }
        self.learn(&weights, &mut step);
        let choice = choose(
            &step.q_pi,
            &self.policies,
            &self.problem.num_actions(),
            &self.problem.arguments,
            ln,
        );
        step.action = choice.action;
        step.action_gap = choice.gap;
        step.action_probabilities = choice.probabilities;
        let taken = taken.unwrap_or(&step.action);
        let action: Vec<usize> = taken.iter().map(|&u| u as usize).collect();
        self.prior =
            filter::predict(&self.problem.b, &self.problem.b_dependencies, &step.qs, &action);
        self.done.push(action);
        self.before = Some(step.qs.clone());
        step
    }

    fn infer(&self) -> Vec<Vec<f64>> {
        let arguments = &self.problem.arguments;
        let steps = self.seen.len();
        match arguments.inference_algo {
            Algorithm::Mmp | Algorithm::Vmp => {
                let start = steps.saturating_sub(arguments.inference_horizon.unwrap_or(steps));
                let beliefs =
                    sequence::infer(&self.problem, &self.seen[start..], &self.done[start..]);
                beliefs[steps - 1 - start].clone()
            }
            _ => filter::infer(
                &self.problem.a,
                &self.problem.a_dependencies,
                &self.seen[steps - 1],
                &self.prior,
                arguments.num_iter,
            ),
        }
    }

    /// Learns from this step and the one before it; nothing at the first.
    fn learn(&mut self, weights: &[Vec<f64>], step: &mut Step) {
        let Some(before) = &self.before else { return };
        if self.problem.arguments.learn_a {
            learning::update_a(&mut self.problem, weights, &step.qs);
            step.p_a_after = self.problem.p_a.clone();
        }
        if self.problem.arguments.learn_b {
            let action = &self.done[self.done.len() - 1];
            learning::update_b(&mut self.problem, &step.qs, before, action);
            step.p_b_after = self.problem.p_b.clone();
            self.reach = inductive_reach(&self.problem);
        }
    }
}

fn inductive_reach(problem: &Problem) -> Vec<Array> {
    if problem.arguments.use_inductive { inductive::reachability(problem) } else { Vec::new() }
}

/// Refuses what the reference refuses or cannot do.
fn check(problem: &Problem) {
    let arguments = &problem.arguments;
    let own = problem.b_dependencies.iter().enumerate().all(|(f, d)| *d == [f]);
    let learns = arguments.learn_a || arguments.learn_b;
    assert!(!arguments.learn_a || !problem.p_a.is_empty(), "learn_A needs pA");
    assert!(!arguments.learn_b || !problem.p_b.is_empty(), "learn_B needs pB");
    assert!(!arguments.learn_d, "pymdp-1 does not learn D");
    assert!(
        !arguments.use_param_info_gain || !problem.p_a.is_empty() || !problem.p_b.is_empty(),
        "use_param_info_gain needs pA or pB"
    );
    assert!(
        !arguments.use_inductive || (own && !problem.h.is_empty()),
        "induction needs H and B of one factor"
    );
    assert!(arguments.inference_horizon != Some(0), "inference_horizon 0");
    match arguments.inference_algo {
        Algorithm::Exact => assert!(problem.b.len() == 1, "exact needs one factor"),
        Algorithm::Ovf => assert!(own || !learns, "ovf learns with B of one factor only"),
        Algorithm::Vanilla => panic!("VANILLA is pymdp-0's"),
        _ => {}
    }
    if let Some(search) = &problem.sophisticated {
        assert!(arguments.policy_len == 1, "sophisticated inference plans step by step");
        assert!(
            problem.all_policies().len() <= search.max_branching,
            "more policies than max_branching"
        );
    }
}
