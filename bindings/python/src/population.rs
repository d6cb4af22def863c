//! A population that Python drives.

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use populace_population::Crowd;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{contiguous, matrix, shaped, written};
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

    /// The actions of a step, after those really taken before it.
    fn stepped<'py>(
        &self,
        py: Python<'py>,
        actions: Option<PyReadonlyArray2<'py, i32>>,
        step: impl FnOnce(&mut Crowd, &mut [i32]) -> Result<()> + Send,
    ) -> Result<Bound<'py, PyArray2<i32>>> {
        let taken = actions.as_ref().map(|actions| actions.as_slice()).transpose();
        let taken = taken.map_err(contiguous)?;
        let agents = py.detach(|| self.crowd().agents()) as usize;
        written(py, [agents, self.model.0.factors()], |chosen| {
            let mut crowd = self.crowd();
            if let Some(taken) = taken {
                crowd.took(taken)?;
            }
            step(&mut crowd, chosen)
        })
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
        let observations = observations.as_slice().map_err(contiguous)?;
        self.stepped(py, actions, |crowd, chosen| Ok(crowd.step(observations, chosen)?))
    }

    /// Steps every agent, which observe distributions: (agents, ΣO) -> int32 (agents, factors).
    #[pyo3(signature = (observations, actions=None))]
    fn step_soft<'py>(
        &self,
        py: Python<'py>,
        observations: PyReadonlyArray2<'py, f64>,
        actions: Option<PyReadonlyArray2<'py, i32>>,
    ) -> Result<Bound<'py, PyArray2<i32>>> {
        let observations = observations.as_slice().map_err(contiguous)?;
        self.stepped(py, actions, |crowd, chosen| Ok(crowd.step_soft(observations, chosen)?))
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

    /// How agents weigh their policies: q_pi and neg_efe, (ids, P) each; neg_efe is (ids, 0) where
    /// policies are not valued one by one.
    fn policies<'py>(
        &self,
        py: Python<'py>,
        ids: PyReadonlyArray1<'py, u64>,
    ) -> Result<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let ids = ids.as_slice().map_err(contiguous)?;
        let weighed = py.detach(|| self.crowd().policies(ids))?;
        let policies = weighed.policies;
        let valued = if weighed.neg_efe.is_empty() { 0 } else { policies };
        Ok((
            shaped(py, weighed.q_pi, vec![ids.len(), policies])?,
            shaped(py, weighed.neg_efe, vec![ids.len(), valued])?,
        ))
    }

    /// What agents have learnt, by the name of the family: arrays (ids, ...) in the shapes of the
    /// model's.
    fn parameters<'py>(
        &self,
        py: Python<'py>,
        ids: PyReadonlyArray1<'py, u64>,
    ) -> Result<Bound<'py, PyDict>> {
        let ids = ids.as_slice().map_err(contiguous)?;
        let learnt = py.detach(|| self.crowd().parameters(ids))?;
        let model = &*self.model.0;
        let dict = PyDict::new(py);
        for (name, arrays, shapes) in [
            ("pA", learnt.p_a, &model.a),
            ("pB", learnt.p_b, &model.b),
            ("pD", learnt.p_d, &model.d),
            ("A", learnt.a, &model.a),
            ("B", learnt.b, &model.b),
        ] {
            if !arrays.is_empty() {
                let family = arrays.into_iter().zip(shapes);
                let shaped = family
                    .map(|(array, of)| shaped(py, array, [&[ids.len()], of.shape()].concat()));
                dict.set_item(name, shaped.collect::<Result<Vec<_>>>()?)?;
            }
        }
        Ok(dict)
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
