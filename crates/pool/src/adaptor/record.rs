//! Writes down every allocate and free, to be replayed.

use std::alloc::Layout;
use std::collections::HashMap;

use crate::sync::Mutex;
use crate::{Block, Resource, Result, Trace, TraceOperation};

/// Records what is asked of an upstream resource as a [`Trace`].
///
/// Over a pool it records what the pool's users ask; below it, what the pool asks of its upstream.
///
/// ```
/// use std::sync::Arc;
/// use populace_pool::{Buffer, HostHeap, Record, SharedResource};
///
/// let record = Arc::new(Record::new(HostHeap));
/// let resource: SharedResource = record.clone();
/// drop(Buffer::new(&resource, 100, 64)?);
/// assert_eq!(record.trace().operations().len(), 2);
/// # Ok::<(), populace_pool::Error>(())
/// ```
#[derive(Debug)]
pub struct Record<R> {
    upstream: R,
    recorded: Mutex<Recorded>,
}

#[derive(Debug, Default)]
struct Recorded {
    trace: Trace,
    /// The number in the trace of each live block, by address.
    live: HashMap<usize, u64>,
}

impl<R: Resource> Record<R> {
    /// Records what is asked of `upstream`, in memory, at about 24 bytes an operation.
    pub fn new(upstream: R) -> Self {
        Self { upstream, recorded: Mutex::default() }
    }

    /// What was recorded so far.
    pub fn trace(&self) -> Trace {
        self.recorded.lock().trace.clone()
    }
}

// SAFETY: blocks are the upstream's, unchanged.
unsafe impl<R: Resource> Resource for Record<R> {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let block = self.upstream.allocate(layout)?;
        let mut recorded = self.recorded.lock();
        let number = recorded.trace.push_allocate(layout);
        recorded.live.insert(block.address.addr().get(), number);
        Ok(block)
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        let mut recorded = self.recorded.lock();
        if let Some(number) = recorded.live.remove(&block.address.addr().get()) {
            recorded.trace.push(TraceOperation::Free { number });
        }
        drop(recorded);
        // SAFETY: the block is the upstream's own.
        unsafe { self.upstream.deallocate(block, layout) }
    }

    fn host_accessible(&self) -> bool {
        self.upstream.host_accessible()
    }
}
