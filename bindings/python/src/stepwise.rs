//! The engine's mathematics one call at a time, for agents whose caller keeps the beliefs.
//!
//! pymdp 1.x keeps nothing between calls: priors, beliefs and posteriors are arguments and answers.
//! So is it here. All arrays are float64, a row an agent; rows pass through in blocks of the
//! engine's lanes, and the mathematics are those of every population.

use std::sync::{Arc, Mutex, PoisonError};

use numpy::{PyArray2, PyReadonlyArray2, PyUntypedArrayMethods};
use populace_agent::{Answers, CompiledModel, Precision, Reals, Scratch, Window};
use populace_pool::{Pages, SharedResource};
use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::Real;
use pyo3::prelude::*;

use crate::arrays::{contiguous, matrix, written};
use crate::errors::{Failure, Result};
use crate::model::Model;
use crate::settings::precision;

/// A model, compiled, and its working memory.
#[pyclass(frozen, module = "populace._native")]
pub(crate) struct Stepwise(Mind);

enum Mind {
    F32(Mutex<Block<f32>>),
    F64(Mutex<Block<f64>>),
}

macro_rules! with {
    ($self:expr, $py:expr, $block:ident => $e:expr) => {
        $py.detach(|| match $self {
            Mind::F32(block) => {
                let $block = &mut *block.lock().unwrap_or_else(PoisonError::into_inner);
                $e
            }
            Mind::F64(block) => {
                let $block = &mut *block.lock().unwrap_or_else(PoisonError::into_inner);
                $e
            }
        })
    };
}

#[pymethods]
impl Stepwise {
    #[new]
    fn new(py: Python<'_>, model: &Bound<'_, Model>, precision: &str) -> Result<Self> {
        let precision = self::precision(precision)?;
        let model = model.get().share();
        py.detach(|| {
            Ok(Self(match precision {
                Precision::F32 => Mind::F32(Mutex::new(Block::new(&model)?)),
                Precision::F64 => Mind::F64(Mutex::new(Block::new(&model)?)),
            }))
        })
    }

    /// Beliefs (rows, ΣS) from priors (rows, ΣS) and outcomes (rows, M), −1 for none.
    fn infer_states<'py>(
        &self,
        py: Python<'py>,
        prior: PyReadonlyArray2<'py, f64>,
        observations: PyReadonlyArray2<'py, i32>,
    ) -> Result<Bound<'py, PyAny>> {
        let (prior, width) = (rows(&prior)?, prior.shape()[1]);
        let observations = observations.as_slice().map_err(contiguous)?;
        let qs = with!(&self.0, py, block => block.infer_states(prior, observations))?;
        matrix(py, Reals::F64(qs), width)
    }

    /// The same of distributions over outcomes, (rows, ΣO).
    fn infer_states_soft<'py>(
        &self,
        py: Python<'py>,
        prior: PyReadonlyArray2<'py, f64>,
        observations: PyReadonlyArray2<'py, f64>,
    ) -> Result<Bound<'py, PyAny>> {
        let (prior, width) = (rows(&prior)?, prior.shape()[1]);
        let observations = rows(&observations)?;
        let qs = with!(&self.0, py, block => block.infer_states_soft(prior, observations))?;
        matrix(py, Reals::F64(qs), width)
    }

    /// Priors (rows, ΣS) after actions (rows, F) from beliefs (rows, ΣS).
    fn predict<'py>(
        &self,
        py: Python<'py>,
        qs: PyReadonlyArray2<'py, f64>,
        actions: PyReadonlyArray2<'py, i32>,
    ) -> Result<Bound<'py, PyAny>> {
        let (qs, width) = (rows(&qs)?, qs.shape()[1]);
        let actions = actions.as_slice().map_err(contiguous)?;
        let prior = with!(&self.0, py, block => block.predict(qs, actions))?;
        matrix(py, Reals::F64(prior), width)
    }

    /// q_pi and neg_efe, (rows, P) each, of beliefs (rows, ΣS).
    fn infer_policies<'py>(
        &self,
        py: Python<'py>,
        qs: PyReadonlyArray2<'py, f64>,
    ) -> Result<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let qs = rows(&qs)?;
        let (q_pi, neg_efe, policies) = with!(&self.0, py, block => block.infer_policies(qs))?;
        Ok((matrix(py, Reals::F64(q_pi), policies)?, matrix(py, Reals::F64(neg_efe), policies)?))
    }

    /// Actions (rows, F) from q_pi (rows, P); `draws` (rows, F) in [0, 1) are what they are drawn
    /// with.
    fn sample_action<'py>(
        &self,
        py: Python<'py>,
        q_pi: PyReadonlyArray2<'py, f64>,
        draws: PyReadonlyArray2<'py, f64>,
    ) -> Result<Bound<'py, PyArray2<i32>>> {
        let shape = [draws.shape()[0], draws.shape()[1]];
        let (q_pi, draws) = (rows(&q_pi)?, rows(&draws)?);
        written(py, shape, |actions| match &self.0 {
            Mind::F32(block) => {
                let mut block = block.lock().unwrap_or_else(PoisonError::into_inner);
                block.sample_action(q_pi, draws, actions)
            }
            Mind::F64(block) => {
                let mut block = block.lock().unwrap_or_else(PoisonError::into_inner);
                block.sample_action(q_pi, draws, actions)
            }
        })
    }
}

