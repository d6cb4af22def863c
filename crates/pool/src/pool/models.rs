//! What the models of loom and of shuttle have in common: an upstream that keeps account, and a core that
//! threads pass around.

use std::alloc::Layout;
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use super::core::Core;
use super::{PoolBuilder, SizeClasses};
use crate::{Block, Clock, Resource, Result};

pub(super) const SIZE: usize = 64;

/// Gives numbered places, and knows which are out. Its lock is the standard library's: there is nothing to explore in it,
/// and no thread is ever preempted while it holds it.
#[derive(Default)]
pub(super) struct Places {
    live: Mutex<(HashSet<usize>, usize)>,
}

impl Places {
    pub(super) fn live(&self) -> usize {
        self.live.lock().unwrap().0.len()
    }
}

// SAFETY: each place is given once; nothing in the models touches the bytes.
unsafe impl Resource for Places {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let mut live = self.live.lock().unwrap();
        live.1 += 1;
        let place = live.1 * 4096;
        live.0.insert(place);
        let address = NonNull::without_provenance(NonZeroUsize::new(place).unwrap());
        Ok(Block { address, size_bytes: layout.size() })
    }

    unsafe fn deallocate(&self, block: Block, _layout: Layout) {
        let gone = self.live.lock().unwrap().0.remove(&block.address.addr().get());
        assert!(gone, "a block went back twice");
    }

    fn host_accessible(&self) -> bool {
        false
    }
}

/// A core with one class, two slots, and room for `count` idle blocks of a class.
pub(super) fn core(places: &Arc<Places>, count: usize, bytes: u64) -> Shared {
    let builder = PoolBuilder::new(places.clone())
        .classes(SizeClasses::new(&[SIZE]).unwrap())
        .threads(2)
        .max_idle_count(count)
        .max_idle_bytes(bytes)
        .clock(Clock::manual());
    Shared(NonNull::from(Box::leak(Box::new(builder.into_core()))))
}

/// A core that threads of a model pass around, as regions and handles do.
#[derive(Clone, Copy)]
pub(super) struct Shared(NonNull<Core>);

// SAFETY: cores are shared between threads by design.
unsafe impl Send for Shared {}

impl Shared {
    pub(super) fn core(&self) -> &Core {
        // SAFETY: the models use it only while a handle or a block is out.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn acquire(&self, thread: usize) -> Block {
        self.core().acquire(0, layout(), thread).unwrap()
    }

    pub(super) fn release(self, block: Block, thread: usize) {
        // SAFETY: the block came from `acquire`.
        unsafe { Core::release(self.0, 0, block, layout(), thread) }
    }

    pub(super) fn close(self) {
        // SAFETY: the models close once.
        unsafe { Core::close(self.0) }
    }
}

fn layout() -> Layout {
    Layout::from_size_align(SIZE, 64).unwrap()
}
