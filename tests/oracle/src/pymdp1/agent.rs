//! The agent's loop: infer, plan, learn, act, predict.

use super::{exact_joint, filter, inductive, learning, ln, planning, sequence, sophisticated};
use crate::agent::Step;
use crate::array::Array;
use crate::choice::choose;
use crate::numbers::argmax;
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
    /// The policy in progress and its next step, where policies are weighed every k steps.
    followed: Option<(usize, usize)>,
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
            followed: None,
            problem: problem.clone(),
        }
    }

    pub(crate) fn step(&mut self, observation: &Observation, taken: Option<&[i32]>) -> Step {
        let mut step = Step::default();
        let weights = observation.weights(&self.problem.num_obs());
        self.seen.push(weights.clone());
        step.qs = self.infer();
        self.plan(&mut step);
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
        self.follow(&mut step);
        let taken = taken.unwrap_or(&step.action);
        let action: Vec<usize> = taken.iter().map(|&u| u as usize).collect();
        self.prior =
            filter::predict(&self.problem.b, &self.problem.b_dependencies, &step.qs, &action);
        self.done.push(action);
        self.before = Some(step.qs.clone());
        step
    }

    /// Weighs the policies, unless one is in progress: then it is certain, and nothing is weighed.
    fn plan(&self, step: &mut Step) {
        if let Some((policy, _)) = self.followed {
            step.neg_efe = vec![0.0; self.policies.len()];
            step.q_pi = vec![0.0; self.policies.len()];
            step.q_pi[policy] = 1.0;
            return;
        }
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
    }

    /// Takes the next step of the policy in progress, or begins the best one.
    fn follow(&mut self, step: &mut Step) {
        let interval = self.problem.arguments.planning_interval;
        if interval == 1 {
            return;
        }
        let (policy, at) = self.followed.unwrap_or((argmax(&step.q_pi), 0));
        if self.followed.is_some() {
            step.action = self.policies[policy][at].iter().map(|&u| u as i32).collect();
            step.action_gap = f64::INFINITY;
            step.action_probabilities = vec![(step.action.clone(), 1.0)];
        }
        self.followed = (at + 1 < interval).then_some((policy, at + 1));
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
            Algorithm::ExactJoint => exact_joint::infer(
                &self.problem.a,
                &self.problem.a_dependencies,
                &self.seen[steps - 1],
                &self.prior,
            ),
            _ => filter::infer(
                &self.problem.a,
                &self.problem.a_dependencies,
                &self.seen[steps - 1],
                &self.prior,
                arguments.num_iter,
            ),
        }
    }

    /// Learns from this step and the one before it; A and B not at the first, D only there.
    fn learn(&mut self, weights: &[Vec<f64>], step: &mut Step) {
        if self.problem.arguments.learn_e && self.followed.is_none() {
            learning::update_e(&mut self.problem, &step.q_pi);
            step.p_e_after = self.problem.p_e.clone();
        }
        let Some(before) = &self.before else {
            if self.problem.arguments.learn_d {
                learning::update_d(&mut self.problem, &step.qs);
                step.p_d_after = self.problem.p_d.clone();
            }
            return;
        };
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
    assert!(!arguments.learn_d || !problem.p_d.is_empty(), "learn_D needs pD");
    assert!(!arguments.learn_e || !problem.p_e.is_empty(), "learn_E needs pE");
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
