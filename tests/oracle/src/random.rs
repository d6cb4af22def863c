//! Random problems with random recordings, the same for the same seed.
//!
//! They are small (at most 4 factors of 5 states) and odd on purpose: factors with one state,
//! factors that nothing observes, cross-factor transitions, zeros, deterministic columns,
//! observations that contradict the belief, timed preferences.

mod draw;
mod problem;

use std::collections::BTreeMap;

use crate::array::Array;
use crate::file::Case;
use crate::problem::{Algorithm, Dialect, Observation, Problem};
use draw::{Draw, Kind};
use problem::problem;

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
    /// What is Populace's own: forgetting, zeros that stay, D and E learnt in pymdp-1, planning every
    /// k steps.
    pub beyond: bool,
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
            beyond: false,
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
            beyond: false,
        }
    }
}

/// A random problem with a recording of `steps` steps: observations drawn from the model or from
/// nowhere, and actions drawn from the first ones of its policies. Expectations are left empty:
/// [`answers`](crate::answers) of a [`replay`](crate::replay()) fills them.
pub fn case(seed: u64, features: &Features, steps: usize) -> Case {
    let mut draw = Draw::new(seed);
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

/// Observations drawn from the model's own process, or from nowhere.
fn observations(draw: &mut Draw, problem: &Problem, actions: &[Vec<i32>]) -> Vec<Observation> {
    let faithful = draw.chance(0.5);
    let missing = problem.dialect == Dialect::Pymdp1 && draw.chance(0.4);
    let num_obs = problem.num_obs();
    let mut truth: Vec<usize> = problem.d.iter().map(|d| draw.pick(&d.data)).collect();
    let mut recorded = Vec::new();
    for action in actions {
        let mut outcomes = Vec::new();
        for (m, a) in problem.a.iter().enumerate() {
            let column = column(a, &problem.a_dependencies[m], &truth);
            let outcome = if faithful { draw.pick(&column) } else { draw.below(num_obs[m]) };
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
            draw.pick(&column(&b, &problem.b_dependencies[f], &truth))
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
