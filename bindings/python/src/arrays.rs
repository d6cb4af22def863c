//! NumPy arrays from what Rust computed, without a copy: the array owns Rust's allocation.

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use populace_agent::Reals;
use pyo3::prelude::*;

use crate::errors::{Failure, Result};

/// An array of shape (rows, columns) in the precision of the numbers.
pub(crate) fn matrix(py: Python<'_>, numbers: Reals, columns: usize) -> Result<Bound<'_, PyAny>> {
    let rows = numbers.len() / columns.max(1);
    shaped(py, numbers, vec![rows, columns])
}

/// An array of a shape in the precision of the numbers.
pub(crate) fn shaped(
    py: Python<'_>,
    numbers: Reals,
    shape: Vec<usize>,
) -> Result<Bound<'_, PyAny>> {
    Ok(match numbers {
        Reals::F32(numbers) => PyArray1::from_vec(py, numbers).reshape(shape)?.into_any(),
        Reals::F64(numbers) => PyArray1::from_vec(py, numbers).reshape(shape)?.into_any(),
    })
}

/// A new (rows, columns) array that `fill` writes; the lock is released meanwhile.
pub(crate) fn written(
    py: Python<'_>,
    shape: [usize; 2],
    fill: impl FnOnce(&mut [i32]) -> Result<()> + Send,
) -> Result<Bound<'_, PyArray2<i32>>> {
    let array = PyArray2::<i32>::zeros(py, shape, false);
    {
        let mut lent = array.readwrite();
        let values = lent.as_slice_mut().map_err(PyErr::from)?;
        py.detach(|| fill(values))?;
    }
    Ok(array)
}

/// A refusal of an array that is not laid out as C does; the Python side has made it so.
pub(crate) fn contiguous(error: numpy::AsSliceError) -> Failure {
    PyErr::from(error).into()
}
