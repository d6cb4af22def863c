//! Cue chaining: one cue tells where the next cue is, which tells where the reward is.
//!
//! Factors: the cell of a grid of rows and columns (row-major), which of the second cues is live,
//! and which of two rewards is the good one; only the first moves, by up, down, left, right and
//! stay, and edges hold. Modalities: the cell; the first cue (none, or which second cue is live),
//! told at its own cell; the second cue (none, or which reward is good), told at the live one's
//! cell; the reward (none, cheese, shock) at the rewards' cells.
//!
//! Arrays are those of `pymdp.envs.CueChainingEnv` (inferactively-pymdp 1.0.4), in double
//! precision. Preferences 2 and −4 and plans of three steps are Populace's choice.

use super::{certain_or_uniform, place};
use crate::{Dialect, Error, Model, Result, Tensor};

/// Which grid, and what stands where, as (row, column).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CueChainingOptions {
    /// Rows and columns.
    pub grid_shape: (usize, usize),
    /// Where the agent starts.
    pub start_location: (usize, usize),
    /// Where the first cue is.
    pub cue1_location: (usize, usize),
    /// Where the second cues are; one is live.
    pub cue2_locations: Vec<(usize, usize)>,
    /// Where the rewards are; one is good.
    pub reward_locations: [(usize, usize); 2],
    /// Which second cue is live, where that is known.
    pub cue2_state: Option<usize>,
    /// Which reward is good, where that is known.
    pub reward_condition: Option<usize>,
}

impl Default for CueChainingOptions {
    fn default() -> Self {
        Self {
            grid_shape: (5, 7),
            start_location: (0, 0),
            cue1_location: (2, 0),
            cue2_locations: vec![(0, 2), (1, 3), (3, 3), (4, 2)],
            reward_locations: [(1, 5), (3, 5)],
            cue2_state: None,
            reward_condition: None,
        }
    }
}

impl CueChainingOptions {
    /// The cell at (row, column).
    fn cell(&self, name: &str, (row, column): (usize, usize)) -> Result<usize> {
        let (rows, columns) = self.grid_shape;
        if row < rows && column < columns {
            return Ok(row * columns + column);
        }
        Err(Error::invalid(format!(
            "{name}: ({row}, {column}) is outside the {rows} × {columns} grid"
        )))
    }
}

/// The most cells: 2^20.
const MOST_CELLS: usize = 1 << 20;

/// Cue chaining as a model.
///
/// ```
/// use populace_agent::models::{CueChainingOptions, cue_chaining};
///
/// let model = cue_chaining(&CueChainingOptions::default())?;
/// assert_eq!((model.num_states(), model.num_obs()), (vec![35, 4, 2], vec![35, 5, 3, 3]));
/// # Ok::<(), populace_agent::Error>(())
/// ```
///
/// # Errors
///
/// A location is outside the grid, there is no second cue, or the grid is too large.
pub fn cue_chaining(options: &CueChainingOptions) -> Result<Model> {
    let (rows, columns) = options.grid_shape;
    let cells = rows.checked_mul(columns).filter(|&cells| cells <= MOST_CELLS);
    let Some(cells) = cells else {
        return Err(Error::invalid(format!(
            "grid_shape: {rows} × {columns} are more than {MOST_CELLS} cells"
        )));
    };
    let live = options.cue2_locations.len();
    if live == 0 {
        return Err(Error::invalid("cue2_locations: there is none; at least one is needed"));
    }
    place("cue2_state", options.cue2_state.unwrap_or(0), live)?;
    place("reward_condition", options.reward_condition.unwrap_or(0), 2)?;
    let start = options.cell("start_location", options.start_location)?;
    let cue1 = options.cell("cue1_location", options.cue1_location)?;
    let cue2 = options.cue2_locations.iter().map(|&at| options.cell("cue2_locations", at));
    let cue2: Vec<usize> = cue2.collect::<Result<_>>()?;
    let rewards = options.reward_locations.iter().map(|&at| options.cell("reward_locations", at));
    let rewards: Vec<usize> = rewards.collect::<Result<_>>()?;

    // Columns count the last factor fastest.
    let a = vec![
        Tensor::certain([cells, cells], |cell| cell as u32)?,
        Tensor::certain([1 + live, cells, live], |column| {
            let (cell, cue) = (column / live, column % live);
            if cell == cue1 { 1 + cue as u32 } else { 0 }
        })?,
        Tensor::certain([3, cells, live, 2], |column| {
            let (cell, cue, good) = (column / (2 * live), column / 2 % live, column % 2);
            if cell == cue2[cue] { 1 + good as u32 } else { 0 }
        })?,
        Tensor::certain([3, cells, 2], |column| {
            let (cell, good) = (column / 2, column % 2);
            // Where both stand on one cell, the latter counts.
            match rewards.iter().rposition(|&at| at == cell) {
                Some(reward) => {
                    if reward == good {
                        1
                    } else {
                        2
                    }
                }
                None => 0,
            }
        })?,
    ];
    let b = vec![
        Tensor::certain([cells, cells, 5], |column| {
            let (cell, action) = (column / 5, column % 5);
            let (row, at) = (cell / columns, cell % columns);
            let target = match action {
                0 => (row.saturating_sub(1), at),
                1 => ((row + 1).min(rows - 1), at),
                2 => (row, at.saturating_sub(1)),
                3 => (row, (at + 1).min(columns - 1)),
                _ => (row, at),
            };
            (target.0 * columns + target.1) as u32
        })?,
        Tensor::certain([live, live, 1], |cue| cue as u32)?,
        Tensor::certain([2, 2, 1], |good| good as u32)?,
    ];
    let mut model = Model::new(Dialect::Pymdp1, a, b);
    model.a_dependencies = vec![vec![0], vec![0, 1], vec![0, 1, 2], vec![0, 2]];
    model.c = model.num_obs().into_iter().map(|count| Tensor::vector(vec![0.0; count])).collect();
    model.c[3] = Tensor::vector(vec![0.0, 2.0, -4.0]);
    model.d = vec![
        Tensor::vector(certain_or_uniform(Some(start), cells)),
        Tensor::vector(certain_or_uniform(options.cue2_state, live)),
        Tensor::vector(certain_or_uniform(options.reward_condition, 2)),
    ];
    model.arguments.policy_len = 3;
    Ok(model)
}
