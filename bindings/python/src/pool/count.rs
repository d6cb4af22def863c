//! How often the operations were called: a counter each, so that counting takes no lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An operation.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    Dot,
    Einsum,
    Matmul,
}

static CALLS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

impl Count {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Dot, "dot"), (Self::Einsum, "einsum"), (Self::Matmul, "matmul")];

    /// Counts a call.
    pub(crate) fn add(self) {
        CALLS[self as usize].fetch_add(1, Relaxed);
    }

    /// The operations that were called, by name.
    pub(crate) fn called() -> impl Iterator<Item = (&'static str, u64)> {
        let calls = Self::ALL.map(|(it, name)| (name, CALLS[it as usize].load(Relaxed)));
        calls.into_iter().filter(|&(_, calls)| calls > 0)
    }
}
