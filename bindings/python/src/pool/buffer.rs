//! Pools of bytes, and their counted buffers.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use populace_pool::{
    ClassStatistics, Contents, Eviction, HostHeap, Limit, SharedMemory, SharedResource, SizeClasses,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::errors::{Failure, Result};
use crate::pool::held::Held;

/// What the limit of a pool counts in.
const GRANULE_BYTES: u64 = 64;

/// A pool of buffers; `populace.pool.Pool` says more.
#[pyclass(frozen, module = "populace._native")]
pub(crate) struct Pool {
    pool: populace_pool::Pool,
    /// Where the buffers lie, if other processes can map it.
    shared: Option<Arc<SharedMemory>>,
}

#[pymethods]
impl Pool {
    #[new]
    #[pyo3(signature = (
        *, max_bytes, max_buffers, ttl, cleanup_interval, size_classes, clear, shared_bytes
    ))]
    #[allow(clippy::too_many_arguments)] // keywords
    fn new(
        max_bytes: Option<u64>,
        max_buffers: usize,
        ttl: f64,
        cleanup_interval: f64,
        size_classes: &Bound<'_, PyAny>,
        clear: bool,
        shared_bytes: Option<usize>,
    ) -> Result<Self> {
        let shared = shared_bytes.map(SharedMemory::new).transpose()?.map(Arc::new);
        let memory: SharedResource = match &shared {
            Some(shared) => shared.clone(),
            None => Arc::new(HostHeap),
        };
        let upstream: SharedResource = match max_bytes {
            Some(bytes) => Arc::new(Limit::new(memory, bytes, GRANULE_BYTES)),
            None => memory,
        };
        let pool = populace_pool::Pool::builder(upstream)
            .classes(classes(size_classes)?)
            .max_idle_count(max_buffers)
            .time_to_live(seconds("ttl", ttl)?)
            .cleanup_every(seconds("cleanup_interval", cleanup_interval)?)
            .contents(if clear { Contents::Zeroed } else { Contents::AsIs })
            .build()?;
        Ok(Self { pool, shared })
    }

    /// A buffer of `size` bytes, held once.
    fn get_buffer(&self, py: Python<'_>, size: usize) -> Result<Buffer> {
        self.lend(py, self.pool.acquire(size)?)
    }

    /// A buffer that holds a copy of `data`, held once.
    fn create_buffer(&self, py: Python<'_>, data: &[u8]) -> Result<Buffer> {
        let mut buffer = self.pool.acquire(data.len())?;
        buffer.as_mut_slice().copy_from_slice(data);
        self.lend(py, buffer)
    }

    /// The pool's numbers.
    fn get_statistics<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let now = py.detach(|| self.pool.snapshot());
        let all = numbers(py, &now.all)?;
        all.set_item("bytes", now.reserved_bytes)?;
        all.set_item("peak_bytes", now.peak_reserved_bytes)?;
        all.set_item("total_bytes", now.total_reserved_bytes)?;
        let evictions = PyDict::new(py);
        for (cause, count) in Eviction::ALL.iter().zip(now.evictions) {
            evictions.set_item(format!("{cause:?}").to_lowercase(), count)?;
        }
        all.set_item("evictions", evictions)?;
        let classes = PyDict::new(py);
        for class in &now.classes {
            classes.set_item(class.class_bytes, numbers(py, class)?)?;
        }
        all.set_item("classes", classes)?;
        Ok(all)
    }

    /// Gives idle memory back until at most `bytes` are idle; answers how many that were.
    #[pyo3(signature = (bytes=0))]
    fn trim(&self, py: Python<'_>, bytes: u64) -> u64 {
        py.detach(|| self.pool.trim_to(bytes))
    }
}

impl Pool {
    fn lend(&self, py: Python<'_>, buffer: populace_pool::Buffer) -> Result<Buffer> {
        let place = self
            .shared
            .as_ref()
            .and_then(|shared| Some((shared.path(), shared.offset_of(buffer.region().block())?)));
        Buffer::new(py, buffer, place)
    }
}

/// Bytes of a pool, counted; `populace.pool.Buffer` says more.
#[pyclass(frozen, module = "populace._native")]
pub(crate) struct Buffer {
    size: usize,
    /// The file and the offset where another process finds it.
    place: Option<(PathBuf, usize)>,
    state: Mutex<State>,
}

struct State {
    count: usize,
    /// None once the count is 0.
    array: Option<Py<PyAny>>,
}

impl Buffer {
    fn new(
        py: Python<'_>,
        buffer: populace_pool::Buffer,
        place: Option<(PathBuf, usize)>,
    ) -> Result<Self> {
        let size = buffer.len();
        let array = Some(Held::buffer(py, buffer)?.unbind());
        Ok(Self { size, place, state: Mutex::new(State { count: 1, array }) })
    }

