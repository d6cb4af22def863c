//! The engine's mathematics one call at a time, for agents whose caller keeps the beliefs.
//!
//! pymdp's agents keep nothing that a population would: priors, beliefs, posteriors and counts are
//! arguments and answers. So is it here. Numbers are float64, a row an agent; rows pass through in
//! blocks of the engine's lanes, and the mathematics are those of every population.

mod block;
mod by_policy;
mod learning;
mod rows;
mod window;

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{PyArray2, PyReadonlyArray2, PyUntypedArrayMethods};
use populace_agent::Reals;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{contiguous, matrix, written};
use crate::errors::Result;
use crate::model::Model;
use block::Block;
use by_policy::Taken;
use learning::Learnt;
use rows::Seen;

/// A model, compiled, and its working memory.
#[pyclass(frozen, module = "populace._native")]
pub(crate) struct Stepwise(Mutex<Block>);

/// What agents have learnt: their counts (rows, n), and whether A and B have been updated, (rows, 2).
type LearntArrays<'py> = (PyReadonlyArray2<'py, f64>, PyReadonlyArray2<'py, bool>);

/// Outcomes (int32) or distributions over them (float64).
#[derive(FromPyObject)]
enum Observations<'py> {
    Outcomes(PyReadonlyArray2<'py, i32>),
    Soft(PyReadonlyArray2<'py, f64>),
}

impl Observations<'_> {
    fn seen(&self) -> Result<Seen<'_>> {
        Ok(match self {
            Self::Outcomes(array) => Seen::Outcomes(array.as_slice().map_err(contiguous)?),
            Self::Soft(array) => Seen::Soft(array.as_slice().map_err(contiguous)?),
        })
    }
}

impl Stepwise {
    /// The block, when its turn comes; taken without the interpreter's lock.
    fn block(&self) -> MutexGuard<'_, Block> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Stepwise {
    #[new]
    fn new(py: Python<'_>, model: &Bound<'_, Model>) -> Result<Self> {
        let model = model.get().share();
        py.detach(|| Ok(Self(Mutex::new(Block::new(&model)?))))
    }

