//! Rust's errors as Python's: the only place that says which is which. Messages stay as they are.
//!
//! | Rust | Python |
//! |---|---|
//! | the input is wrong | `ValueError` |
//! | it asks for what is not there yet | `NotImplementedError` |
//! | the budget cannot hold it | `BudgetError`, a `MemoryError` |
//! | a file is missing | `FileNotFoundError` |
//! | the system refused threads, memory or a file | `OSError` |

use std::path::Path;

use pyo3::create_exception;
use pyo3::exceptions::{
    PyFileNotFoundError, PyMemoryError, PyNotImplementedError, PyOSError, PyValueError,
};
use pyo3::prelude::*;

create_exception!(
    populace,
    BudgetError,
    PyMemoryError,
    "The budget cannot hold it; the message says what is needed and what would fit."
);

/// What the functions of this crate fail with.
pub(crate) struct Failure(PyErr);

/// The result of what Python calls.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// The input is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self(PyValueError::new_err(message.into()))
    }

    /// A failure to read `path`, told apart where there is no such file.
    pub(crate) fn reading(path: &Path, error: impl Into<Self> + ToString) -> Self {
        match path.try_exists() {
            Ok(false) => Self(PyFileNotFoundError::new_err(error.to_string())),
            _ => error.into(),
        }
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self(error)
    }
}

impl From<populace_agent::Error> for Failure {
    fn from(error: populace_agent::Error) -> Self {
        use populace_agent::ErrorKind;
        let message = error.to_string();
        Self(match error.kind() {
            ErrorKind::Invalid => PyValueError::new_err(message),
            ErrorKind::Unsupported => PyNotImplementedError::new_err(message),
            ErrorKind::Memory => BudgetError::new_err(message),
            _ => PyOSError::new_err(message),
        })
    }
}

impl From<populace_population::Error> for Failure {
    fn from(error: populace_population::Error) -> Self {
        use populace_population::ErrorKind;
        let message = error.to_string();
        Self(match error.kind() {
            ErrorKind::Invalid => PyValueError::new_err(message),
            ErrorKind::Unsupported => PyNotImplementedError::new_err(message),
            ErrorKind::Budget => BudgetError::new_err(message),
            _ => PyOSError::new_err(message),
        })
    }
}

impl From<populace_pool::Error> for Failure {
    fn from(error: populace_pool::Error) -> Self {
        use populace_pool::ErrorKind;
        let message = error.to_string();
        Self(match error.kind() {
            ErrorKind::OverLimit { .. } | ErrorKind::OverBudget { .. } => {
                BudgetError::new_err(message)
            }
            ErrorKind::System { .. } => PyMemoryError::new_err(message),
            ErrorKind::Unsupported { .. } => PyNotImplementedError::new_err(message),
            _ => PyValueError::new_err(message),
        })
    }
}

impl From<populace_tensor::Error> for Failure {
    fn from(error: populace_tensor::Error) -> Self {
        use populace_tensor::ErrorKind;
        let message = error.to_string();
        Self(match error.kind() {
            ErrorKind::Memory(_) => PyMemoryError::new_err(message),
            _ => PyValueError::new_err(message),
        })
    }
}
