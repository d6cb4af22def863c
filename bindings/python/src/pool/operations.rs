//! dot, matmul and einsum over NumPy's arrays, into memory of the pool or into a given array.

use std::ptr::NonNull;
use std::sync::LazyLock;

use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use populace_pool::{HostHeap, Pool, SharedResource};
use populace_tensor::{Dtype, Operand, Operation, Output, Planner, Tensor};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use smallvec::SmallVec;

use crate::errors::Result;
use crate::pool::count::Count;
use crate::pool::element::{calculated, number};
use crate::pool::held::Held;

/// Below this many elements an operation is over before another thread could use the lock.
const WORTH_RELEASING: usize = 1 << 12;

/// What plans, and where results come from.
static PLANNER: LazyLock<Planner> = LazyLock::new(|| {
    let pool: SharedResource = Pool::new(HostHeap).resource();
    Planner::new(&pool)
});

/// NumPy's dot.
#[pyfunction]
#[pyo3(signature = (a, b, out=None))]
pub(crate) fn pooled_dot<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyUntypedArray>>,
) -> Result<Bound<'py, PyAny>> {
    Count::Dot.add();
    run(py, "a.dot(b)", &[arrayed(a)?, arrayed(b)?], out, |operands, out| match out {
        None => PLANNER.dot(operands[0].clone(), operands[1].clone()).map(Some),
        Some(out) => PLANNER.run_operation(&Operation::Dot, operands, out).map(|()| None),
    })
}

/// NumPy's matmul.
#[pyfunction]
#[pyo3(signature = (a, b, out=None))]
pub(crate) fn pooled_matmul<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyUntypedArray>>,
) -> Result<Bound<'py, PyAny>> {
    Count::Matmul.add();
    run(py, "a @ b", &[arrayed(a)?, arrayed(b)?], out, |operands, out| match out {
        None => PLANNER.matmul(operands[0].clone(), operands[1].clone()).map(Some),
        Some(out) => PLANNER.run_operation(&Operation::Matmul, operands, out).map(|()| None),
    })
}

/// NumPy's einsum.
#[pyfunction]
#[pyo3(signature = (subscripts, *operands, out=None))]
pub(crate) fn pooled_einsum<'py>(
    py: Python<'py>,
    subscripts: &str,
    operands: Vec<Bound<'py, PyAny>>,
    out: Option<&Bound<'py, PyUntypedArray>>,
) -> Result<Bound<'py, PyAny>> {
    Count::Einsum.add();
    let operands = operands.iter().map(arrayed).collect::<Result<Vec<_>>>()?;
    run(py, subscripts, &operands, out, |operands, out| match out {
        None => PLANNER.einsum(subscripts, operands).map(Some),
        Some(out) => PLANNER.einsum_into(subscripts, operands, out).map(|()| None),
    })
}

/// An array, or what NumPy makes one of.
fn arrayed<'py>(value: &Bound<'py, PyAny>) -> Result<Bound<'py, PyUntypedArray>> {
    if let Ok(array) = value.cast::<PyUntypedArray>() {
        return Ok(array.clone());
    }
    let made = value.py().import("numpy")?.call_method1("asarray", (value,))?;
    Ok(made.cast_into::<PyUntypedArray>().map_err(PyErr::from)?)
}

/// Runs an operation on views of arrays; a result without axes is answered as a number.
fn run<'py>(
    py: Python<'py>,
    what: &str,
    arrays: &[Bound<'py, PyUntypedArray>],
    out: Option<&Bound<'py, PyUntypedArray>>,
    work: impl FnOnce(&[Operand<'_>], Option<Output<'_>>) -> populace_tensor::Result<Option<Tensor>>
    + Send,
) -> Result<Bound<'py, PyAny>> {
    let mut operands: SmallVec<[Operand<'_>; 2]> = SmallVec::new();
    for (index, array) in arrays.iter().enumerate() {
        // SAFETY: the arrays outlive the call, which holds references to them. That no other thread
        // writes to them meanwhile is what NumPy, too, leaves to whoever shares arrays.
        operands.push(unsafe { operand(array, || format!("{what}: operand {index}")) }?);
    }
    let output = match out {
        // SAFETY: as above; that the operands do not overlap it is checked by the planner.
        Some(out) => Some(unsafe { output(out) }?),
        None => None,
    };
    let elements: usize = arrays.iter().map(|array| array.len()).sum();
    let result = if elements < WORTH_RELEASING {
        work(&operands, output)
    } else {
        py.detach(|| work(&operands, output))
    };
    match (result?, out) {
        (Some(tensor), _) => {
            let number = number(tensor.dtype())?;
            let scalar = tensor.shape().is_empty();
            let array = Held::tensor(py, tensor, number)?;
            // As NumPy does, and as what a caller compares and prints.
            if scalar { Ok(array.get_item(())?) } else { Ok(array) }
        }
        (None, Some(out)) => Ok(out.clone().into_any()),
        (None, None) => Err(PyValueError::new_err(format!("{what}: no result")).into()),
    }
}

/// # Safety
///
/// The array outlives the view, and nobody writes to it meanwhile.
unsafe fn operand<'a>(
    array: &'a Bound<'_, PyUntypedArray>,
    name: impl FnOnce() -> String,
) -> Result<Operand<'a>> {
    let dtype = calculated(&array.dtype())?;
    let strides = strides(array, dtype, name)?;
    // SAFETY: NumPy vouches that its shape and strides stay within its memory; `strides` has
    // checked the alignment; the rest is this function's own condition.
    Ok(unsafe { Operand::from_raw(first(array), dtype, array.shape(), &strides) }?)
}

/// # Safety
///
/// The array outlives the view, and nobody else touches it meanwhile.
unsafe fn output<'a>(array: &'a Bound<'_, PyUntypedArray>) -> Result<Output<'a>> {
    // SAFETY: the object is an array, and its flags are plain data.
    let flags = unsafe { (*array.as_array_ptr()).fields.flags };
    if flags & numpy::npyffi::NPY_ARRAY_WRITEABLE == 0 {
        return Err(PyValueError::new_err("out: the array is read-only").into());
    }
    let dtype = calculated(&array.dtype())?;
    let strides = strides(array, dtype, || "out".to_owned())?;
    // SAFETY: as for operands; the array is writeable.
    Ok(unsafe { Output::from_raw(first(array), dtype, array.shape(), &strides) }?)
}

fn first(array: &Bound<'_, PyUntypedArray>) -> NonNull<u8> {
    // SAFETY: the object is an array, and its data pointer is plain data.
    let data = unsafe { (*array.as_array_ptr()).fields.data };
    NonNull::new(data.cast()).unwrap_or(NonNull::dangling())
}

/// An array's strides in elements; on the stack, as long as there are few axes.
fn strides(
    array: &Bound<'_, PyUntypedArray>,
    dtype: Dtype,
    name: impl FnOnce() -> String,
) -> Result<SmallVec<[isize; 8]>> {
    // Sizes of elements are powers of two: to mask and to shift is many times faster than to divide.
    let item = dtype.item_bytes();
    let mut bits = first(array).addr().get();
    let mut strides = SmallVec::from_slice(array.strides());
    for stride in &mut strides {
        bits |= *stride as usize;
        *stride >>= item.trailing_zeros();
    }
    if bits & (item - 1) != 0 {
        let message = format!("{} is not aligned; give a copy", name());
        return Err(PyValueError::new_err(message).into());
    }
    Ok(strides)
}
