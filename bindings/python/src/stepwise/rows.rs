//! Rows of agents and rows of lanes; what rows of observations and actions may hold.

use populace_agent::Scratch;
use populace_tensor::lanes::Lane;

use crate::errors::{Failure, Result};

/// What agents observe, a row an agent.
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    /// Outcomes by modality, −1 for none.
    Outcomes(&'a [i32]),
    /// Distributions over outcomes, all modalities one after another.
    Soft(&'a [f64]),
}

impl<'a> Seen<'a> {
    /// Refuses what is not `steps` observations of each of `agents`.
    pub(super) fn check(self, agents: usize, steps: usize, outcomes: &[usize]) -> Result<()> {
        match self {
            Self::Outcomes(seen) => {
                same("observations", seen.len(), agents, steps * outcomes.len())?;
                let wrong = |(&o, &count): (&i32, &usize)| o < -1 || i64::from(o) >= count as i64;
                for (place, row) in seen.chunks_exact(outcomes.len()).enumerate() {
                    if let Some(m) = row.iter().zip(outcomes).position(wrong) {
                        return Err(Failure::invalid(format!(
                            "observations[{m}]: is {} at {}, not between 0 and {}, nor -1 for none",
                            row[m],
                            place / steps,
                            outcomes[m] - 1
                        )));
                    }
                }
                Ok(())
            }
            Self::Soft(seen) => {
                same("observations", seen.len(), agents, steps * outcomes.iter().sum::<usize>())
            }
        }
    }

    /// The row of observation `place`.
    pub(super) fn row(self, place: usize, outcomes: &[usize]) -> Seen<'a> {
        match self {
            Self::Outcomes(seen) => {
                Self::Outcomes(&seen[place * outcomes.len()..][..outcomes.len()])
            }
            Self::Soft(seen) => {
                let width: usize = outcomes.iter().sum();
                Self::Soft(&seen[place * width..][..width])
            }
        }
    }

    /// Gives a lane what this row says.
    pub(super) fn observe(self, scratch: &mut Scratch<f64>, lane: usize) {
        match self {
            Self::Outcomes(row) => scratch.observe(lane, row.iter().copied()),
            Self::Soft(row) => scratch.observe_soft(lane, row),
        }
    }
}

/// Refuses actions that a factor does not have; `least` is −1 where there may be none.
pub(super) fn check_actions(actions: &[i32], counts: &[usize], least: i32) -> Result<()> {
    let wrong = |(&u, &count): (&i32, &usize)| u < least || i64::from(u) >= count as i64;
    for (row, taken) in actions.chunks_exact(counts.len()).enumerate() {
        if let Some(f) = taken.iter().zip(counts).position(wrong) {
            return Err(Failure::invalid(format!(
                "action[{row}, {f}]: is {}, not between 0 and {}",
                taken[f],
                counts[f] - 1
            )));
        }
    }
    Ok(())
}

/// Rows of agents into rows of lanes; lanes without an agent get the first one's.
pub(super) fn set(to: &mut [Lane<f64>], from: &[f64]) {
    let width = to.len();
    for (column, row) in to.iter_mut().enumerate() {
        let of = |lane: usize| from.get(lane * width + column).or(from.get(column));
        *row = Lane(std::array::from_fn(|lane| of(lane).copied().unwrap_or(0.0)));
    }
}

/// The first `agents` lanes of rows as rows of agents.
pub(super) fn get(from: &[Lane<f64>], agents: usize, to: &mut Vec<f64>) {
    for lane in 0..agents {
        to.extend(from.iter().map(|row| row[lane]));
    }
}

/// How many agents an array of rows is about.
pub(super) fn agents(name: &str, len: usize, width: usize) -> Result<usize> {
    if len > 0 && len.is_multiple_of(width) {
        return Ok(len / width);
    }
    Err(Failure::invalid(format!("{name}: has {len} values, not {width} for every agent")))
}

pub(super) fn same(name: &str, len: usize, agents: usize, width: usize) -> Result<()> {
    if len == agents * width {
        return Ok(());
    }
    let needed = agents * width;
    Err(Failure::invalid(format!("{name}: has {len} values, and {agents} agents need {needed}")))
}
