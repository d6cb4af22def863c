//! Extended epistemic chaining: three cues in a chain before a reward, cpp-AIF's benchmark.
//!
//! ```text
//!    x 0  1  2  3  4  5  6  7  8  9        a first cue at (0, 2) tells which L is live,
//! y 0  S  .  L1 .  .  K1 .  .  .  .        the live L tells which K is live,
//!   1  .  .  .  L2 .  .  K2 .  T  .        the live K tells whether T or B is good
//!   2  C  .  .  .  .  .  .  .  .  .
//!   3  .  .  .  L3 .  .  K3 .  B  .
//!   4  .  .  L4 .  .  K4 .  .  .  .
//! ```
//!
//! Factors: the cell (50, row-major), the live L (4), the live K (4), the good side (2); only the
//! first moves, by north, east, south and west, and edges hold. Modalities: the cell; the three
//! cues, nothing elsewhere than where they are told; the reward (nothing, cheese, shock) at T and
//! B. Preferences are ln softmax(0, 2, −4) for the reward and nothing else. The start is known, the
//! rest is not.

use super::certain_or_uniform;
use crate::{Dialect, Model, Result, SamplingMode, Tensor};

const WIDTH: usize = 10;
const HEIGHT: usize = 5;
const CELLS: usize = WIDTH * HEIGHT;

/// The cell at (x, y).
const fn cell(x: usize, y: usize) -> usize {
    y * WIDTH + x
}

const START: usize = cell(0, 0);
const FIRST_CUE: usize = cell(0, 2);
const L: [usize; 4] = [cell(2, 0), cell(3, 1), cell(3, 3), cell(2, 4)];
const K: [usize; 4] = [cell(5, 0), cell(6, 1), cell(6, 3), cell(5, 4)];
const REWARDS: [usize; 2] = [cell(8, 1), cell(8, 3)];

/// What is true in a world of [`epistemic_chaining`].
///
/// ```
/// use populace_agent::models::{EpistemicChain, epistemic_chaining};
///
/// let mut world = epistemic_chaining(4)?;
/// let chain = EpistemicChain { live_l: 0, live_k: 3, good_side: 1 };
/// world.d = chain.states()?;
/// assert_eq!(world.d[2].to_f64(), [0.0, 0.0, 0.0, 1.0]);
/// assert!(EpistemicChain::is_end(18) && EpistemicChain::is_end(38));
/// # Ok::<(), populace_agent::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpistemicChain {
    /// The live L, from 0.
    pub live_l: usize,
    /// The live K, from 0.
    pub live_k: usize,
    /// The good side: 0 is T, 1 is B.
    pub good_side: usize,
}

impl EpistemicChain {
    /// The states that the world is in at first, as its D.
    ///
    /// # Errors
    ///
    /// A choice is out of range.
    pub fn states(self) -> Result<Vec<Tensor>> {
        super::place("live_l", self.live_l, L.len())?;
        super::place("live_k", self.live_k, K.len())?;
        super::place("good_side", self.good_side, REWARDS.len())?;
        let certain = |state, count| Tensor::vector(certain_or_uniform(Some(state), count));
        Ok(vec![
            certain(START, CELLS),
            certain(self.live_l, L.len()),
            certain(self.live_k, K.len()),
            certain(self.good_side, REWARDS.len()),
        ])
    }

    /// Whether an episode ends at a cell: at either reward.
    pub fn is_end(cell: usize) -> bool {
        REWARDS.contains(&cell)
    }
}

/// Extended epistemic chaining as a model that plans `policy_len` steps, chooses by marginals and
/// takes the best.
///
/// ```
/// use populace_agent::models::epistemic_chaining;
///
/// let model = epistemic_chaining(7)?;
/// assert_eq!(model.num_states(), [50, 4, 4, 2]);
/// assert_eq!(model.num_obs(), [50, 5, 5, 3, 3]);
/// # Ok::<(), populace_agent::Error>(())
/// ```
///
/// # Errors
///
/// None: the arrays are sound.
pub fn epistemic_chaining(policy_len: usize) -> Result<Model> {
    // Columns count the last factor fastest.
    let told = |told: bool, what: usize| if told { 1 + what as u32 } else { 0 };
    let a = vec![
        Tensor::certain([CELLS, CELLS], |at| at as u32)?,
        Tensor::certain([1 + L.len(), CELLS, L.len()], |column| {
            told(column / L.len() == FIRST_CUE, column % L.len())
        })?,
        Tensor::certain([1 + K.len(), CELLS, L.len(), K.len()], |column| {
            let (at, l) = (column / (L.len() * K.len()), column / K.len() % L.len());
            told(at == L[l], column % K.len())
        })?,
        Tensor::certain([1 + REWARDS.len(), CELLS, K.len(), REWARDS.len()], |column| {
            let (at, k) = (column / (K.len() * REWARDS.len()), column / REWARDS.len() % K.len());
            told(at == K[k], column % REWARDS.len())
        })?,
        Tensor::certain([3, CELLS, REWARDS.len()], |column| {
            let (at, good) = (column / REWARDS.len(), column % REWARDS.len());
            let reward = REWARDS.iter().position(|&reward| reward == at);
            reward.map_or(0, |reward| if reward == good { 1 } else { 2 })
        })?,
    ];
    let moves = Tensor::certain([CELLS, CELLS, 4], |column| {
        let (x, y) = (column / 4 % WIDTH, column / 4 / WIDTH);
        let to = match column % 4 {
            0 => cell(x, y.saturating_sub(1)),
            1 => cell((x + 1).min(WIDTH - 1), y),
            2 => cell(x, (y + 1).min(HEIGHT - 1)),
            _ => cell(x.saturating_sub(1), y),
        };
        to as u32
    })?;
    let stays = |count: usize| Tensor::certain([count, count, 1], |state| state as u32);
    let b = vec![moves, stays(L.len())?, stays(K.len())?, stays(REWARDS.len())?];
    let mut model = Model::new(Dialect::Pymdp1, a, b);
    model.a_dependencies = vec![vec![0], vec![0, 1], vec![0, 1, 2], vec![0, 2, 3], vec![0, 3]];
    model.c = model.num_obs().into_iter().map(|count| Tensor::vector(vec![0.0; count])).collect();
    let preferences = [0.0_f64, 2.0, -4.0];
    let total = preferences.map(f64::exp).iter().sum::<f64>().ln();
    model.c[4] = Tensor::vector(preferences.map(|c| c - total).to_vec());
    model.d[0] = Tensor::vector(certain_or_uniform(Some(START), CELLS));
    model.arguments.policy_len = policy_len;
    model.arguments.sampling_mode = SamplingMode::Marginal;
    Ok(model)
}
