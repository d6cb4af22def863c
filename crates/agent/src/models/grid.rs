//! A square grid with walls, slippery or not, and one cell that is worth going to.
//!
//! S = side² cells, cell = row · side + column. Five actions: stay, up (row − 1), down (row + 1),
//! left (column − 1), right (column + 1).
//!
//! - Walls: each (cell, action other than stay) is blocked with probability 0.1; who tries, stays.
//!   Edges block, too.
//! - `slip`: with this probability the action is replaced by one of all five, drawn uniformly; the
//!   walls apply to what it was replaced by.
//! - A = (1 − noise) · I + noise / S: the agent sees its cell, or one of all.
//! - C is 3 at the goal cell, else 0. D is uniform over the block of 4 × 4 cells whose first row
//!   and column are (side − 4) / 2 rounded down, or over all cells.
//! - Plans of one step, gamma 16, alpha 16, actions drawn from the marginals.
//!
//! Walls and goal come from the world's own seed: cell c and action u are walled where
//! `draw(seed, 0, 5 c + u)` as a number in 0 ≤ x < 1 is below 0.1, and the goal is
//! `draw(seed, 1, 0)` scaled to S (for `draw`, see this module's `draw.rs`).

use super::draw::{draw_below, draw_unit};
use super::probability;
use crate::{ActionSelection, Arguments, Dialect, Error, Model, Result, SamplingMode, Tensor};

/// stay, up, down, left, right.
const ACTIONS: usize = 5;
const BLOCKED: f64 = 0.1;
const GOAL: f64 = 3.0;
const BLOCK: usize = 4;
/// 2^24 cells.
const LONGEST_SIDE: usize = 4096;
/// The most entries of a dense A: 1 GiB.
const MOST_LIKELIHOODS: usize = 1 << 27;

/// Which grid.
#[derive(Debug, Clone, PartialEq)]
pub struct GridOptions {
    /// Cells along an edge.
    pub side: usize,
    /// The probability that an action is replaced by one of all five.
    pub slip: f64,
    /// The probability that an observation is replaced by one of all cells.
    pub noise: f64,
    /// Where agents may start.
    pub start: GridStart,
    /// The world's own seed: walls and goal.
    pub seed: u64,
}

/// Where agents of a grid may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GridStart {
    /// Anywhere in the 4 × 4 block at the middle.
    #[default]
    Block,
    /// Anywhere.
    Anywhere,
}

impl Default for GridOptions {
    fn default() -> Self {
        Self { side: 20, slip: 0.0, noise: 0.1, start: GridStart::Block, seed: 0 }
    }
}

/// The grid world as a model; B sparse, A sparse where there is no noise.
///
/// ```
/// use populace_agent::models::{GridOptions, grid};
///
/// let model = grid(&GridOptions::default())?;
/// assert_eq!((model.num_states(), model.num_controls), (vec![400], vec![5]));
/// # Ok::<(), populace_agent::Error>(())
/// ```
///
/// # Errors
///
/// An option is out of range, or the grid is too large.
pub fn grid(options: &GridOptions) -> Result<Model> {
    let &GridOptions { side, slip, noise, start, seed } = options;
    probability("slip", slip)?;
    probability("noise", noise)?;
    let least = match start {
        GridStart::Block => BLOCK,
        GridStart::Anywhere => 1,
    };
    if !(least..=LONGEST_SIDE).contains(&side) {
        return Err(Error::invalid(format!(
            "side: is {side}, not between {least} and {LONGEST_SIDE}"
        )));
    }
    let cells = side * side;
    let mut model = Model::new(
        Dialect::Pymdp1,
        vec![likelihood(cells, noise)?],
        vec![transitions(side, slip, seed)?],
    );
    let goal = draw_below(seed, 1, 0, cells as u64) as usize;
    let preference = |cell| if cell == goal { GOAL } else { 0.0 };
    model.c = vec![Tensor::vector((0..cells).map(preference).collect())];
    if start == GridStart::Block {
        let first = (side - BLOCK) / 2;
        let block = first..first + BLOCK;
        let inside = |cell: usize| block.contains(&(cell / side)) && block.contains(&(cell % side));
        let chance = |cell| if inside(cell) { 1.0 / (BLOCK * BLOCK) as f64 } else { 0.0 };
        model.d = vec![Tensor::vector((0..cells).map(chance).collect())];
    }
    model.arguments = Arguments {
        gamma: 16.0,
        alpha: 16.0,
        action_selection: ActionSelection::Stochastic,
        sampling_mode: SamplingMode::Marginal,
        ..Arguments::for_dialect(Dialect::Pymdp1)
    };
    Ok(model)
}

fn likelihood(cells: usize, noise: f64) -> Result<Tensor> {
    if noise == 0.0 {
        return Tensor::certain([cells, cells], |cell| cell as u32);
    }
    let entries = cells * cells;
    if entries > MOST_LIKELIHOODS {
        return Err(Error::invalid(format!(
            "side: {cells} cells with noise make an A of {entries} entries, and at most \
             {MOST_LIKELIHOODS} are made; without noise it is sparse"
        )));
    }
    let elsewhere = noise / cells as f64;
    let mut values = vec![elsewhere; entries];
    values.iter_mut().step_by(cells + 1).for_each(|here| *here = 1.0 - noise + elsewhere);
    Tensor::dense([cells, cells], values)
}

fn transitions(side: usize, slip: f64, seed: u64) -> Result<Tensor> {
    let cells = side * side;
    let columns = cells * ACTIONS;
    let mut indptr = Vec::with_capacity(columns + 1);
    let (mut indices, mut values) = (Vec::with_capacity(columns), Vec::with_capacity(columns));
    indptr.push(0);
    for cell in 0..cells {
        let targets: [usize; ACTIONS] =
            std::array::from_fn(|action| target(side, cell, action, seed));
        for intended in targets {
            // (target, probability), each target once, in ascending order.
            let mut column = [(0, 0.0); ACTIONS];
            let mut sorted = targets;
            sorted.sort_unstable();
            let mut len = 0;
            for reached in sorted {
                if len == 0 || column[len - 1].0 != reached {
                    column[len] = (reached, 0.0);
                    len += 1;
                }
                column[len - 1].1 += slip / ACTIONS as f64;
            }
            for (reached, chance) in &mut column[..len] {
                if *reached == intended {
                    *chance += 1.0 - slip;
                }
                if *chance > 0.0 {
                    indices.push(*reached as u32);
                    values.push(*chance);
                }
            }
            indptr.push(indices.len() as u64);
        }
    }
    Tensor::sparse([cells, cells, ACTIONS], indptr, indices, values)
}

/// Where an action leads from a cell, walls and edges applied.
fn target(side: usize, cell: usize, action: usize, seed: u64) -> usize {
    let (row, column) = (cell / side, cell % side);
    let (open, there) = match action {
        1 => (row > 0, cell.wrapping_sub(side)),
        2 => (row + 1 < side, cell + side),
        3 => (column > 0, cell.wrapping_sub(1)),
        4 => (column + 1 < side, cell + 1),
        _ => return cell,
    };
    let walled = draw_unit(seed, 0, (cell * ACTIONS + action) as u64) < BLOCKED;
    if open && !walled { there } else { cell }
}
