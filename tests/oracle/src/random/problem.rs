//! A random problem, part by part: its structure, its arrays, its arguments.

use super::Features;
use super::draw::{Draw, Kind};
use crate::array::Array;
use crate::problem::{Algorithm, Arguments, Dialect, Policy, Problem, Sophisticated};

/// Most policies of a random problem that enumerates more than one step.
const MOST_POLICIES: usize = 64;

/// What a problem is about, drawn first because all else depends on it.
struct Plan {
    dialect: Dialect,
    algorithm: Algorithm,
    sophisticated: bool,
    inductive: bool,
    learning: bool,
}

impl Plan {
    fn new(draw: &mut Draw, features: &Features) -> Self {
        let sophisticated = features.sophisticated && draw.chance(0.2);
        Plan {
            dialect: features.dialect,
            algorithm: draw.of(&features.algorithms),
            sophisticated,
            inductive: features.inductive && !sophisticated && draw.chance(0.2),
            learning: features.learning && draw.chance(0.5),
        }
    }

    fn one(&self) -> bool {
        self.dialect == Dialect::Pymdp1
    }

    /// Whether learning goes by smoothed joints.
    fn smooths(&self) -> bool {
        matches!(self.algorithm, Algorithm::Ovf | Algorithm::Exact)
    }

    /// Whether every B may depend on its own factor only.
    fn own_only(&self) -> bool {
        !self.one() || self.inductive || (self.smooths() && self.learning)
    }

    /// Whether beliefs are a policy's (pymdp-0's MMP).
    fn by_policy(&self) -> bool {
        !self.one() && self.algorithm == Algorithm::Mmp
    }
}

/// Sizes and dependencies.
struct Structure {
    states: Vec<usize>,
    outcomes: Vec<usize>,
    a_dependencies: Vec<Vec<usize>>,
    b_dependencies: Vec<Vec<usize>>,
    b_action_dependencies: Option<Vec<Vec<usize>>>,
    num_controls: Vec<usize>,
    /// Flat actions of every factor.
    num_actions: Vec<usize>,
}

impl Structure {
    fn new(draw: &mut Draw, plan: &Plan) -> Self {
        let factors = match plan.algorithm {
            Algorithm::Exact => 1,
            _ if plan.one() => draw.of(&[1, 2, 2, 3, 4]),
            _ => draw.of(&[1, 2, 3]),
        };
        // The older reference fails on factors with one state.
        let sizes: &[usize] = if plan.one() { &[1, 2, 2, 3, 3, 4, 5] } else { &[2, 2, 3, 4] };
        let states: Vec<usize> = (0..factors).map(|_| draw.of(sizes)).collect();
        let modalities = draw.of(&[1, 1, 2, 3]);
        let outcomes: Vec<usize> = (0..modalities).map(|_| draw.of(sizes)).collect();
        let a_dependencies =
            (0..modalities)
                .map(|_| {
                    if plan.one() {
                        some_of(draw, factors, None, 3)
                    } else {
                        (0..factors).collect()
                    }
                })
                .collect();
        let most = if !plan.own_only() && draw.chance(0.5) { 3 } else { 1 };
        let b_dependencies = (0..factors).map(|f| some_of(draw, factors, Some(f), most)).collect();
        let several = plan.one() && draw.chance(0.25);
        let controls = if several { draw.of(&[1, 2, 2]) } else { factors };
        let num_controls: Vec<usize> = (0..controls).map(|_| draw.of(&[1, 2, 2, 3])).collect();
        let b_action_dependencies: Option<Vec<Vec<usize>>> =
            several.then(|| (0..factors).map(|_| acting(draw, controls)).collect());
        let flat = |f: usize| match &b_action_dependencies {
            Some(lists) => lists[f].iter().map(|&c| num_controls[c]).product(),
            None => num_controls[f],
        };
        let num_actions = (0..factors).map(flat).collect();
        Structure {
            states,
            outcomes,
            a_dependencies,
            b_dependencies,
            b_action_dependencies,
            num_controls,
            num_actions,
        }
    }

    fn a(&self, draw: &mut Draw) -> Vec<Array> {
        let modalities = self.outcomes.iter().zip(&self.a_dependencies);
        modalities.map(|(&o, list)| draw.columns(&self.shape(o, list))).collect()
    }

    fn b(&self, draw: &mut Draw) -> Vec<Array> {
        let mut b = Vec::new();
        for (f, dependencies) in self.b_dependencies.iter().enumerate() {
            let mut shape = self.shape(self.states[f], dependencies);
            shape.push(self.num_actions[f]);
            b.push(draw.columns(&shape));
        }
        b
    }

    fn shape(&self, first: usize, dependencies: &[usize]) -> Vec<usize> {
        let mut shape = vec![first];
        shape.extend(dependencies.iter().map(|&f| self.states[f]));
        shape
    }
}

