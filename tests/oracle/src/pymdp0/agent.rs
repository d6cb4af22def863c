//! The agent's loop: infer, plan, learn, act.

use super::{joint_likelihood, learning, ln, mmp, planning, predict, vanilla};
use crate::agent::Step;
use crate::array::Array;
use crate::choice::choose;
use crate::problem::{Algorithm, Observation, Policy, Problem};

pub(crate) struct Agent {
    /// The model; `a`, `b`, `d` and the counts change as the agent learns.
    problem: Problem,
    policies: Vec<Policy>,
    /// What is expected before the observation (VANILLA), or before the window (MMP).
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
            prior: problem.d.iter().map(|d| d.data.clone()).collect(),
            before: None,
            seen: Vec::new(),
            done: Vec::new(),
            problem: problem.clone(),
        }
    }

    pub(crate) fn step(&mut self, observation: &Observation, taken: Option<&[i32]>) -> Step {
        if let Observation::Outcomes(outcomes) = observation {
            assert!(outcomes.iter().all(|&o| o >= 0), "pymdp-0 knows no missing observations");
        }
        let mut step = Step::default();
        let weights = observation.weights(&self.problem.num_obs());
        self.seen.push(weights.clone());
        let passing = self.problem.arguments.inference_algo == Algorithm::Mmp;
        if passing {
            self.pass_messages(&mut step);
        } else {
            self.filter(&mut step);
        }
        step.q_pi = planning::posterior(&self.problem, &step.neg_efe, &step.free_energy);
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
        self.done.push(taken.iter().map(|&u| u as usize).collect());
        if passing {
            self.move_window(&step);
        } else {
            self.prior = predict(&self.problem.b, &step.qs, &self.done[self.done.len() - 1]);
            self.before = Some(step.qs.clone());
        }
        step
    }

    /// VANILLA: a belief, and each policy's predictions from it.
    fn filter(&self, step: &mut Step) {
        let weights = &self.seen[self.seen.len() - 1];
        let num_iter = self.problem.arguments.num_iter;
        step.qs = vanilla::infer(&self.problem.a, weights, &self.prior, num_iter);
        for policy in &self.policies {
            let mut beliefs = vec![step.qs.clone()];
            for action in policy {
                beliefs.push(predict(&self.problem.b, &beliefs[beliefs.len() - 1], action));
            }
            let before = &beliefs[..policy.len()];
            step.neg_efe.push(planning::neg_efe(&self.problem, &beliefs[1..], before, policy));
        }
    }

    /// MMP: each policy's beliefs over the window; the last of them, the present included, plan.
    fn pass_messages(&self, step: &mut Step) {
        let arguments = &self.problem.arguments;
        let horizon = arguments.inference_horizon.unwrap_or(1);
        let start = self.seen.len().saturating_sub(horizon);
        // Where the window has moved on, the last horizon − 1 actions; the reference's slice takes
        // all of them where that is none.
        let first = if start == 0 || horizon == 1 { 0 } else { self.done.len() - (horizon - 1) };
        let likelihoods: Vec<Array> = self.seen[start..]
            .iter()
            .map(|weights| joint_likelihood(&self.problem.a, weights))
            .collect();
        for policy in &self.policies {
            let mut actions = self.done[first..].to_vec();
            actions.extend(policy.iter().cloned());
            let (qs, free_energy) = mmp::infer(
                &self.problem.b,
                &self.prior,
                &likelihoods,
                &actions,
                policy.len(),
                arguments.num_iter,
            );
            let future = &qs[qs.len() - (policy.len() + 1)..];
            step.neg_efe.push(planning::neg_efe(&self.problem, future, &[], &[]));
            step.free_energy.push(free_energy);
            step.qs_policy.push(qs);
        }
    }

    /// The prior of the next window: D while the window holds the first step, then the mean over
    /// policies of the belief at the first step of the window just used.
    fn move_window(&mut self, step: &Step) {
        if self.seen.len() < self.problem.arguments.inference_horizon.unwrap_or(1) {
            return;
        }
        for (f, prior) in self.prior.iter_mut().enumerate() {
            for (s, p) in prior.iter_mut().enumerate() {
                *p = step.q_pi.iter().zip(&step.qs_policy).map(|(q, qs)| q * qs[0][f][s]).sum();
            }
        }
    }

    fn learn(&mut self, weights: &[Vec<f64>], step: &mut Step) {
        if self.problem.arguments.learn_a {
            learning::update_a(&mut self.problem, weights, &step.qs);
            step.p_a_after = self.problem.p_a.clone();
        }
        match &self.before {
            None if self.problem.arguments.learn_d && self.seen.len() == 1 => {
                // With MMP the reference adds what precedes the window, the prior itself.
                let passing = self.problem.arguments.inference_algo == Algorithm::Mmp;
                let qs = if passing { &self.prior } else { &step.qs };
                learning::update_d(&mut self.problem, qs);
                step.p_d_after = self.problem.p_d.clone();
            }
            Some(before) if self.problem.arguments.learn_b => {
                let action = &self.done[self.done.len() - 1];
                learning::update_b(&mut self.problem, &step.qs, before, action);
                step.p_b_after = self.problem.p_b.clone();
            }
            _ => {}
        }
    }
}

/// Refuses what the reference cannot do.
fn check(problem: &Problem) {
    let arguments = &problem.arguments;
    let all: Vec<usize> = (0..problem.b.len()).collect();
    assert!(problem.a_dependencies.iter().all(|d| *d == all), "every A depends on all factors");
    assert!(
        problem.b_dependencies.iter().enumerate().all(|(f, d)| *d == [f]),
        "every B depends on its own factor"
    );
    assert!(!arguments.learn_a || !problem.p_a.is_empty(), "learn_A needs pA");
    assert!(!arguments.learn_b || !problem.p_b.is_empty(), "learn_B needs pB");
    assert!(!arguments.learn_d || !problem.p_d.is_empty(), "learn_D needs pD");
    assert!(!arguments.use_inductive && problem.sophisticated.is_none(), "pymdp-1's");
    assert!(arguments.use_bma, "the reference fails without use_BMA");
    match arguments.inference_algo {
        Algorithm::Vanilla => {}
        Algorithm::Mmp => {
            let learns = arguments.learn_a || arguments.learn_b;
            assert!(!learns, "the reference cannot learn A or B from MMP's beliefs");
            assert!(
                !arguments.use_param_info_gain || problem.p_b.is_empty(),
                "the reference fails on the information gain about B under MMP"
            );
        }
        other => panic!("{other:?} is pymdp-1's"),
    }
}
