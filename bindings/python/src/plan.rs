//! What a run will take, before it runs.

use populace_population::Memory;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::Result;
use crate::model::Model;
use crate::settings::settings;

/// Engine bytes by class.
pub(crate) fn classes<'py>(py: Python<'py>, memory: &Memory) -> Result<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("agents", memory.agents)?;
    dict.set_item("shared", memory.shared)?;
    dict.set_item("scratch", memory.scratch)?;
    dict.set_item("pool_idle", memory.pool_idle)?;
    dict.set_item("padding", memory.padding)?;
    dict.set_item("overhead", memory.overhead)?;
    Ok(dict)
}

/// What a run in the model's own world would take; `populace.plan` is its front.
#[pyfunction]
#[pyo3(signature = (model, agents, *, budget_bytes, steps, threads, chunk, belief, precision))]
#[allow(clippy::too_many_arguments)] // keywords
pub(crate) fn plan<'py>(
    py: Python<'py>,
    model: &Bound<'py, Model>,
    agents: u64,
    budget_bytes: u64,
    steps: u64,
    threads: usize,
    chunk: Option<usize>,
    belief: &str,
    precision: &str,
) -> Result<Bound<'py, PyDict>> {
    let settings = settings(agents, budget_bytes, 1, threads, chunk, belief, precision)?;
    let model = model.get().share();
    let plan =
        py.detach(|| populace_population::plan_changing(&model.0, None, &settings, steps))?;
    let dict = PyDict::new(py);
    dict.set_item("agents", plan.agents)?;
    dict.set_item("worst_bytes", plan.worst_bytes)?;
    dict.set_item("expected", classes(py, &plan.expected)?)?;
    dict.set_item("bytes_per_agent", plan.bytes_per_agent)?;
    dict.set_item("budget_bytes", plan.budget_bytes)?;
    dict.set_item("fits", plan.fits)?;
    dict.set_item("most_agents", plan.most_agents)?;
    dict.set_item("tick_seconds", plan.tick_seconds)?;
    Ok(dict)
}
