//! A world that a model describes: true states move by its B, observations are drawn from its A.

use std::ops::Range;

use populace_agent::random::{Purpose, Stream};
use populace_agent::{Model, Tensor};
use populace_pool::SharedResource;
use populace_tensor::Array;

use crate::record::width_for;
use crate::{Environment, Moment, Result};

/// The generative environment of a model.
///
/// An agent's state in it is its true state in every factor, each in the narrowest of 1, 2 or 4
/// bytes. First states are drawn from D.
#[derive(Debug)]
pub struct Generative {
    factors: Vec<FactorProcess>,
    modalities: Vec<ModalityProcess>,
    state_bytes: usize,
}

#[derive(Debug)]
struct FactorProcess {
    initial: Columns,
    moves: Columns,
    dependencies: Vec<usize>,
    actions: usize,
    states: usize,
    /// Where the factor's state stands in an agent's.
    offset: usize,
    width: usize,
}

#[derive(Debug)]
struct ModalityProcess {
    outcomes: Columns,
    dependencies: Vec<usize>,
}

impl Generative {
    /// The world of a (checked) model, its tables in `memory`.
    ///
    /// # Errors
    ///
    /// Memory is refused.
    pub fn new(model: &Model, memory: &SharedResource) -> Result<Self> {
        let mut offset = 0;
        let mut factors = Vec::new();
        for (f, b) in model.b.iter().enumerate() {
            let width = width_for(b.rows() as u64);
            factors.push(FactorProcess {
                initial: Columns::new(&model.d[f], memory)?,
                moves: Columns::new(b, memory)?,
                dependencies: model.b_dependencies[f].clone(),
                actions: model.actions_of(f),
                states: b.rows(),
                offset,
                width,
            });
            offset += width;
        }
        let modality = |(a, dependencies): (&Tensor, &Vec<usize>)| {
            Ok(ModalityProcess {
                outcomes: Columns::new(a, memory)?,
                dependencies: dependencies.clone(),
            })
        };
        let modalities =
            model.a.iter().zip(&model.a_dependencies).map(modality).collect::<Result<_>>()?;
        Ok(Self { factors, modalities, state_bytes: offset })
    }

    fn joint(&self, dependencies: &[usize], state: &[u8]) -> usize {
        dependencies.iter().fold(0, |joint, &f| {
            let factor = &self.factors[f];
            joint * factor.states + factor.read(state)
        })
    }
}

impl FactorProcess {
    #[inline]
    fn read(&self, state: &[u8]) -> usize {
        let bytes = &state[self.offset..self.offset + self.width];
        bytes.iter().rev().fold(0, |value, &byte| value << 8 | usize::from(byte))
    }

    #[inline]
    fn write(&self, state: &mut [u8], value: usize) {
        let bytes = &mut state[self.offset..self.offset + self.width];
        bytes.copy_from_slice(&value.to_le_bytes()[..self.width]);
    }
}

impl Environment for Generative {
    fn state_bytes(&self) -> usize {
        self.state_bytes
    }

    fn begin(&self, seed: u64, agents: Range<u64>, states: &mut [u8]) {
        // No run has a tick of that number, so births share no draws with moves.
        let stream = Stream::new(seed, u64::MAX, Purpose::Move);
        let width = self.factors.len() as u64;
        for (agent, state) in agents.zip(states.chunks_exact_mut(self.state_bytes)) {
            for (f, factor) in self.factors.iter().enumerate() {
                let number = stream.uniform(agent * width + f as u64);
                factor.write(state, factor.initial.draw(0, number));
            }
        }
    }

    fn observe(
        &self,
        moment: Moment,
        agents: Range<u64>,
        states: &mut [u8],
        observations: &mut [i32],
    ) {
        let stream = Stream::new(moment.seed, moment.tick, Purpose::Observe);
        let width = self.modalities.len();
        let states = states.chunks_exact(self.state_bytes);
        for ((agent, state), observed) in
            agents.zip(states).zip(observations.chunks_exact_mut(width))
        {
            for (m, (modality, observed)) in self.modalities.iter().zip(observed).enumerate() {
                let column = self.joint(&modality.dependencies, state);
                let number = stream.uniform(agent * width as u64 + m as u64);
                *observed = modality.outcomes.draw(column, number) as i32;
            }
        }
    }

