//! Charges what passes through to a class of a ledger.

use std::alloc::Layout;
use std::sync::Arc;

use crate::{Block, Class, Ledger, Resource, Result, SharedResource};

/// A resource whose blocks are charged to one [`Class`] of a [`Ledger`].
#[derive(Clone)]
pub struct Charge {
    upstream: SharedResource,
    ledger: Arc<Ledger>,
    class: Class,
}

impl Charge {
    /// Charges what `upstream` gives to `class`.
    ///
    /// # Panics
    ///
    /// If the class is not below [`Class::COUNT`].
    pub fn new(upstream: SharedResource, ledger: Arc<Ledger>, class: Class) -> Self {
        assert!(usize::from(class.0) < Class::COUNT, "class {} of {}", class.0, Class::COUNT);
        Self { upstream, ledger, class }
    }
}

// SAFETY: blocks are the upstream's, unchanged.
unsafe impl Resource for Charge {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let block = self.upstream.allocate(layout)?;
        self.ledger.add(self.class, layout.size() as u64, block.size_bytes as u64);
        Ok(block)
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        self.ledger.remove(self.class, layout.size() as u64, block.size_bytes as u64);
        // SAFETY: the block is the upstream's own.
        unsafe { self.upstream.deallocate(block, layout) }
    }

    fn host_accessible(&self) -> bool {
        self.upstream.host_accessible()
    }
}
