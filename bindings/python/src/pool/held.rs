//! What owns the memory of an array.

use std::ffi::c_int;
use std::ptr;

use numpy::npyffi::{NPY_ARRAY_CARRAY, NpyTypes, PY_ARRAY_API, get_type_object, npy_intp};
use populace_pool::{Buffer, Matrix};
use populace_tensor::Tensor;
use pyo3::prelude::*;

/// Memory of a pool that arrays share: it goes back when the last of them dies.
#[pyclass(frozen, module = "populace._native")]
pub(crate) struct Held {
    /// Only ever dropped: the arrays are all that touches the memory.
    _memory: Memory,
}

#[allow(dead_code)] // as above
enum Memory {
    Matrix(Matrix),
    Tensor(Tensor),
    Buffer(Buffer),
}

impl Held {
    /// An array over a matrix of the pool, of the shape that was asked for; `number` is NumPy's of
    /// its element type.
    pub(crate) fn matrix<'py>(
        py: Python<'py>,
        mut matrix: Matrix,
        shape: &[usize],
        number: c_int,
    ) -> PyResult<Bound<'py, PyAny>> {
        debug_assert_eq!(matrix.shape(), shape);
        let first = matrix.bytes_mut().as_mut_ptr();
        let owner = Bound::new(py, Self { _memory: Memory::Matrix(matrix) })?;
        // SAFETY: the matrix has that shape, and its bytes stay where they are while `owner` lives.
        unsafe { array(owner, first, shape, number) }
    }

    /// An array over a result.
    pub(crate) fn tensor(
        py: Python<'_>,
        mut tensor: Tensor,
        number: c_int,
    ) -> PyResult<Bound<'_, PyAny>> {
        let first = tensor.as_mut_ptr();
        let shape = tensor.shape().to_vec();
        let owner = Bound::new(py, Self { _memory: Memory::Tensor(tensor) })?;
        // SAFETY: the tensor's elements stand row-major, and stay while `owner` lives.
        unsafe { array(owner, first, &shape, number) }
    }

    /// An array of bytes over a buffer.
    pub(crate) fn buffer(py: Python<'_>, mut buffer: Buffer) -> PyResult<Bound<'_, PyAny>> {
        let first = buffer.as_mut_ptr();
        let shape = [buffer.len()];
        let owner = Bound::new(py, Self { _memory: Memory::Buffer(buffer) })?;
        // SAFETY: the buffer has that many bytes, which stay while `owner` lives.
        unsafe { array(owner, first, &shape, numpy::npyffi::NPY_TYPES::NPY_UBYTE as c_int) }
    }
}

/// A row-major array over memory that `owner` keeps.
///
/// # Safety
///
/// While `owner` lives, `first` points to initialised elements of the shape, and nobody but arrays
/// touches them.
unsafe fn array<'py>(
    owner: Bound<'py, Held>,
    first: *mut u8,
    shape: &[usize],
    number: c_int,
) -> PyResult<Bound<'py, PyAny>> {
    const { assert!(size_of::<usize>() == size_of::<npy_intp>()) };
    let py = owner.py();
    // SAFETY: NumPy's functions as it documents them, the interpreter's lock held: the descriptor's
    // reference goes to the array, as the owner's does to its base. NumPy copies the shape, whose
    // axes are of memory that exists, so that each is the same number with a sign. That the memory
    // is what the array says is this function's own condition.
    unsafe {
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            get_type_object(py, NpyTypes::PyArray_Type),
            PY_ARRAY_API.PyArray_DescrFromType(py, number),
            shape.len() as c_int,
            shape.as_ptr().cast::<npy_intp>().cast_mut(),
            ptr::null_mut(),
            first.cast(),
            NPY_ARRAY_CARRAY,
            ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?;
        match PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_ptr().cast(), owner.into_ptr()) {
            0 => Ok(array),
            _ => Err(PyErr::fetch(py)),
        }
    }
}
