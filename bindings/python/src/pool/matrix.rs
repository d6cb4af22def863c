//! Matrices by shape and element type.

use std::ffi::c_int;
use std::sync::{Arc, LazyLock};

use numpy::PyArrayDescr;
use populace_pool::{Dtype, HostHeap, MatrixPool};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::errors::Result;
use crate::pool::asked::{Asked, Axes, LAST_ASKED};
use crate::pool::count::Count;
use crate::pool::element::pooled;
use crate::pool::held::Held;

/// Idle matrices take at most this.
const MAX_IDLE_BYTES: u64 = 1 << 30;

/// The pool of the process.
pub(crate) static MATRICES: LazyLock<MatrixPool> =
    LazyLock::new(|| MatrixPool::new(Arc::new(HostHeap), MAX_IDLE_BYTES));

/// A matrix of the pool for the length of a `with`.
#[pyclass(frozen, module = "populace._native")]
pub(crate) struct PooledMatrix {
    asked: Asked,
    zeroed: bool,
}

/// A matrix of the pool for the length of a `with`; `populace.pool` says more.
// A function, and not the class: to call a type costs the interpreter a tuple and a dictionary.
#[pyfunction]
#[pyo3(signature = (shape, dtype=None, *, zeroed=false))]
pub(crate) fn pooled_matrix(
    py: Python<'_>,
    shape: &Bound<'_, PyAny>,
    dtype: Option<&Bound<'_, PyAny>>,
    zeroed: bool,
) -> Result<PooledMatrix> {
    if let Some(asked) = LAST_ASKED.with(shape, dtype) {
        return Ok(PooledMatrix { asked, zeroed });
    }
    let axes = axes(shape)?;
    let (element, number) = element(py, dtype)?;
    let asked = Asked { shape: axes, dtype: element, number };
    LAST_ASKED.remember(shape, dtype, &asked);
    Ok(PooledMatrix { asked, zeroed })
}

#[pymethods]
impl PooledMatrix {
    fn __enter__<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let Asked { shape, dtype, number } = &self.asked;
        let matrix = if self.zeroed {
            MATRICES.acquire_zeroed(shape, *dtype)?
        } else {
            MATRICES.acquire(shape, *dtype)?
        };
        Ok(Held::matrix(py, matrix, shape, *number)?)
    }

    /// Nothing is left to do: the arrays hold the memory, not the `with`.
    #[pyo3(signature = (_kind, _error, _trace, /))]
    fn __exit__(
        &self,
        _kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> bool {
        false
    }
}

/// Matrices for all operands of an operation, or none of them.
#[pyfunction]
pub(crate) fn allocate_many<'py>(
    py: Python<'py>,
    operands: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
) -> Result<Vec<Bound<'py, PyAny>>> {
    let asked = operands.iter().map(|(shape, dtype)| Ok((axes(shape)?, element(py, Some(dtype))?)));
    let asked = asked.collect::<Result<Vec<_>>>()?;
    let shapes: Vec<_> = asked.iter().map(|(shape, (dtype, _))| (&shape[..], *dtype)).collect();
    let matrices = MATRICES.acquire_all(&shapes)?;
    matrices
        .into_iter()
        .zip(&asked)
        .map(|(matrix, (shape, (_, number)))| Ok(Held::matrix(py, matrix, shape, *number)?))
        .collect()
}

/// The matrices' numbers: of all, and by shape.
#[pyfunction]
pub(crate) fn matrix_statistics(py: Python<'_>) -> Result<Bound<'_, PyDict>> {
    let (mut matrices, mut bytes) = (0, 0);
    let pools = PyDict::new(py);
    let shelves = MATRICES.statistics();
    for shelf in &shelves {
        let each = shelf.shape.iter().product::<usize>() as u64 * shelf.dtype.item_bytes() as u64;
        let acquires = shelf.hits + shelf.misses;
        matrices += shelf.in_use + shelf.idle;
        bytes += (shelf.in_use + shelf.idle) * each;
        let pool = PyDict::new(py);
        pool.set_item("hits", shelf.hits)?;
        pool.set_item("misses", shelf.misses)?;
        pool.set_item("hit_rate", shelf.hits as f64 / acquires.max(1) as f64)?;
        pool.set_item("in_use", shelf.in_use)?;
        pool.set_item("available", shelf.idle)?;
        pool.set_item("bytes", (shelf.in_use + shelf.idle) * each)?;
        pool.set_item("peak_in_use", shelf.peak_in_use)?;
        pool.set_item("peak_bytes_in_use", shelf.peak_in_use * each)?;
        let shape = PyTuple::new(py, &shelf.shape)?;
        pools.set_item((shape, shelf.dtype.name()), pool)?;
    }
    let global = PyDict::new(py);
    global.set_item("total_pools", shelves.len())?;
    global.set_item("total_matrices", matrices)?;
    global.set_item("total_memory_bytes", bytes)?;
    global.set_item("operations", Count::called().collect::<std::collections::BTreeMap<_, _>>())?;
    let all = PyDict::new(py);
    all.set_item("global", global)?;
    all.set_item("pools", pools)?;
    Ok(all)
}

/// Gives idle matrices back; answers how many bytes that were.
#[pyfunction]
pub(crate) fn trim_matrices(py: Python<'_>) -> u64 {
    py.detach(|| MATRICES.trim())
}

/// A shape: an integer, or a sequence of them.
fn axes(shape: &Bound<'_, PyAny>) -> Result<Axes> {
    if let Ok(tuple) = shape.cast::<PyTuple>() {
        return Ok(tuple.iter_borrowed().map(|axis| axis.extract()).collect::<PyResult<_>>()?);
    }
    match shape.extract::<usize>() {
        Ok(axis) => Ok(std::iter::once(axis).collect()),
        Err(_) => Ok(shape.extract::<Vec<usize>>()?.into()),
    }
}

fn element(py: Python<'_>, dtype: Option<&Bound<'_, PyAny>>) -> Result<(Dtype, c_int)> {
    let descr = match dtype {
        Some(dtype) => PyArrayDescr::new(py, dtype)?,
        None => numpy::dtype::<f32>(py),
    };
    Ok(pooled(&descr)?)
}