fn rows<'a>(array: &'a PyReadonlyArray2<'_, f64>) -> Result<&'a [f64]> {
    array.as_slice().map_err(contiguous)
}

struct Block<T: Real> {
    model: CompiledModel<T>,
    scratch: Scratch<T>,
}

impl<T: Real> Block<T> {
    fn new(model: &Model) -> Result<Self> {
        let memory: SharedResource = Arc::new(Pages);
        let model = CompiledModel::compile(&model.0, Answers::Policies, &memory)?;
        let scratch = model.scratch(Window::default(), &memory)?;
        Ok(Self { model, scratch })
    }

    fn infer_states(&mut self, prior: &[f64], observations: &[i32]) -> Result<Vec<f64>> {
        let counts = self.model.num_obs();
        let count = agents("prior", prior.len(), self.model.belief_len())?;
        same("observations", observations.len(), count, counts.len())?;
        let wrong = |(&o, &count): (&i32, &usize)| o < -1 || i64::from(o) >= count as i64;
        for (row, outcomes) in observations.chunks_exact(counts.len()).enumerate() {
            if let Some(m) = outcomes.iter().zip(counts).position(wrong) {
                return Err(Failure::invalid(format!(
                    "observations[{m}]: is {} at {row}, not between 0 and {}, nor -1 for none",
                    outcomes[m],
                    counts[m] - 1
                )));
            }
        }
        let width = counts.len();
        self.infer(prior, |scratch, agent, lane| {
            scratch.observe(lane, observations[agent * width..][..width].iter().copied());
        })
    }

    fn infer_states_soft(&mut self, prior: &[f64], observations: &[f64]) -> Result<Vec<f64>> {
        let width: usize = self.model.num_obs().iter().sum();
        let count = agents("prior", prior.len(), self.model.belief_len())?;
        same("observations", observations.len(), count, width)?;
        let mut outcomes = vec![T::ZERO; width];
        self.infer(prior, |scratch, agent, lane| {
            let row = &observations[agent * width..][..width];
            outcomes.iter_mut().zip(row).for_each(|(to, &from)| *to = T::from_f64(from));
            scratch.observe_soft(lane, &outcomes);
        })
    }

    fn infer(
        &mut self,
        prior: &[f64],
        mut observe: impl FnMut(&mut Scratch<T>, usize, usize),
    ) -> Result<Vec<f64>> {
        let width = self.model.belief_len();
        let mut qs = Vec::with_capacity(prior.len());
        for (block, prior) in prior.chunks(LANES * width).enumerate() {
            self.scratch.start();
            set(self.scratch.prior_mut(), prior);
            for lane in 0..prior.len() / width {
                observe(&mut self.scratch, block * LANES + lane, lane);
            }
            self.model.infer_from_prior(&mut self.scratch);
            get(self.scratch.beliefs(), prior.len() / width, &mut qs);
        }
        Ok(qs)
    }