/// At least one and at most `most` factors, in any order, `own` among them.
fn some_of(draw: &mut Draw, factors: usize, own: Option<usize>, most: usize) -> Vec<usize> {
    let mut list: Vec<usize> = own.into_iter().collect();
    while list.len() < most.min(factors) && (list.is_empty() || draw.chance(0.5)) {
        let f = draw.below(factors);
        if !list.contains(&f) {
            list.insert(draw.below(list.len() + 1), f);
        }
    }
    list
}

/// The controls that act on a factor: any of them, or none, in any order.
fn acting(draw: &mut Draw, controls: usize) -> Vec<usize> {
    let mut list: Vec<usize> = (0..controls).filter(|_| draw.chance(0.6)).collect();
    if draw.chance(0.5) {
        list.reverse();
    }
    list
}

/// A problem of this seed's plan.
pub(super) fn problem(draw: &mut Draw, features: &Features) -> Problem {
    let plan = Plan::new(draw, features);
    let structure = Structure::new(draw, &plan);
    let mut arguments = arguments(draw, features, &plan);
    let joint: usize = structure.num_controls.iter().product();
    let longest = if plan.sophisticated { 1 } else { draw.of(&[1, 1, 2, 3]) };
    while arguments.policy_len < longest
        && joint.pow(arguments.policy_len as u32 + 1) <= MOST_POLICIES
    {
        arguments.policy_len += 1;
    }
    let steps = arguments.policy_len;
    let given = structure.b_action_dependencies.is_none() && !plan.sophisticated;
    let policies =
        (given && draw.chance(0.2)).then(|| given_policies(draw, steps, &structure.num_actions));
    let count = policies.as_ref().map_or(joint.pow(steps as u32), Vec::len);
    // Under pymdp-0's MMP the present counts as a step.
    let columns = if plan.by_policy() { steps + 1 } else { steps };
    let search = search(draw);
    let mut problem = Problem {
        dialect: plan.dialect,
        a: structure.a(draw),
        b: structure.b(draw),
        c: structure.outcomes.iter().map(|&o| preferences(draw, plan.one(), o, columns)).collect(),
        d: structure.states.iter().map(|&s| draw.columns(&[s])).collect(),
        e: draw.chance(0.3).then(|| draw.distribution(Kind::Zeros, count)),
        p_a: Vec::new(),
        p_b: Vec::new(),
        p_d: Vec::new(),
        p_e: Vec::new(),
        h: Vec::new(),
        a_dependencies: structure.a_dependencies,
        b_dependencies: structure.b_dependencies,
        b_action_dependencies: structure.b_action_dependencies,
        num_controls: structure.num_controls,
        policies,
        arguments,
        sophisticated: (plan.sophisticated && joint <= search.max_branching).then_some(search),
    };
    if plan.inductive {
        for &s in &structure.states {
            let goals = (0..s).map(|_| f64::from(u8::from(draw.chance(0.3)))).collect();
            problem.h.push(Array::vector(goals));
        }
    }
    counts(draw, &mut problem);
    if features.beyond {
        beyond(draw, &plan, count, &mut problem);
    }
    problem
}

/// All arguments but the length of policies.
fn arguments(draw: &mut Draw, features: &Features, plan: &Plan) -> Arguments {
    let mut arguments = Arguments::new(plan.dialect);
    arguments.inference_algo = plan.algorithm;
    arguments.gamma = draw.of(&[0.5, 1.0, 2.0, 4.0]);
    arguments.alpha = draw.of(&[1.0, 2.0, 16.0]);
    arguments.stochastic = draw.chance(0.3);
    arguments.marginal = draw.chance(0.5);
    arguments.use_utility = draw.chance(0.85);
    arguments.use_states_info_gain = draw.chance(0.85);
    arguments.categorical_obs = features.soft && !plan.sophisticated && draw.chance(0.15);
    if plan.one() {
        arguments.num_iter = draw.of(&[1, 4, 8, 16]);
    }
    match plan.algorithm {
        Algorithm::Mmp | Algorithm::Vmp if plan.one() => {
            arguments.inference_horizon = draw.of(&[None, Some(1), Some(2), Some(4)]);
        }
        Algorithm::Mmp => {
            arguments.inference_horizon = draw.of(&[Some(1), Some(2), Some(3), Some(8)])
        }
        _ => {}
    }
    if plan.inductive {
        arguments.use_inductive = true;
        arguments.inductive_depth = draw.of(&[1, 2, 3, 5]);
        arguments.inductive_threshold = draw.of(&[0.1, 0.3, 0.5]);
        arguments.inductive_epsilon = draw.of(&[1e-3, 1e-2]);
    }
    if plan.learning {
        let which = draw.below(3);
        // The reference raises on A and B together where it smooths.
        arguments.learn_a = which == 0 || (which == 2 && !plan.smooths());
        arguments.learn_b = which > 0;
    }
    if arguments.learn_a {
        arguments.lr_pa = draw.of(&[1.0, 0.5, 2.0]);
    }
    if arguments.learn_b {
        arguments.lr_pb = draw.of(&[1.0, 0.25]);
    }
    if plan.learning && !plan.one() && draw.chance(0.5) {
        arguments.learn_d = true;
        arguments.lr_pd = draw.of(&[1.0, 0.5]);
    }
    arguments.use_param_info_gain = features.novelty && !plan.sophisticated && draw.chance(0.3);
    arguments
}

