//! Random problems with random recordings, the same for the same seed.
//!
//! They are small (at most 4 factors of 5 states) and odd on purpose: factors with one state,
//! factors that nothing observes, cross-factor transitions, zeros, deterministic columns,
//! observations that contradict the belief, timed preferences.

use std::collections::BTreeMap;

use crate::array::Array;
use crate::file::Case;
use crate::problem::{Algorithm, Arguments, Dialect, Observation, Policy, Problem, Sophisticated};

/// Most policies of a random problem.
const MOST_POLICIES: usize = 64;

/// What random problems may ask for.
#[derive(Debug, Clone)]
pub struct Features {
    /// Whose numbers.
    pub dialect: Dialect,
    /// Drawn from; pymdp-0 knows `Vanilla` and `Mmp`.
    pub algorithms: Vec<Algorithm>,
    /// Learning of A, B (and D in pymdp-0).
    pub learning: bool,
    /// Parameter information gain.
    pub novelty: bool,
    /// Inductive inference (pymdp-1).
    pub inductive: bool,
    /// Sophisticated inference (pymdp-1).
    pub sophisticated: bool,
    /// Soft observations (pymdp-1).
    pub soft: bool,
}

impl Features {
    /// pymdp-1's filtering and planning alone.
    pub fn base() -> Self {
        Features {
            dialect: Dialect::Pymdp1,
            algorithms: vec![Algorithm::Fpi],
            learning: false,
            novelty: false,
            inductive: false,
            sophisticated: false,
            soft: true,
        }
    }

    /// All that a dialect has.
    pub fn all(dialect: Dialect) -> Self {
        let one = dialect == Dialect::Pymdp1;
        let algorithms = if one {
            use Algorithm::{Exact, Fpi, Mmp, Ovf, Vmp};
            vec![Fpi, Fpi, Exact, Ovf, Mmp, Vmp]
        } else {
            vec![Algorithm::Vanilla, Algorithm::Vanilla, Algorithm::Mmp]
        };
        Features {
            dialect,
            algorithms,
            learning: true,
            novelty: true,
            inductive: one,
            sophisticated: one,
            soft: one,
        }
    }
}

/// A random problem with a recording of `steps` steps: observations drawn from the model or from
/// nowhere, and actions drawn from the first ones of its policies. Expectations are left empty:
/// [`answers`](crate::answers) of a [`replay`](crate::replay()) fills them.
pub fn case(seed: u64, features: &Features, steps: usize) -> Case {
    let mut draw = Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66);
    let problem = problem(&mut draw, features);
    let policies = problem.all_policies();
    let mut actions = Vec::new();
    for _ in 0..steps {
        let first = &policies[draw.below(policies.len())][0];
        actions.push(first.iter().map(|&u| u as i32).collect());
    }
    let observations = observations(&mut draw, &problem, &actions);
    Case { problem, observations, actions: Some(actions), expect: BTreeMap::new() }
}

/// Random numbers: SplitMix64.
struct Draw(u64);

impl Draw {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A distribution: dense, with zeros, or on one entry.
    fn distribution(&mut self, kind: Kind, n: usize) -> Vec<f64> {
        let mut p: Vec<f64> = (0..n).map(|_| -(1.0 - self.unit()).ln() + 1e-3).collect();
        let sure = self.below(n);
        for (i, p) in p.iter_mut().enumerate() {
            let zero = match kind {
                Kind::Dense => false,
                Kind::Zeros => self.chance(0.5),
                Kind::Deterministic => true,
            };
            if zero && i != sure {
                *p = 0.0;
            }
        }
        let sum: f64 = p.iter().sum();
        p.iter().map(|p| p / sum).collect()
    }

    /// An array whose columns are distributions, all of one kind.
    fn columns(&mut self, shape: &[usize]) -> Array {
        let kind = self.of(&[Kind::Dense, Kind::Dense, Kind::Zeros, Kind::Deterministic]);
        let mut array = Array::zeros(shape);
        let columns = array.data.len() / shape[0];
        for column in 0..columns {
            for (row, p) in self.distribution(kind, shape[0]).into_iter().enumerate() {
                array.data[row * columns + column] = p;
            }
        }
        array
    }

