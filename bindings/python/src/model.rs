//! A model, checked and shared.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::{PyArray1, PyArrayMethods};
use populace_agent::models::{Builtin, GridOptions, GridStart, grid};
use populace_agent::{ModelFile, Reals, Tensor};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{Failure, Result};

/// A checked model. `populace.Model` is its front.
#[pyclass(frozen, module = "populace._native")]
pub(crate) struct Model(pub(crate) Arc<populace_agent::Model>);

impl Model {
    /// Another handle to the same model.
    pub(crate) fn share(&self) -> Self {
        Self(self.0.clone())
    }

    fn new(model: populace_agent::Model) -> Self {
        Self(Arc::new(model))
    }
}

#[pymethods]
impl Model {
    /// Reads a model file that stands in memory; `name` is the path in messages.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, name: PathBuf, data: &Bound<'_, PyBytes>) -> Result<Self> {
        let data = data.as_bytes().to_vec();
        py.detach(|| Ok(Self::new(ModelFile::from_bytes(name, data)?.model()?)))
    }

    /// Reads a model file.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> Result<Self> {
        py.detach(|| {
            let model = populace_agent::Model::load(&path);
            Ok(Self::new(model.map_err(|error| Failure::reading(&path, error))?))
        })
    }

    /// Writes a model file, whole or not at all.
    fn save(&self, py: Python<'_>, path: PathBuf) -> Result<()> {
        py.detach(|| Ok(self.0.save(path)?))
    }

    /// A built-in model by name: grid, tmaze, cue-chaining, graph.
    #[staticmethod]
    fn builtin(name: &str) -> Result<Self> {
        Ok(Self::new(name.parse::<Builtin>()?.model()?))
    }

    /// The built-in grid world.
    #[staticmethod]
    #[pyo3(signature = (*, side, slip, noise, start, seed))]
    fn grid(
        py: Python<'_>,
        side: usize,
        slip: f64,
        noise: f64,
        start: &str,
        seed: u64,
    ) -> Result<Self> {
        let start = match start {
            "block" => GridStart::Block,
            "anywhere" => GridStart::Anywhere,
            other => {
                let message = format!("start: {other:?} is not block or anywhere");
                return Err(Failure::invalid(message));
            }
        };
        py.detach(|| Ok(Self::new(grid(&GridOptions { side, slip, noise, start, seed })?)))
    }

    /// S_f, the states of each factor.
    #[getter]
    fn num_states(&self) -> Vec<usize> {
        self.0.num_states()
    }

    /// O_m, the outcomes of each modality.
    #[getter]
    fn num_obs(&self) -> Vec<usize> {
        self.0.num_obs()
    }

    /// Actions of each control.
    #[getter]
    fn num_controls(&self) -> Vec<usize> {
        self.0.num_controls.clone()
    }

    /// Flat actions of each factor.
    #[getter]
    fn num_actions(&self) -> Vec<usize> {
        (0..self.0.factors()).map(|factor| self.0.actions_of(factor)).collect()
    }

    /// Whether agents observe distributions over outcomes.
    #[getter]
    fn categorical_obs(&self) -> bool {
        self.0.arguments.categorical_obs
    }

    /// How many policies there are.
    #[getter]
    fn num_policies(&self) -> Result<usize> {
        Ok(self.0.policy_count()?)
    }

    /// The policies, (P, T, F), flat actions per factor.
    #[getter]
    fn policies<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let policies = self.0.all_policies()?;
        let shape = [policies.count, policies.len, policies.factors];
        let actions: Vec<i32> = policies.actions.iter().map(|&action| action as i32).collect();
        Ok(PyArray1::from_vec(py, actions).reshape(shape)?.into_any())
    }

    /// The tensors of a family (A, B, C, D, H, pA, pB, pD), dense, in their own precision.
    fn tensors<'py>(&self, py: Python<'py>, family: &str) -> Result<Vec<Bound<'py, PyAny>>> {
        let model = &*self.0;
        let tensors = match family {
            "A" => &model.a,
            "B" => &model.b,
            "C" => &model.c,
            "D" => &model.d,
            "H" => &model.h,
            "pA" => &model.p_a,
            "pB" => &model.p_b,
            "pD" => &model.p_d,
            other => return Err(Failure::invalid(format!("there is no family {other:?}"))),
        };
        tensors.iter().map(|tensor| dense(py, tensor)).collect()
    }
}

fn dense<'py>(py: Python<'py>, tensor: &Tensor) -> Result<Bound<'py, PyAny>> {
    let shape = tensor.shape().to_vec();
    let Tensor::Dense { values, .. } = py.detach(|| tensor.to_dense()) else {
        return Err(Failure::invalid("a dense tensor is not dense"));
    };
    Ok(match values {
        Reals::F32(values) => PyArray1::from_vec(py, values).reshape(shape)?.into_any(),
        Reals::F64(values) => PyArray1::from_vec(py, values).reshape(shape)?.into_any(),
    })
}
