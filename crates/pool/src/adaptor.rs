//! Resources over an upstream resource, one property each.

pub(crate) mod charge;
pub(crate) mod limit;