    /// Dirichlet counts around an array, some of its zeros kept.
    fn counts(&mut self, array: &Array) -> Array {
        let scale = self.of(&[1.0, 4.0, 20.0]);
        let filled = self.chance(0.5);
        let floor = if filled { self.between(0.05, 1.0) } else { 0.0 };
        array.map(|p| scale * p + floor)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Dense,
    Zeros,
    Deterministic,
}

fn problem(draw: &mut Draw, features: &Features) -> Problem {
    let one = features.dialect == Dialect::Pymdp1;
    let mut arguments = Arguments::new(features.dialect);
    arguments.inference_algo = draw.of(&features.algorithms);
    let sophisticated = features.sophisticated && draw.chance(0.2);
    let inductive = features.inductive && !sophisticated && draw.chance(0.2);
    let learning = features.learning && draw.chance(0.5);

    let smoothing = matches!(arguments.inference_algo, Algorithm::Ovf | Algorithm::Exact);
    let own_only = !one || inductive || (smoothing && learning);
    let factors = match arguments.inference_algo {
        Algorithm::Exact => 1,
        _ => draw.of(if one { &[1, 2, 2, 3, 4] } else { &[1, 2, 3] }),
    };
    // The older reference cannot tell a factor with one state from no factor.
    let sizes: &[usize] = if one { &[1, 2, 2, 3, 3, 4, 5] } else { &[2, 2, 3, 4] };
    let states: Vec<usize> = (0..factors).map(|_| draw.of(sizes)).collect();
    let outcomes: Vec<usize> = (0..draw.of(&[1, 1, 2, 3])).map(|_| draw.of(sizes)).collect();
    let dependencies = |draw: &mut Draw, own: Option<usize>, most: usize| {
        let mut list: Vec<usize> = own.into_iter().collect();
        while list.len() < most.min(factors) && (list.is_empty() || draw.chance(0.5)) {
            let f = draw.below(factors);
            if !list.contains(&f) {
                list.insert(draw.below(list.len() + 1), f);
            }
        }
        list
    };
    let all: Vec<usize> = (0..factors).collect();
    let a_dependencies: Vec<Vec<usize>> = outcomes
        .iter()
        .map(|_| if one { dependencies(draw, None, 3) } else { all.clone() })
        .collect();
    let cross = !own_only && draw.chance(0.5);
    let b_dependencies: Vec<Vec<usize>> =
        (0..factors).map(|f| dependencies(draw, Some(f), if cross { 3 } else { 1 })).collect();

    let (num_controls, b_action_dependencies) = if one && draw.chance(0.25) {
        let num_controls: Vec<usize> =
            (0..draw.of(&[1, 2, 2])).map(|_| draw.of(&[2, 2, 3])).collect();
        let acting = |draw: &mut Draw| {
            let mut list: Vec<usize> =
                (0..num_controls.len()).filter(|_| draw.chance(0.6)).collect();
            if draw.chance(0.5) {
                list.reverse();
            }
            list
        };
        let lists = (0..factors).map(|_| acting(draw)).collect();
        (num_controls, Some(lists))
    } else {
        ((0..factors).map(|_| draw.of(&[1, 2, 2, 3])).collect(), None)
    };
    let actions = |f: usize| match &b_action_dependencies {
        None => num_controls[f],
        Some(lists) => {
            let lists: &Vec<Vec<usize>> = lists;
            lists[f].iter().map(|&c| num_controls[c]).product()
        }
    };

    let shape_of = |first: usize, dependencies: &[usize]| {
        let mut shape = vec![first];
        shape.extend(dependencies.iter().map(|&f| states[f]));
        shape
    };
    let a: Vec<Array> = outcomes
        .iter()
        .zip(&a_dependencies)
        .map(|(&o, dependencies)| draw.columns(&shape_of(o, dependencies)))
        .collect();
    let mut b = Vec::new();
    for f in 0..factors {
        let mut shape = shape_of(states[f], &b_dependencies[f]);
        shape.push(actions(f));
        b.push(draw.columns(&shape));
    }
    let d: Vec<Array> = states.iter().map(|&s| draw.columns(&[s])).collect();

    let joint: usize = num_controls.iter().product();
    let longest = if sophisticated { 1 } else { draw.of(&[1, 1, 2, 3]) };
    while arguments.policy_len < longest
        && joint.pow(arguments.policy_len as u32 + 1) <= MOST_POLICIES
    {
        arguments.policy_len += 1;
    }
    let num_actions: Vec<usize> = (0..factors).map(actions).collect();
    let given = b_action_dependencies.is_none() && !sophisticated && draw.chance(0.2);
    let policies = given.then(|| given_policies(draw, arguments.policy_len, &num_actions));
    let steps = arguments.policy_len;
    let horizon = match arguments.inference_algo {
        Algorithm::Mmp if !one => steps + 1,
        _ => steps,
    };
    let c = outcomes.iter().map(|&o| preferences(draw, one, o, horizon)).collect();

    arguments.gamma = draw.of(&[0.5, 1.0, 2.0, 4.0]);
    arguments.alpha = draw.of(&[1.0, 2.0, 16.0]);
    arguments.stochastic = draw.chance(0.3);
    arguments.marginal = draw.chance(0.5);
    arguments.use_utility = draw.chance(0.85);
    arguments.use_states_info_gain = draw.chance(0.85);
    if one {
        arguments.num_iter = draw.of(&[1, 4, 8, 16]);
    }
    match arguments.inference_algo {
        Algorithm::Mmp | Algorithm::Vmp if one => {
            arguments.inference_horizon = draw.of(&[None, Some(1), Some(2), Some(4)]);
        }
        Algorithm::Mmp => arguments.inference_horizon = draw.of(&[Some(1), Some(2), Some(3)]),
        _ => {}
    }
    arguments.categorical_obs = features.soft && !sophisticated && draw.chance(0.15);

    let passing = !one && arguments.inference_algo == Algorithm::Mmp;
    let mut p_a = Vec::new();
    let mut p_b = Vec::new();
    let mut p_d = Vec::new();
    if learning && !passing {
        match draw.below(3) {
            0 => arguments.learn_a = true,
            1 => arguments.learn_b = true,
            // The reference raises on both together where it smooths.
            _ => (arguments.learn_a, arguments.learn_b) = (!smoothing, true),
        }
        arguments.lr_pa = draw.of(&[1.0, 0.5, 2.0]);
        arguments.lr_pb = draw.of(&[1.0, 0.25]);
    }
    if learning && !one {
        arguments.learn_d = draw.chance(0.5);
        arguments.lr_pd = draw.of(&[1.0, 0.5]);
    }
    arguments.use_param_info_gain = features.novelty && !sophisticated && draw.chance(0.3);
    let novel_a = arguments.use_param_info_gain && draw.chance(0.6);
    let novel_b = arguments.use_param_info_gain && !passing && (!novel_a || draw.chance(0.5));
    if arguments.learn_a || novel_a {
        p_a = a.iter().map(|a| draw.counts(a)).collect();
    }
    if arguments.learn_b || novel_b {
        p_b = b.iter().map(|b| draw.counts(b)).collect();
    }
    if arguments.learn_d {
        p_d = d.iter().map(|d| draw.counts(d)).collect();
    }
    if p_a.is_empty() && p_b.is_empty() {
        arguments.use_param_info_gain = false;
    }
    let mut h = Vec::new();
    if inductive {
        arguments.use_inductive = true;
        arguments.inductive_depth = draw.of(&[1, 2, 3, 5]);
        arguments.inductive_threshold = draw.of(&[0.1, 0.3, 0.5]);
        arguments.inductive_epsilon = draw.of(&[1e-3, 1e-2]);
        for &s in &states {
            let goals = (0..s).map(|_| f64::from(u8::from(draw.chance(0.3)))).collect();
            h.push(Array::vector(goals));
        }
    }
    let search = Sophisticated {
        horizon: draw.of(&[1, 2, 3]),
        max_nodes: draw.of(&[5000, 5000, 40, 12]),
        max_branching: draw.of(&[10, 12]),
        policy_prune_threshold: draw.of(&[1.0 / 16.0, 0.2]),
        observation_prune_threshold: draw.of(&[1.0 / 16.0, 0.02, 0.2]),
        entropy_stop_threshold: draw.of(&[0.0, 0.5]),
        prune_penalty: draw.of(&[512.0, 16.0]),
        gamma: draw.of(&[1.0, 4.0]),
    };
    let count = policies.as_ref().map_or(joint.pow(steps as u32), Vec::len);
    let e = draw.chance(0.3).then(|| draw.distribution(Kind::Zeros, count));
    Problem {
        dialect: features.dialect,
        a,
        b,
        c,
        d,
        e,
        p_a,
        p_b,
        p_d,
        h,
        a_dependencies,
        b_dependencies,
        b_action_dependencies,
        num_controls,
        policies,
        arguments,
        sophisticated: (sophisticated && joint <= search.max_branching).then_some(search),
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

fn observations(draw: &mut Draw, problem: &Problem, actions: &[Vec<i32>]) -> Vec<Observation> {
    let faithful = draw.chance(0.5);
    let missing = problem.dialect == Dialect::Pymdp1 && draw.chance(0.4);
    let num_obs = problem.num_obs();
    let mut truth: Vec<usize> = problem.d.iter().map(|d| pick(draw, &d.data)).collect();
    let mut recorded = Vec::new();
    for action in actions {
        let mut outcomes = Vec::new();
        for (m, a) in problem.a.iter().enumerate() {
            let column = column(a, &problem.a_dependencies[m], &truth);
            let outcome = if faithful { pick(draw, &column) } else { draw.below(num_obs[m]) };
            outcomes.push(if missing && draw.chance(0.3) { -1 } else { outcome as i32 });
        }
        if problem.arguments.categorical_obs {
            let soft = num_obs.iter().map(|&n| draw.distribution(Kind::Zeros, n));
            recorded.push(Observation::Soft(soft.collect()));
        } else {
            recorded.push(Observation::Outcomes(outcomes));
        }
        let next = problem.b.iter().enumerate().map(|(f, b)| {
            let b = b.select_last(action[f] as usize);
            pick(draw, &column(&b, &problem.b_dependencies[f], &truth))
        });
        truth = next.collect();
    }
    recorded
}

/// The column of an array at the states that it depends on.
fn column(array: &Array, dependencies: &[usize], states: &[usize]) -> Vec<f64> {
    let at = |row: usize| {
        let mut index = vec![row];
        index.extend(dependencies.iter().map(|&f| states[f]));
        array.at(&index)
    };
    (0..array.shape[0]).map(at).collect()
}

/// An index drawn from a distribution.
fn pick(draw: &mut Draw, p: &[f64]) -> usize {
    let mut left = draw.unit();
    for (i, p) in p.iter().enumerate() {
        left -= p;
        if left < 0.0 {
            return i;
        }
    }
    p.len() - 1
}
