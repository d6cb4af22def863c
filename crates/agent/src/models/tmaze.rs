//! The T-maze: a reward waits in one of two arms, and a cue tells in which.
//!
//! Factors: location, and the reward's arm (left, right; it does not move). In the classic form the
//! locations are centre, left, right, cue and middle, joined as a maze; the agent sees its location,
//! the outcome (none, reward, punishment) and the cue (none, left, right). In the simplified form
//! there is no middle, every location leads to every other, and the cue is part of what is seen of
//! the location (centre, left, right, cued left, cued right).
//!
//! Arrays are those of `pymdp.envs.TMaze` and `SimplifiedTMaze` (inferactively-pymdp 1.0.4), in
//! double precision. Preferences 3 and −3, plans of two steps and gamma 8 are Populace's choice.

use super::{certain_or_uniform, place, probability};
use crate::{Dialect, Model, Result, Tensor};

const CENTRE: usize = 0;
const LEFT: usize = 1;
const RIGHT: usize = 2;
const CUE: usize = 3;
const MIDDLE: usize = 4;

/// Reward left, reward right.
const ARMS: usize = 2;

/// Which T-maze.
#[derive(Debug, Clone, PartialEq)]
pub struct TmazeOptions {
    /// Its map, and how the cue is seen.
    pub form: TmazeForm,
    /// The probability of the reward in the right arm of the two.
    pub reward_probability: f64,
    /// The probability of the punishment in the wrong one.
    pub punishment_probability: f64,
    /// The probability that the cue tells the truth.
    pub cue_validity: f64,
    /// The reward's arm (0 left, 1 right), where it is known.
    pub reward_condition: Option<usize>,
    /// Whether who misses the reward is punished, and who misses the punishment rewarded, with
    /// `reward_probability` for both.
    pub dependent_outcomes: bool,
}

/// The forms of the maze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TmazeForm {
    /// Five locations joined as a maze, a cue of its own.
    #[default]
    Classic,
    /// Four locations, all joined; the cue is part of the location's outcomes.
    Simplified,
}

impl Default for TmazeOptions {
    fn default() -> Self {
        Self {
            form: TmazeForm::Classic,
            reward_probability: 1.0,
            punishment_probability: 1.0,
            cue_validity: 0.95,
            reward_condition: None,
            dependent_outcomes: false,
        }
    }
}

/// The T-maze as a model.
///
/// ```
/// use populace_agent::models::{TmazeOptions, tmaze};
///
/// let model = tmaze(&TmazeOptions::default())?;
/// assert_eq!((model.num_states(), model.num_obs()), (vec![5, 2], vec![5, 3, 3]));
/// # Ok::<(), populace_agent::Error>(())
/// ```
///
/// # Errors
///
/// An option is out of range.
pub fn tmaze(options: &TmazeOptions) -> Result<Model> {
    probability("reward_probability", options.reward_probability)?;
    probability("punishment_probability", options.punishment_probability)?;
    probability("cue_validity", options.cue_validity)?;
    place("reward_condition", options.reward_condition.unwrap_or(0), ARMS)?;
    let (a, a_dependencies, locations) = match options.form {
        TmazeForm::Classic => {
            let seen = Tensor::certain([5, 5], |location| location as u32)?;
            let a = vec![seen, outcomes(options, 5)?, cues(options, 5)?];
            (a, vec![vec![0], vec![0, 1], vec![0, 1]], 5)
        }
        TmazeForm::Simplified => {
            let a = vec![cued_locations(options, 4)?, outcomes(options, 4)?];
            (a, vec![vec![0, 1]; 2], 4)
        }
    };
    let moves = Tensor::certain([locations, locations, locations], |column| {
        let (from, to) = (column / locations, column % locations);
        let leads = match options.form {
            TmazeForm::Classic => joined(from, to),
            TmazeForm::Simplified => true,
        };
        (if leads { to } else { from }) as u32
    })?;
    let arm = Tensor::certain([ARMS, ARMS, 1], |arm| arm as u32)?;
    let mut model = Model::new(Dialect::Pymdp1, a, vec![moves, arm]);
    model.a_dependencies = a_dependencies;
    model.c = model.num_obs().into_iter().map(|count| Tensor::vector(vec![0.0; count])).collect();
    // The outcomes are the second modality of both forms.
    model.c[1] = Tensor::vector(vec![0.0, 3.0, -3.0]);
    model.d = vec![
        Tensor::vector(certain_or_uniform(Some(CENTRE), locations)),
        Tensor::vector(certain_or_uniform(options.reward_condition, ARMS)),
    ];
    model.arguments.policy_len = 2;
    model.arguments.gamma = 8.0;
    Ok(model)
}

/// Whether a step leads from one location of the classic maze to another.
fn joined(from: usize, to: usize) -> bool {
    let doors = [(CENTRE, CUE), (CENTRE, MIDDLE), (MIDDLE, LEFT), (MIDDLE, RIGHT)];
    doors.contains(&(from, to)) || doors.contains(&(to, from))
}

/// A tensor (rows, locations, arms) of the column at every location and arm.
fn table(
    rows: usize,
    locations: usize,
    column: impl Fn(usize, usize) -> Vec<(usize, f64)>,
) -> Result<Tensor> {
    let mut values = vec![0.0; rows * locations * ARMS];
    for location in 0..locations {
        for arm in 0..ARMS {
            for (row, chance) in column(location, arm) {
                values[(row * locations + location) * ARMS + arm] = chance;
            }
        }
    }
    Tensor::dense([rows, locations, ARMS], values)
}

/// None, reward, punishment.
fn outcomes(options: &TmazeOptions, locations: usize) -> Result<Tensor> {
    let (reward, punishment) = (options.reward_probability, options.punishment_probability);
    table(3, locations, |location, arm| {
        let rewarded = location == arm + 1;
        match (location, options.dependent_outcomes) {
            (LEFT | RIGHT, true) if rewarded => vec![(1, reward), (2, 1.0 - reward)],
            (LEFT | RIGHT, true) => vec![(2, reward), (1, 1.0 - reward)],
            (LEFT | RIGHT, false) if rewarded => vec![(1, reward), (0, 1.0 - reward)],
            (LEFT | RIGHT, false) => vec![(2, punishment), (0, 1.0 - punishment)],
            _ => vec![(0, 1.0)],
        }
    })
}

/// None, left, right.
fn cues(options: &TmazeOptions, locations: usize) -> Result<Tensor> {
    let valid = options.cue_validity;
    table(3, locations, |location, arm| match location {
        CUE => vec![(1 + arm, valid), (2 - arm, 1.0 - valid)],
        _ => vec![(0, 1.0)],
    })
}

/// Centre, left, right, cued left, cued right.
fn cued_locations(options: &TmazeOptions, locations: usize) -> Result<Tensor> {
    let valid = options.cue_validity;
    table(5, locations, |location, arm| match location {
        CUE => vec![(CUE + arm, valid), (CUE + 1 - arm, 1.0 - valid)],
        _ => vec![(location, 1.0)],
    })
}