    fn predict(&mut self, qs: &[f64], actions: &[i32]) -> Result<Vec<f64>> {
        let counts = self.model.num_actions();
        let (width, factors) = (self.model.belief_len(), counts.len());
        let count = agents("qs", qs.len(), width)?;
        same("action", actions.len(), count, factors)?;
        let wrong = |(&u, &count): (&i32, &usize)| u < 0 || i64::from(u) >= count as i64;
        for (row, taken) in actions.chunks_exact(factors).enumerate() {
            if let Some(f) = taken.iter().zip(counts).position(wrong) {
                return Err(Failure::invalid(format!(
                    "action[{row}, {f}]: is {}, not between 0 and {}",
                    taken[f],
                    counts[f] - 1
                )));
            }
        }
        let mut priors = Vec::with_capacity(qs.len());
        for (qs, actions) in qs.chunks(LANES * width).zip(actions.chunks(LANES * factors)) {
            self.scratch.start();
            set(self.scratch.beliefs_mut(), qs);
            for (lane, taken) in actions.chunks_exact(factors).enumerate() {
                self.scratch.took_last_first(lane, taken.iter().rev().map(|&action| action as u32));
            }
            self.model.predict(&mut self.scratch);
            get(self.scratch.prior(), qs.len() / width, &mut priors);
        }
        Ok(priors)
    }

    fn infer_policies(&mut self, qs: &[f64]) -> Result<(Vec<f64>, Vec<f64>, usize)> {
        let (width, policies) = (self.model.belief_len(), self.model.policy_count());
        let count = agents("qs", qs.len(), width)?;
        let mut q_pi = Vec::with_capacity(count * policies);
        let mut neg_efe = Vec::with_capacity(count * policies);
        for qs in qs.chunks(LANES * width) {
            self.scratch.start();
            set(self.scratch.beliefs_mut(), qs);
            self.model.infer_policies(&mut self.scratch);
            get(self.scratch.q_pi(), qs.len() / width, &mut q_pi);
            get(self.scratch.neg_efe(), qs.len() / width, &mut neg_efe);
        }
        Ok((q_pi, neg_efe, policies))
    }

    fn sample_action(&mut self, q_pi: &[f64], draws: &[f64], actions: &mut [i32]) -> Result<()> {
        let (policies, factors) = (self.model.policy_count(), self.model.num_actions().len());
        let count = agents("q_pi", q_pi.len(), policies)?;
        same("draws", draws.len(), count, factors)?;
        let blocks = q_pi.chunks(LANES * policies).zip(draws.chunks(LANES * factors));
        for ((q_pi, draws), actions) in blocks.zip(actions.chunks_mut(LANES * factors)) {
            set(self.scratch.q_pi_mut(), q_pi);
            for (place, &number) in draws.iter().enumerate() {
                self.scratch.draw(place % factors, place / factors, number);
            }
            self.model.sample_action(&mut self.scratch);
            for (place, action) in actions.iter_mut().enumerate() {
                *action = self.scratch.action(place % factors, place / factors) as i32;
            }
        }
        Ok(())
    }
}

/// Rows of agents into rows of lanes; lanes without an agent get the first one's.
fn set<T: Real>(to: &mut [Lane<T>], from: &[f64]) {
    let width = to.len();
    for (column, row) in to.iter_mut().enumerate() {
        let of = |lane: usize| from.get(lane * width + column).or(from.get(column));
        *row = Lane(std::array::from_fn(|lane| T::from_f64(of(lane).copied().unwrap_or(0.0))));
    }
}

/// The first `agents` lanes of rows as rows of agents.
fn get<T: Real>(from: &[Lane<T>], agents: usize, to: &mut Vec<f64>) {
    for lane in 0..agents {
        to.extend(from.iter().map(|row| row[lane].to_f64()));
    }
}

/// How many agents an array of rows is about.
fn agents(name: &str, len: usize, width: usize) -> Result<usize> {
    if len > 0 && len.is_multiple_of(width) {
        return Ok(len / width);
    }
    Err(Failure::invalid(format!("{name}: has {len} values, not {width} for every agent")))
}

fn same(name: &str, len: usize, agents: usize, width: usize) -> Result<()> {
    if len == agents * width {
        return Ok(());
    }
    let needed = agents * width;
    Err(Failure::invalid(format!("{name}: has {len} values, and {agents} agents need {needed}")))
}
