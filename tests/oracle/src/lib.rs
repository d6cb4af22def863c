//! The naive reference implementation.
