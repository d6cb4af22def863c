//! Resources over an upstream resource, one property each.

pub(crate) mod budgeted;
pub(crate) mod charge;
pub(crate) mod fail;
pub(crate) mod limit;
pub(crate) mod record;
pub(crate) mod statistics;
pub(crate) mod tracking;
