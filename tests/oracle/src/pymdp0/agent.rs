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
    /// Belief after the last step's observation (MMP: the mean over policies); None before the first.
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
        if passing {
            let present = self.seen.len().min(self.horizon()) - 1;
            step.qs = self.mean_over_policies(&step, present);
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
        self.done.push(taken.iter().map(|&u| u as usize).collect());
        if passing {
            self.move_window(&step);
        } else {
            self.prior = predict(&self.problem.b, &step.qs, &self.done[self.done.len() - 1]);
        }
        self.before = Some(step.qs.clone());
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
            let worth = planning::neg_efe(&self.problem, &beliefs[1..]);
            step.neg_efe.push(worth - planning::novelty_b(&self.problem, &beliefs, policy));
        }
    }

    /// MMP: each policy's beliefs over the window; the last of them, the present included, plan.
    fn pass_messages(&self, step: &mut Step) {
        let arguments = &self.problem.arguments;
        let horizon = self.horizon();
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
            let worth = planning::neg_efe(&self.problem, future);
            step.neg_efe.push(worth - planning::novelty_b(&self.problem, future, policy));
            step.free_energy.push(free_energy);
            step.qs_policy.push(qs);
        }
    }

    /// The prior of the next window: D while the window holds the first step, then the mean over
    /// policies of the belief at the first step of the window just used.
    fn move_window(&mut self, step: &Step) {
        if self.seen.len() >= self.horizon() {
            self.prior = self.mean_over_policies(step, 0);
        }
    }

    /// Steps of MMP's window, the present included.
    fn horizon(&self) -> usize {
        self.problem.arguments.inference_horizon.unwrap_or(1)
    }

    /// Σ_π q_π · the belief of π at step t of the window.
    fn mean_over_policies(&self, step: &Step, t: usize) -> Vec<Vec<f64>> {
        let mean = |f: usize, s: usize| {
            step.q_pi.iter().zip(&step.qs_policy).map(|(q, qs)| q * qs[t][f][s]).sum()
        };
        let factor = |(f, &states): (usize, &usize)| (0..states).map(|s| mean(f, s)).collect();
        self.problem.num_states().iter().enumerate().map(factor).collect()
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

/// Refuses what the reference cannot do, but for what its formulas still define: under MMP it fails to
/// learn A or B, which learn from the mean belief over policies as D's prior moves by it; and on the
/// information gain about B, which is that of the policy's steps as without MMP.
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
        Algorithm::Vanilla | Algorithm::Mmp => {}
        other => panic!("{other:?} is pymdp-1's"),
    }
}
