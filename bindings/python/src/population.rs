//! A population that Python drives.

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use populace_population::Crowd;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{contiguous, matrix, written};
use crate::errors::Result;
use crate::model::Model;
use crate::settings::settings;

/// A population of agents. `populace.Population` is its front.
///
/// Threads may share it: they take turns.
#[pyclass(frozen, module = "populace._native")]
pub(crate) struct Population {
    crowd: Mutex<Crowd>,
    model: Model,
}

impl Population {
    /// The crowd, when its turn comes; taken without the interpreter's lock, which whoever holds it
    /// may be waiting for. A panic leaves it between two chunks: its numbers are still numbers.
    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Population {
    #[new]
    #[pyo3(signature = (model, agents, *, budget_bytes, seed, threads, chunk, belief, precision))]
    #[allow(clippy::too_many_arguments)] // keywords
    fn new(
        py: Python<'_>,
        model: &Bound<'_, Model>,
        agents: u64,
        budget_bytes: u64,
        seed: u64,
        threads: usize,
        chunk: Option<usize>,
        belief: &str,
        precision: &str,
    ) -> Result<Self> {
        let settings = settings(agents, budget_bytes, seed, threads, chunk, belief, precision)?;
        let model = model.get().share();
        let crowd = py.detach(|| Crowd::new(&model.0, &settings))?;
        Ok(Self { crowd: Mutex::new(crowd), model })
    }

    /// Steps every agent: int32 (agents, modalities) -> int32 (agents, factors).
    ///
    /// `actions`, int32 (agents, factors), are those really taken since the last step.
    #[pyo3(signature = (observations, actions=None))]
    fn step<'py>(
        &self,
        py: Python<'py>,
        observations: PyReadonlyArray2<'py, i32>,
        actions: Option<PyReadonlyArray2<'py, i32>>,
    ) -> Result<Bound<'py, PyArray2<i32>>> {
        let taken = actions.as_ref().map(|actions| actions.as_slice()).transpose();
        let taken = taken.map_err(contiguous)?;
        let observations = observations.as_slice().map_err(contiguous)?;
        let agents = py.detach(|| self.crowd().agents()) as usize;
        written(py, [agents, self.model.0.factors()], |chosen| {
            let mut crowd = self.crowd();
            if let Some(taken) = taken {
                crowd.took(taken)?;
            }
            Ok(crowd.step(observations, chosen)?)
        })
    }

    /// What agents believe: an array (ids, S_f) a factor.
    fn beliefs<'py>(
        &self,
        py: Python<'py>,
        ids: PyReadonlyArray1<'py, u64>,
    ) -> Result<Vec<Bound<'py, PyAny>>> {
        let ids = ids.as_slice().map_err(contiguous)?;
        let beliefs = py.detach(|| self.crowd().beliefs(ids))?;
        let states = self.model.0.num_states();
        beliefs.into_iter().zip(states).map(|(belief, s)| matrix(py, belief, s)).collect()
    }

    /// How agents weigh their policies: q_pi and neg_efe, (ids, P) each.
    fn policies<'py>(
        &self,
        py: Python<'py>,
        ids: PyReadonlyArray1<'py, u64>,
    ) -> Result<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let ids = ids.as_slice().map_err(contiguous)?;
        let weighed = py.detach(|| self.crowd().policies(ids))?;
        let policies = weighed.policies;
        Ok((matrix(py, weighed.q_pi, policies)?, matrix(py, weighed.neg_efe, policies)?))
    }

    /// Engine bytes by class, now or at the peak.
    fn memory<'py>(&self, py: Python<'py>, peak: bool) -> Result<Bound<'py, PyDict>> {
        let memory = py.detach(|| {
            let crowd = self.crowd();
            if peak { crowd.peak() } else { crowd.memory() }
        });
        crate::plan::classes(py, &memory)
    }

    /// Bytes of one agent at the peak, everything that grows with the number of agents.
    fn bytes_per_agent(&self, py: Python<'_>) -> f64 {
        py.detach(|| self.crowd().bytes_per_agent())
    }

    /// How many beliefs are stored how.
    fn tiers<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let tiers = py.detach(|| self.crowd().tiers());
        let dict = PyDict::new(py);
        dict.set_item("dense", tiers.dense)?;
        dict.set_item("sparse", tiers.sparse)?;
        dict.set_item("initial", tiers.initial)?;
        let asked_for = [
            ("dense_f16", tiers.dense_f16),
            ("sparse_f16", tiers.sparse_f16),
            ("dense_log8", tiers.dense_log8),
            ("sparse_log8", tiers.sparse_log8),
        ];
        for (name, count) in asked_for.into_iter().filter(|&(_, count)| count > 0) {
            dict.set_item(name, count)?;
        }
        Ok(dict)
    }

    /// How many agents there are.
    #[getter]
    fn agents(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.crowd().agents())
    }

    /// How many steps have been made.
    #[getter]
    fn ticks(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.crowd().ticks())
    }

    /// The hash of all choices so far.
    #[getter]
    fn trajectory_hash(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.crowd().trajectory_hash())
    }

    /// How many threads step agents.
    #[getter]
    fn threads(&self, py: Python<'_>) -> usize {
        py.detach(|| self.crowd().threads())
    }
}