    /// Beliefs (rows, ΣS) from priors (rows, ΣS) and outcomes (rows, M), −1 for none, or
    /// distributions over outcomes (rows, ΣO).
    #[pyo3(signature = (prior, observations, learnt=None))]
    fn infer_states<'py>(
        &self,
        py: Python<'py>,
        prior: PyReadonlyArray2<'py, f64>,
        observations: Observations<'py>,
        learnt: Option<LearntArrays<'py>>,
    ) -> Result<Bound<'py, PyAny>> {
        let (given, width) = (rows(&prior)?, prior.shape()[1]);
        let (seen, learnt) = (observations.seen()?, self::learnt(&learnt)?);
        let qs = py.detach(|| self.block().infer_states(given, seen, learnt))?;
        matrix(py, Reals::F64(qs), width)
    }

    /// Beliefs at every step of windows of `steps` steps, (rows, steps·ΣS), from D, observations
    /// (rows, steps·M) or (rows, steps·ΣO), and the actions between them, (rows, (steps − 1)·F).
    #[pyo3(signature = (steps, observations, actions, learnt=None))]
    fn infer_window<'py>(
        &self,
        py: Python<'py>,
        steps: usize,
        observations: Observations<'py>,
        actions: PyReadonlyArray2<'py, i32>,
        learnt: Option<LearntArrays<'py>>,
    ) -> Result<Bound<'py, PyAny>> {
        let actions = actions.as_slice().map_err(contiguous)?;
        let (seen, learnt) = (observations.seen()?, self::learnt(&learnt)?);
        let (qs, width) = py.detach(|| self.block().infer_window(steps, seen, actions, learnt))?;
        matrix(py, Reals::F64(qs), width)
    }

    /// What one agent infers of a window of `steps` steps with a belief a policy, by name: `q_pi`,
    /// `neg_efe` and `free_energy` (1, P), `qs` (P, W·ΣS), and the `prior` (1, ΣS) of the next window
    /// once windows are whole. From a prior (1, ΣS), observations (1, steps·M), the window's actions
    /// but the last, (1, n·F), and the last, (1, F): −1 where it has not acted.
    fn infer_by_policy<'py>(
        &self,
        py: Python<'py>,
        prior: PyReadonlyArray2<'py, f64>,
        steps: usize,
        observations: PyReadonlyArray2<'py, i32>,
        past_actions: PyReadonlyArray2<'py, i32>,
        action: PyReadonlyArray2<'py, i32>,
    ) -> Result<Bound<'py, PyDict>> {
        let prior = rows(&prior)?;
        let seen = observations.as_slice().map_err(contiguous)?;
        let past = past_actions.as_slice().map_err(contiguous)?;
        let last = action.as_slice().map_err(contiguous)?;
        let inferred =
            py.detach(|| self.block().infer_by_policy(prior, steps, seen, Taken { past, last }))?;
        let policies = inferred.q_pi.len();
        let dict = PyDict::new(py);
        for (name, numbers, rows) in [
            ("q_pi", inferred.q_pi, 1),
            ("neg_efe", inferred.neg_efe, 1),
            ("free_energy", inferred.free_energy, 1),
            ("qs", inferred.qs, policies),
            ("prior", inferred.prior, 1),
        ] {
            let columns = numbers.len() / rows.max(1);
            dict.set_item(name, matrix(py, Reals::F64(numbers), columns)?)?;
        }
        Ok(dict)
    }

    /// Priors (rows, ΣS) after actions (rows, F) from beliefs (rows, ΣS).
    #[pyo3(signature = (qs, actions, learnt=None))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        qs: PyReadonlyArray2<'py, f64>,
        actions: PyReadonlyArray2<'py, i32>,
        learnt: Option<LearntArrays<'py>>,
    ) -> Result<Bound<'py, PyAny>> {
        let (given, width) = (rows(&qs)?, qs.shape()[1]);
        let actions = actions.as_slice().map_err(contiguous)?;
        let learnt = self::learnt(&learnt)?;
        let prior = py.detach(|| self.block().predict(given, actions, learnt))?;
        matrix(py, Reals::F64(prior), width)
    }

    /// q_pi and neg_efe, (rows, P) each, of beliefs (rows, ΣS).
    #[pyo3(signature = (qs, learnt=None))]
    fn infer_policies<'py>(
        &self,
        py: Python<'py>,
        qs: PyReadonlyArray2<'py, f64>,
        learnt: Option<LearntArrays<'py>>,
    ) -> Result<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let (qs, learnt) = (rows(&qs)?, self::learnt(&learnt)?);
        let (q_pi, neg_efe, policies) = py.detach(|| self.block().infer_policies(qs, learnt))?;
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
        written(py, shape, |actions| self.block().sample_action(q_pi, draws, actions))
    }

    /// The counts that every agent starts from, (1, n): those of A by modality, of B by factor with
    /// the action first, of D by factor; of what is learnt.
    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let counts = py.detach(|| self.block().shared_counts());
        let columns = counts.len();
        matrix(py, Reals::F64(counts), columns)
    }

    /// Counts (rows, n) after a step from beliefs `before` to beliefs `qs`, (rows, ΣS) each, that
    /// actions (rows, F) led to: −1 where none did.
    fn learn<'py>(
        &self,
        py: Python<'py>,
        learnt: LearntArrays<'py>,
        before: PyReadonlyArray2<'py, f64>,
        qs: PyReadonlyArray2<'py, f64>,
        observations: Observations<'py>,
        actions: PyReadonlyArray2<'py, i32>,
    ) -> Result<Bound<'py, PyAny>> {
        let columns = learnt.0.shape()[1];
        let (before, qs, seen) = (rows(&before)?, rows(&qs)?, observations.seen()?);
        let actions = actions.as_slice().map_err(contiguous)?;
        let learnt = Some(learnt);
        let learnt = self::learnt(&learnt)?;
        let counts = py.detach(|| self.block().learn(learnt, before, qs, seen, actions))?;
        matrix(py, Reals::F64(counts), columns)
    }

    /// The arrays that agents expect of their counts, (rows, n), laid out as the counts are; those
    /// of D are left out.
    fn expected<'py>(
        &self,
        py: Python<'py>,
        learnt: LearntArrays<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let columns = learnt.0.shape()[1];
        let learnt = Some(learnt);
        let learnt = self::learnt(&learnt)?;
        let expected = py.detach(|| self.block().expected(learnt))?;
        matrix(py, Reals::F64(expected), columns)
    }
}

fn rows<'a>(array: &'a PyReadonlyArray2<'_, f64>) -> Result<&'a [f64]> {
    array.as_slice().map_err(contiguous)
}

fn learnt<'a>(arrays: &'a Option<LearntArrays<'_>>) -> Result<Option<Learnt<'a>>> {
    arrays
        .as_ref()
        .map(|(counts, updated)| {
            let updated = updated.as_slice().map_err(contiguous)?;
            Ok(Learnt { counts: rows(counts)?, updated })
        })
        .transpose()
}
