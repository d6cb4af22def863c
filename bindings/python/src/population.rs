//! A population that Python drives.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use numpy::{PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use populace_agent::Tensor;
use populace_population::{Crowd, Lifecycle, LifecyclePolicy, Settings};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{contiguous, matrix, shaped, written};
use crate::errors::Result;
use crate::model::Model;
use crate::past;
use crate::saved;
use crate::settings::{self, Keeping, settings};

/// A population of agents. `populace.Population` is its front.
///
/// Threads may share it: they take turns.
#[pyclass(frozen, module = "populace._native")]
pub(crate) struct Population {
    crowd: Mutex<Crowd>,
    model: Model,
    settings: Settings,
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
        ids: Option<PyReadonlyArray1<'py, u64>>,
        step: impl FnOnce(&mut Crowd, Option<&[u64]>, &mut [i32]) -> Result<()> + Send,
    ) -> Result<Bound<'py, PyArray2<i32>>> {
        let taken = actions.as_ref().map(|actions| actions.as_slice()).transpose();
        let taken = taken.map_err(contiguous)?;
        let ids = ids.as_ref().map(|ids| ids.as_slice()).transpose().map_err(contiguous)?;
        let agents = match ids {
            Some(ids) => ids.len(),
            None => py.detach(|| self.crowd().agents()) as usize,
        };
        written(py, [agents, self.model.0.factors()], |chosen| {
            let mut crowd = self.crowd();
            match (taken, ids) {
                (None, _) => {}
                (Some(taken), None) => crowd.took(taken)?,
                (Some(taken), Some(ids)) => crowd.took_subset(ids, taken)?,
            }
            step(&mut crowd, ids, chosen)
        })
    }
}