    /// Held for moments only, and never while Python runs.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn released(&self) -> Failure {
        PyValueError::new_err(format!(
            "buffer of {} bytes: its count is 0, it went back to its pool",
            self.size
        ))
        .into()
    }
}

#[pymethods]
impl Buffer {
    /// Counts one more holder; answers how many there are.
    fn increment(&self) -> Result<usize> {
        let mut state = self.state();
        if state.array.is_none() {
            drop(state);
            return Err(self.released());
        }
        state.count += 1;
        Ok(state.count)
    }

    /// Counts one holder less; answers how many there are. The last one gives the memory back, as
    /// soon as no array is over it.
    fn decrement(&self) -> Result<usize> {
        let mut state = self.state();
        if state.array.is_none() {
            drop(state);
            return Err(self.released());
        }
        state.count -= 1;
        let count = state.count;
        let last = if count == 0 { state.array.take() } else { None };
        drop(state);
        drop(last);
        Ok(count)
    }

    /// The bytes, uint8 (size,); the array keeps them whatever the count does.
    #[getter]
    fn array(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let array = self.state().array.as_ref().map(|array| array.clone_ref(py));
        array.ok_or_else(|| self.released())
    }

    /// Where another process finds it: a file, the offset there, the size. None, unless its pool is
    /// shared.
    #[getter]
    fn place(&self) -> Option<(PathBuf, usize, usize)> {
        self.place.clone().map(|(path, offset)| (path, offset, self.size))
    }

    /// How many hold it.
    #[getter]
    fn count(&self) -> usize {
        self.state().count
    }

    fn __len__(&self) -> usize {
        self.size
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, _raised: &Bound<'_, PyTuple>) -> Result<bool> {
        self.decrement()?;
        Ok(false)
    }

    /// The array protocol: NumPy takes the bytes as they are.
    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__(
        &self,
        py: Python<'_>,
        dtype: Option<&Bound<'_, PyAny>>,
        copy: Option<bool>,
    ) -> Result<Py<PyAny>> {
        let array = self.array(py)?;
        if dtype.is_none() && copy != Some(true) {
            return Ok(array);
        }
        let keywords = PyDict::new(py);
        keywords.set_item("dtype", dtype)?;
        keywords.set_item("copy", copy)?;
        let numpy = py.import("numpy")?;
        Ok(numpy.call_method("array", (array,), Some(&keywords))?.unbind())
    }

    /// DLPack, as NumPy has it.
    #[pyo3(signature = (**keywords))]
    fn __dlpack__(
        &self,
        py: Python<'_>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> Result<Py<PyAny>> {
        Ok(self.array(py)?.bind(py).call_method("__dlpack__", (), keywords)?.unbind())
    }

    /// DLPack, as NumPy has it.
    fn __dlpack_device__(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        Ok(self.array(py)?.bind(py).call_method0("__dlpack_device__")?.unbind())
    }

    /// The buffer protocol: the view is of the array, which it keeps.
    ///
    /// # Safety
    ///
    /// Called by the interpreter, with a view to fill.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut pyo3::ffi::Py_buffer,
        flags: std::ffi::c_int,
    ) -> PyResult<()> {
        let array = slf.get().array(slf.py())?;
        // SAFETY: the view is the interpreter's, and an array answers the request; it puts itself,
        // counted, into the view, so that the view is released with it and not with this buffer.
        match unsafe { pyo3::ffi::PyObject_GetBuffer(array.as_ptr(), view, flags) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}

fn numbers<'py>(py: Python<'py>, class: &ClassStatistics) -> Result<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("hits", class.hits)?;
    dict.set_item("misses", class.misses)?;
    dict.set_item("hit_rate", class.hit_rate())?;
    dict.set_item("in_use", class.in_use_count)?;
    dict.set_item("available", class.idle_count)?;
    dict.set_item("in_use_bytes", class.in_use_bytes)?;
    dict.set_item("padding_bytes", class.padding_bytes())?;
    Ok(dict)
}

/// Size classes: by name, or their sizes.
fn classes(given: &Bound<'_, PyAny>) -> Result<SizeClasses> {
    if let Ok(name) = given.extract::<String>() {
        return match name.as_str() {
            "geometric" => Ok(SizeClasses::geometric()),
            "powers_of_four" => Ok(SizeClasses::powers_of_four()),
            _ => Err(Failure::invalid(format!(
                "size_classes: {name:?} is not geometric or powers_of_four, nor a list of sizes"
            ))),
        };
    }
    Ok(SizeClasses::new(&given.extract::<Vec<usize>>()?)?)
}

fn seconds(name: &str, seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| Failure::invalid(format!("{name}: {seconds} are no seconds")))
}
