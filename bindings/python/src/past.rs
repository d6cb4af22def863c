//! What is kept of the past, as arrays.

use numpy::{PyArray1, PyArrayMethods};
use populace_population::{HistoryTotals, Past};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::Result;

/// A row a tick: ticks (n), observations (n, M), actions (n, F), and of beliefs, where they are kept,
/// states, probabilities and entropies, (n, F) each.
pub(crate) fn arrays(
    py: Python<'_>,
    past: Past,
    modalities: usize,
    factors: usize,
) -> Result<Bound<'_, PyDict>> {
    let rows = past.ticks.len();
    let dict = PyDict::new(py);
    dict.set_item("ticks", PyArray1::from_vec(py, past.ticks))?;
    let observations = PyArray1::from_vec(py, past.observations);
    dict.set_item("observations", observations.reshape([rows, modalities])?)?;
    dict.set_item("actions", PyArray1::from_vec(py, past.actions).reshape([rows, factors])?)?;
    if past.beliefs.len() == rows * factors && rows > 0 {
        let beliefs = &past.beliefs;
        let states = PyArray1::from_iter(py, beliefs.iter().map(|belief| belief.state));
        let likely = PyArray1::from_iter(py, beliefs.iter().map(|belief| belief.probability));
        let entropies = PyArray1::from_iter(py, beliefs.iter().map(|belief| belief.entropy));
        dict.set_item("states", states.reshape([rows, factors])?)?;
        dict.set_item("probabilities", likely.reshape([rows, factors])?)?;
        dict.set_item("entropies", entropies.reshape([rows, factors])?)?;
    }
    Ok(dict)
}

/// How much there is.
pub(crate) fn totals(py: Python<'_>, totals: HistoryTotals) -> Result<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("ticks", totals.ticks)?;
    dict.set_item("blocks", totals.blocks)?;
    dict.set_item("raw_bytes", totals.raw_bytes)?;
    dict.set_item("stored_bytes", totals.stored_bytes)?;
    dict.set_item("open_bytes", totals.open_bytes)?;
    dict.set_item("dropped", totals.dropped)?;
    dict.set_item("ratio", totals.ratio())?;
    Ok(dict)
}
