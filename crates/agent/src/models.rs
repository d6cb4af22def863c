//! Built-in models: worlds that are worth having without a file.
//!
//! Each is a function of its options; the defaults make the model that goes by the bare name.
//! `tmaze`, `cue-chaining` and `graph` are pymdp's own environments, array for array; `grid` is
//! Populace's, and [`epistemic_chaining`] is cpp-AIF's benchmark.

mod cue_chaining;
mod draw;
mod epistemic_chaining;
mod graph;
mod grid;
mod tmaze;

use std::fmt;
use std::str::FromStr;

pub use cue_chaining::{CueChainingOptions, cue_chaining};
pub use epistemic_chaining::{EpistemicChain, epistemic_chaining};
pub use graph::{GraphOptions, graph};
pub use grid::{GridOptions, GridStart, grid};
pub use tmaze::{TmazeForm, TmazeOptions, tmaze};

use crate::nearest::hint;
use crate::{Error, Model, Result};

/// A built-in model by name.
///
/// ```
/// use populace_agent::models::Builtin;
///
/// let model = "tmaze".parse::<Builtin>()?.model()?;
/// assert_eq!(model.num_states(), [5, 2]);
/// let error = "gird".parse::<Builtin>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "there is no built-in model \"gird\", only grid, tmaze, cue-chaining, graph \
///      (did you mean grid?)"
/// );
/// # Ok::<(), populace_agent::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// `grid`: a square of cells with a goal.
    Grid,
    /// `tmaze`: a reward in one of two arms, and a cue that tells which.
    Tmaze,
    /// `cue-chaining`: a cue tells where the next cue is, which tells where the reward is.
    CueChaining,
    /// `graph`: rooms and hallways, and an object in one of them.
    Graph,
}

impl Builtin {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Grid, Self::Tmaze, Self::CueChaining, Self::Graph];

    /// The name in scenarios and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Tmaze => "tmaze",
            Self::CueChaining => "cue-chaining",
            Self::Graph => "graph",
        }
    }

    /// The model with default options.
    ///
    /// # Errors
    ///
    /// None, with the defaults.
    pub fn model(self) -> Result<Model> {
        match self {
            Self::Grid => grid(&GridOptions::default()),
            Self::Tmaze => tmaze(&TmazeOptions::default()),
            Self::CueChaining => cue_chaining(&CueChainingOptions::default()),
            Self::Graph => graph(&GraphOptions::default()),
        }
    }
}

impl fmt::Display for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Builtin {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let names = Self::ALL.map(Self::name);
        Self::ALL.into_iter().find(|builtin| builtin.name() == name).ok_or_else(|| {
            Error::invalid(format!(
                "there is no built-in model {name:?}, only {}{}",
                names.join(", "),
                hint(name, names)
            ))
        })
    }
}

/// Checks that an option is a probability.
fn probability(name: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{name}: is {value}, not between 0 and 1")))
}

/// Checks that an option names a place that is there.
fn place(name: &str, index: usize, count: usize) -> Result<()> {
    if index < count {
        return Ok(());
    }
    Err(Error::invalid(format!("{name}: {index} is out of range, there are {count}")))
}

/// The distribution that is certain of `state`, or uniform.
fn certain_or_uniform(state: Option<usize>, count: usize) -> Vec<f64> {
    match state {
        Some(state) => (0..count).map(|other| f64::from(u8::from(other == state))).collect(),
        None => vec![1.0 / count as f64; count],
    }
}
