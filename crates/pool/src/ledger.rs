//! Bytes by class: one counter a class, always on.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Class;

/// Bytes by class, and what rounding added.
///
/// Invariant: Σ classes + padding = Σ `size_bytes` of the live blocks charged to it.
#[derive(Debug, Default)]
pub struct Ledger {
    used_bytes: [AtomicU64; Class::COUNT],
    padding_bytes: AtomicU64,
}

impl Ledger {
    /// What a class uses now, in bytes, as requested (without padding); 0 for a class that no
    /// ledger can hold.
    pub fn used_bytes(&self, class: Class) -> u64 {
        self.used_bytes.get(usize::from(class.0)).map_or(0, |bytes| bytes.load(Ordering::Relaxed))
    }

    /// What rounding adds now, in bytes.
    pub fn padding_bytes(&self) -> u64 {
        self.padding_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, class: Class, requested: u64, taken: u64) {
        self.used_bytes[usize::from(class.0)].fetch_add(requested, Ordering::Relaxed);
        self.padding_bytes.fetch_add(taken - requested, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, class: Class, requested: u64, taken: u64) {
        self.used_bytes[usize::from(class.0)].fetch_sub(requested, Ordering::Relaxed);
        self.padding_bytes.fetch_sub(taken - requested, Ordering::Relaxed);
    }
}
