//! Element types: NumPy's, the pool's and the tensors'.

use std::ffi::c_int;

use numpy::npyffi::NPY_TYPES;
use numpy::{PyArrayDescr, PyArrayDescrMethods};
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;

/// The pool's element type of a NumPy dtype, and NumPy's number of it.
pub(crate) fn pooled(descr: &Bound<'_, PyArrayDescr>) -> PyResult<(populace_pool::Dtype, c_int)> {
    use populace_pool::Dtype;
    let dtype = match (descr.kind(), descr.itemsize()) {
        (b'b', 1) => Dtype::Bool,
        (b'i', 1) => Dtype::I8,
        (b'i', 2) => Dtype::I16,
        (b'i', 4) => Dtype::I32,
        (b'i', 8) => Dtype::I64,
        (b'u', 1) => Dtype::U8,
        (b'u', 2) => Dtype::U16,
        (b'u', 4) => Dtype::U32,
        (b'u', 8) => Dtype::U64,
        (b'f', 2) => Dtype::F16,
        (b'f', 4) => Dtype::F32,
        (b'f', 8) => Dtype::F64,
        _ => return Err(unknown(descr)),
    };
    if descr.is_native_byteorder() == Some(false) {
        return Err(unknown(descr));
    }
    Ok((dtype, descr.num()))
}

/// The tensors' element type of a NumPy dtype.
pub(crate) fn calculated(descr: &Bound<'_, PyArrayDescr>) -> PyResult<populace_tensor::Dtype> {
    use populace_tensor::Dtype;
    // By number: a size would have to be asked of NumPy.
    const FLOAT: c_int = NPY_TYPES::NPY_FLOAT as c_int;
    const DOUBLE: c_int = NPY_TYPES::NPY_DOUBLE as c_int;
    const HALF: c_int = NPY_TYPES::NPY_HALF as c_int;
    const UBYTE: c_int = NPY_TYPES::NPY_UBYTE as c_int;
    match descr.num() {
        _ if descr.is_native_byteorder() == Some(false) => Err(unknown(descr)),
        FLOAT => Ok(Dtype::F32),
        DOUBLE => Ok(Dtype::F64),
        HALF => Ok(Dtype::F16),
        UBYTE => Ok(Dtype::U8),
        _ => Err(unknown(descr)),
    }
}

/// NumPy's number of a result's element type.
pub(crate) fn number(dtype: populace_tensor::Dtype) -> PyResult<c_int> {
    use populace_tensor::Dtype;
    Ok(match dtype {
        Dtype::U8 => NPY_TYPES::NPY_UBYTE as c_int,
        Dtype::F16 => NPY_TYPES::NPY_HALF as c_int,
        Dtype::F32 => NPY_TYPES::NPY_FLOAT as c_int,
        Dtype::F64 => NPY_TYPES::NPY_DOUBLE as c_int,
        other => {
            return Err(PyNotImplementedError::new_err(format!(
                "dtype: NumPy has no tensor of {other}"
            )));
        }
    })
}

fn unknown(descr: &Bound<'_, PyArrayDescr>) -> PyErr {
    PyNotImplementedError::new_err(format!("dtype: {descr} is not one that this does"))
}