    fn act(&self, moment: Moment, agents: Range<u64>, states: &mut [u8], actions: &mut [i32]) {
        let stream = Stream::new(moment.seed, moment.tick, Purpose::Move);
        let width = self.factors.len();
        let states = states.chunks_exact_mut(self.state_bytes);
        // All factors move from the same states: the new ones are written after all are drawn.
        let mut next = [0_usize; MOST_FACTORS];
        for ((agent, state), actions) in agents.zip(states).zip(actions.chunks_exact(width)) {
            for (f, factor) in self.factors.iter().enumerate() {
                let joint = self.joint(&factor.dependencies, state);
                let column = joint * factor.actions + actions[f] as usize;
                next[f] = match factor.moves.only(column) {
                    Some(row) => row,
                    None => {
                        let number = stream.uniform(agent * width as u64 + f as u64);
                        factor.moves.draw(column, number)
                    }
                };
            }
            for (factor, &value) in self.factors.iter().zip(&next) {
                factor.write(state, value);
            }
        }
    }
}

/// The most factors that a world may have.
pub(crate) const MOST_FACTORS: usize = 64;

/// Distributions to draw rows from, one a column.
///
/// A column's rows share a *background*, the least probability of each row over all columns, and
/// add exceptions: so identity-like likelihoods cost their exceptions, not their shape.
#[derive(Debug)]
struct Columns {
    /// Cumulated background probabilities by row; empty where all are 0.
    background: Array<f64>,
    /// Where each column's exceptions start; one more than there are columns.
    starts: Array<u32>,
    rows: Array<u32>,
    /// Probabilities cumulated within a column, beginning with the whole background.
    cumulated: Array<f64>,
}

impl Columns {
    fn new(tensor: &Tensor, memory: &SharedResource) -> Result<Self> {
        let mut least = vec![f64::INFINITY; tensor.rows()];
        let mut present = vec![0_usize; tensor.rows()];
        for column in 0..tensor.columns() {
            for (row, p) in tensor.column(column) {
                least[row] = least[row].min(p);
                present[row] += 1;
            }
        }
        for (least, present) in least.iter_mut().zip(present) {
            if present < tensor.columns() || tensor.columns() == 1 {
                *least = 0.0;
            }
        }
        let mut sum = 0.0;
        let background: Vec<f64> = least
            .iter()
            .map(|&p| {
                sum += p;
                sum
            })
            .collect();
        let (mut starts, mut rows, mut cumulated) = (vec![0_u32], Vec::new(), Vec::new());
        for column in 0..tensor.columns() {
            let mut reached = sum;
            for (row, p) in tensor.column(column) {
                if p > least[row] {
                    reached += p - least[row];
                    rows.push(row as u32);
                    cumulated.push(reached);
                }
            }
            starts.push(rows.len() as u32);
        }
        Ok(Self {
            background: Array::copied(memory, if sum > 0.0 { &background } else { &[] })?,
            starts: Array::copied(memory, &starts)?,
            rows: Array::copied(memory, &rows)?,
            cumulated: Array::copied(memory, &cumulated)?,
        })
    }

    /// The only row that a column can give, if so: it needs no number.
    #[inline]
    fn only(&self, column: usize) -> Option<usize> {
        let start = self.starts[column] as usize;
        let one = self.background.is_empty() && self.starts[column + 1] as usize == start + 1;
        one.then(|| self.rows[start] as usize)
    }

    /// The row that a number in [0, 1) draws from a column.
    #[inline]
    fn draw(&self, column: usize, number: f64) -> usize {
        let range = self.starts[column] as usize..self.starts[column + 1] as usize;
        let cumulated = &self.cumulated[range.clone()];
        let background = self.background.last().copied().unwrap_or(0.0);
        if number < background || cumulated.is_empty() {
            let row = self.background.partition_point(|&reached| reached <= number);
            return row.min(self.background.len().saturating_sub(1));
        }
        // Rounding may leave the sum a little below 1; the last row takes the rest.
        let k = cumulated.partition_point(|&reached| reached <= number);
        self.rows[range.start + k.min(cumulated.len() - 1)] as usize
    }
}