/// Dirichlet counts, where something is learnt or new.
fn counts(draw: &mut Draw, problem: &mut Problem) {
    let novelty = problem.arguments.use_param_info_gain;
    let new_a = novelty && draw.chance(0.6);
    let new_b = novelty && (!new_a || draw.chance(0.5));
    if problem.arguments.learn_a || new_a {
        problem.p_a = problem.a.iter().map(|a| draw.counts(a)).collect();
    }
    if problem.arguments.learn_b || new_b {
        problem.p_b = problem.b.iter().map(|b| draw.counts(b)).collect();
    }
    if problem.arguments.learn_d {
        problem.p_d = problem.d.iter().map(|d| draw.counts(d)).collect();
    }
}

/// What is Populace's own, drawn last so that other problems stay as they are.
fn beyond(draw: &mut Draw, plan: &Plan, policies: usize, problem: &mut Problem) {
    let arguments = &mut problem.arguments;
    if plan.one() && plan.learning {
        arguments.learn_d = draw.chance(0.4);
        arguments.learn_e = problem.sophisticated.is_none() && draw.chance(0.4);
    }
    let rate = |draw: &mut Draw, learns: bool| match learns && draw.chance(0.5) {
        true => draw.of(&[0.9, 0.5, 1e-9]),
        false => 1.0,
    };
    arguments.fr_pa = rate(draw, arguments.learn_a);
    arguments.fr_pb = rate(draw, arguments.learn_b);
    arguments.fr_pd = rate(draw, arguments.learn_d);
    arguments.fr_pe = rate(draw, arguments.learn_e);
    let learns = [arguments.learn_a, arguments.learn_b, arguments.learn_d, arguments.learn_e];
    arguments.keep_zeros = plan.one() && learns.contains(&true) && draw.chance(0.4);
    if plan.one() && arguments.policy_len > 1 && draw.chance(0.5) {
        arguments.planning_interval = 2 + draw.below(arguments.policy_len - 1);
        arguments.marginal = false;
        // Which policy is begun is then the same for all who ask.
        arguments.stochastic = false;
    }
    if arguments.learn_d && problem.p_d.is_empty() {
        problem.p_d = problem.d.iter().map(|d| draw.counts(d)).collect();
    }
    if arguments.learn_e {
        arguments.lr_pe = draw.of(&[1.0, 0.5]);
        let uniform = vec![1.0 / policies as f64; policies];
        let e = Array::vector(problem.e.clone().unwrap_or(uniform));
        problem.p_e = draw.counts(&e).data;
    }
    if !plan.one() && plan.learning {
        let mut some = |count: usize| match draw.chance(0.3) {
            true => Some((0..count).filter(|_| draw.chance(0.5)).collect()),
            false => None,
        };
        arguments.modalities_to_learn = some(problem.a.len());
        arguments.factors_to_learn = some(problem.b.len());
    }
}

fn search(draw: &mut Draw) -> Sophisticated {
    Sophisticated {
        horizon: draw.of(&[1, 2, 3]),
        max_nodes: draw.of(&[5000, 5000, 40, 12]),
        max_branching: draw.of(&[10, 12]),
        policy_prune_threshold: draw.of(&[1.0 / 16.0, 0.2]),
        observation_prune_threshold: draw.of(&[1.0 / 16.0, 0.02, 0.2]),
        entropy_stop_threshold: draw.of(&[0.0, 0.5]),
        prune_penalty: draw.of(&[512.0, 16.0]),
        gamma: draw.of(&[1.0, 4.0]),
    }
}

/// A few policies; the first begins with the greatest action of every factor, because the older
/// reference reads the number of actions off the policies.
fn given_policies(draw: &mut Draw, len: usize, num_actions: &[usize]) -> Vec<Policy> {
    let count = 1 + draw.below(7);
    let mut policies = Vec::new();
    for _ in 0..count {
        let policy: Policy =
            (0..len).map(|_| num_actions.iter().map(|&n| draw.below(n)).collect()).collect();
        policies.push(policy);
    }
    policies[0][0] = num_actions.iter().map(|n| n - 1).collect();
    policies
}

/// Static or timed preferences.
fn preferences(draw: &mut Draw, one: bool, outcomes: usize, steps: usize) -> Array {
    let shape = match (draw.chance(0.25), one) {
        (false, _) => vec![outcomes],
        (true, true) => vec![steps, outcomes],
        (true, false) => vec![outcomes, steps],
    };
    let count = shape.iter().product();
    Array::new(shape, (0..count).map(|_| draw.between(-3.0, 3.0)).collect())
}