#[pymethods]
impl Population {
    #[new]
    #[pyo3(signature = (
        model, agents, *, budget_bytes, seed, threads, chunk, belief, precision, history=None
    ))]
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
        history: Option<Keeping>,
    ) -> Result<Self> {
        let settings = settings(agents, budget_bytes, seed, threads, chunk, belief, precision)?;
        let settings = Settings { history: settings::history(history)?, ..settings };
        let model = model.get().share();
        let crowd = py.detach(|| Crowd::new(&model.0, &settings))?;
        Ok(Self { crowd: Mutex::new(crowd), model, settings })
    }

    /// The population that was saved to a file.
    #[staticmethod]
    #[pyo3(signature = (path, *, budget_bytes, threads, chunk, history=None, rest_in=None))]
    fn load(
        py: Python<'_>,
        path: PathBuf,
        budget_bytes: u64,
        threads: usize,
        chunk: Option<usize>,
        history: Option<Keeping>,
        rest_in: Option<PathBuf>,
    ) -> Result<Self> {
        let history = settings::history(history)?;
        let settings = Settings {
            budget_bytes,
            threads,
            chunk,
            history,
            checkpoint: true,
            ..Settings::default()
        };
        py.detach(|| {
            let (crowd, model, settings) = saved::load(&path, &settings, rest_in)?;
            Ok(Self { crowd: Mutex::new(crowd), model: Model(Arc::new(model)), settings })
        })
    }

    /// Writes the population to a file, whole or not at all.
    fn save(&self, py: Python<'_>, path: PathBuf) -> Result<()> {
        py.detach(|| saved::save(&mut self.crowd(), &path, &self.model.0, &self.settings))
    }

    /// The model of the agents.
    #[getter]
    fn model(&self) -> Model {
        self.model.share()
    }

    /// The precision that agents compute in.
    #[getter]
    fn precision(&self) -> &'static str {
        settings::name(self.settings.precision)
    }

    /// What an agent observed and did from tick `start` on, before `stop`.
    fn history<'py>(
        &self,
        py: Python<'py>,
        agent: u64,
        start: u64,
        stop: u64,
    ) -> Result<Bound<'py, PyDict>> {
        let found = py.detach(|| self.crowd().history(agent, start..stop))?;
        past::arrays(py, found, self.model.0.num_obs().len(), self.model.0.factors())
    }

    /// How much of the past there is; None, where none is kept.
    fn history_totals<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyDict>>> {
        py.detach(|| self.crowd().history_totals())
            .map(|totals| past::totals(py, totals))
            .transpose()
    }

    /// Steps every agent, or those with these ids: int32 (agents, modalities) -> int32 (agents,
    /// factors).
    ///
    /// `actions`, int32 (agents, factors), are those really taken since the last step.
    #[pyo3(signature = (observations, actions=None, ids=None))]
    fn step<'py>(
        &self,
        py: Python<'py>,
        observations: PyReadonlyArray2<'py, i32>,
        actions: Option<PyReadonlyArray2<'py, i32>>,
        ids: Option<PyReadonlyArray1<'py, u64>>,
    ) -> Result<Bound<'py, PyArray2<i32>>> {
        let observations = observations.as_slice().map_err(contiguous)?;
        self.stepped(py, actions, ids, |crowd, ids, chosen| {
            Ok(match ids {
                None => crowd.step(observations, chosen),
                Some(ids) => crowd.step_subset(ids, observations, chosen),
            }?)
        })
    }

    /// The same of agents that observe distributions: (agents, ΣO) -> int32 (agents, factors).
    #[pyo3(signature = (observations, actions=None, ids=None))]
    fn step_soft<'py>(
        &self,
        py: Python<'py>,
        observations: PyReadonlyArray2<'py, f64>,
        actions: Option<PyReadonlyArray2<'py, i32>>,
        ids: Option<PyReadonlyArray1<'py, u64>>,
    ) -> Result<Bound<'py, PyArray2<i32>>> {
        let observations = observations.as_slice().map_err(contiguous)?;
        self.stepped(py, actions, ids, |crowd, ids, chosen| {
            Ok(crowd.step_soft(ids, observations, chosen)?)
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
        let of = |family: &[Tensor]| -> Vec<Vec<usize>> {
            family.iter().map(|tensor| tensor.shape().to_vec()).collect()
        };
        let dict = PyDict::new(py);
        for (name, arrays, shapes) in [
            ("pA", learnt.p_a, of(&model.a)),
            ("pB", learnt.p_b, of(&model.b)),
            ("pD", learnt.p_d, of(&model.d)),
            ("pE", learnt.p_e, vec![vec![model.p_e.len()]]),
            ("A", learnt.a, of(&model.a)),
            ("B", learnt.b, of(&model.b)),
        ] {
            if !arrays.is_empty() {
                let family = arrays.into_iter().zip(shapes);
                let shaped =
                    family.map(|(array, of)| shaped(py, array, [&[ids.len()], &of[..]].concat()));
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

    /// The ids of the agents in memory, uint64, in the order of a step's rows.
    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u64>> {
        let ids = py.detach(|| self.crowd().ids());
        PyArray1::from_vec(py, ids)
    }

    /// Adds agents; answers the first one's id and the one after the last one's.
    fn spawn(&self, py: Python<'_>, count: u64) -> Result<(u64, u64)> {
        let born = py.detach(|| self.crowd().spawn(count))?;
        Ok((born.start, born.end))
    }

    /// Lets agents go for good.
    fn retire(&self, py: Python<'_>, ids: PyReadonlyArray1<'_, u64>) -> Result<()> {
        let ids = ids.as_slice().map_err(contiguous)?;
        Ok(py.detach(|| self.crowd().retire(ids))?)
    }

    /// Lets agents go and puts new ones in their places; answers their ids as `spawn` does.
    fn recycle(&self, py: Python<'_>, ids: PyReadonlyArray1<'_, u64>) -> Result<(u64, u64)> {
        let ids = ids.as_slice().map_err(contiguous)?;
        let born = py.detach(|| self.crowd().recycle(ids))?;
        Ok((born.start, born.end))
    }

    /// Opens or creates the file that agents are hibernated in.
    fn hibernate_in(&self, py: Python<'_>, path: PathBuf) -> Result<()> {
        Ok(py.detach(|| self.crowd().hibernate_in(path))?)
    }

    /// Writes agents to the file and gives their memory back.
    fn hibernate(&self, py: Python<'_>, ids: PyReadonlyArray1<'_, u64>) -> Result<()> {
        let ids = ids.as_slice().map_err(contiguous)?;
        Ok(py.detach(|| self.crowd().hibernate(ids))?)
    }

    /// Brings hibernated agents back.
    fn wake(&self, py: Python<'_>, ids: PyReadonlyArray1<'_, u64>) -> Result<()> {
        let ids = ids.as_slice().map_err(contiguous)?;
        Ok(py.detach(|| self.crowd().wake(ids))?)
    }

    /// What becomes of agents that nobody steps.
    fn set_policy(
        &self,
        py: Python<'_>,
        idle_after: Option<u64>,
        sweeps: bool,
        wakes: bool,
    ) -> Result<()> {
        let policy = LifecyclePolicy { idle_after, sweeps, wakes };
        Ok(py.detach(|| self.crowd().set_policy(policy))?)
    }

    /// Hibernates who is idle; answers how many were.
    fn sweep(&self, py: Python<'_>) -> Result<u64> {
        Ok(py.detach(|| self.crowd().sweep())?)
    }

    /// Where agents are in their lives, by name.
    fn lifecycles(
        &self,
        py: Python<'_>,
        ids: PyReadonlyArray1<'_, u64>,
    ) -> Result<Vec<&'static str>> {
        let ids = ids.as_slice().map_err(contiguous)?;
        let lifecycles = py.detach(|| self.crowd().lifecycles(ids))?;
        Ok(lifecycles.into_iter().map(name).collect())
    }

    /// How many agents are where in their lives.
    fn lifecycle_counts<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let counts = py.detach(|| self.crowd().lifecycle_counts());
        let dict = PyDict::new(py);
        for (lifecycle, count) in [
            (Lifecycle::Initialising, counts.initialising),
            (Lifecycle::Active, counts.active),
            (Lifecycle::Idle, counts.idle),
            (Lifecycle::Hibernated, counts.hibernated),
            (Lifecycle::Recycled, counts.recycled),
            (Lifecycle::Retired, counts.retired),
        ] {
            dict.set_item(name(lifecycle), count)?;
        }
        Ok(dict)
    }
}

fn name(lifecycle: Lifecycle) -> &'static str {
    match lifecycle {
        Lifecycle::Initialising => "initialising",
        Lifecycle::Active => "active",
        Lifecycle::Idle => "idle",
        Lifecycle::Hibernated => "hibernated",
        Lifecycle::Recycled => "recycled",
        Lifecycle::Retired => "retired",
    }
}
