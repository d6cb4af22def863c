//! What a matrix is asked by, and the last such question: a loop asks the same again and again.
//!
//! To read a shape and a dtype takes as long as to lend a matrix. Where both are the very objects that
//! were read last, which are kept, what was read is the answer: a tuple of plain integers and a dtype
//! do not change.

use std::ffi::c_int;
use std::sync::Mutex;

use numpy::PyArrayDescr;
use populace_pool::Dtype;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString, PyTuple, PyType};
use smallvec::SmallVec;

/// The lengths of axes, on the stack as long as there are few.
pub(crate) type Axes = SmallVec<[usize; 4]>;

/// A shape and an element type.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) shape: Axes,
    pub(crate) dtype: Dtype,
    /// NumPy's number of the type.
    pub(crate) number: c_int,
}

/// The last question.
pub(crate) static LAST_ASKED: LastAsked = LastAsked(Mutex::new(None));

/// The objects that something was read from last, and what that was.
pub(crate) struct LastAsked(Mutex<Option<Read>>);

struct Read {
    shape: Py<PyAny>,
    dtype: Option<Py<PyAny>>,
    asked: Asked,
}

impl LastAsked {
    /// What was read from these very objects, if they were the last. Whoever finds it in use reads anew.
    pub(crate) fn with(
        &self,
        shape: &Bound<'_, PyAny>,
        dtype: Option<&Bound<'_, PyAny>>,
    ) -> Option<Asked> {
        let last = self.0.try_lock().ok()?;
        let last = last.as_ref()?;
        let same = last.shape.as_ptr() == shape.as_ptr()
            && last.dtype.as_ref().map(Py::as_ptr) == dtype.map(Bound::as_ptr);
        same.then(|| last.asked.clone())
    }

    /// Remembers what was read from these objects, if they cannot come to mean something else.
    pub(crate) fn remember(
        &self,
        shape: &Bound<'_, PyAny>,
        dtype: Option<&Bound<'_, PyAny>>,
        asked: &Asked,
    ) {
        let plain = |shape: &Bound<'_, PyTuple>| {
            shape.iter_borrowed().all(|axis| axis.is_exact_instance_of::<PyInt>())
        };
        // Of other kinds of dtype NumPy asks for an attribute, which may change.
        let named = |dtype: &Bound<'_, PyAny>| {
            dtype.is_instance_of::<PyType>()
                || dtype.is_instance_of::<PyArrayDescr>()
                || dtype.is_exact_instance_of::<PyString>()
        };
        if !shape.cast_exact::<PyTuple>().is_ok_and(plain) || !dtype.is_none_or(named) {
            return;
        }
        let dtype = dtype.map(|dtype| dtype.clone().unbind());
        let new = Read { shape: shape.clone().unbind(), dtype, asked: asked.clone() };
        // The objects before are dropped when the lock is free again: that may run anything.
        let _before = self.0.try_lock().ok().and_then(|mut last| last.replace(new));
    }
}
