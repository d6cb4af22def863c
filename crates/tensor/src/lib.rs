//! Views and kernels.
