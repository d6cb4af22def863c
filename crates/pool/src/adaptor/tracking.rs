//! Who holds what: every live block, and on request the call stack that took it.

use std::alloc::Layout;
use std::backtrace::Backtrace;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::sync::Mutex;
use crate::{Block, Bytes, Resource, Result};

/// Keeps a list of the live blocks of an upstream resource.
///
/// A block that nobody gives back keeps its resource alive too, so "at shutdown" has to be said:
/// [`Self::at_shutdown`] lists what is still live when its guard is dropped.
///
/// ```
/// use std::alloc::Layout;
/// use populace_pool::{HostHeap, Resource, Tracking};
///
/// let tracking = Tracking::new(HostHeap);
/// let layout = Layout::from_size_align(100, 64)?;
/// let block = tracking.allocate(layout)?;
/// assert_eq!(tracking.live()[0].layout.size(), 100);
/// // SAFETY: the block is this resource's, by this layout.
/// unsafe { tracking.deallocate(block, layout) };
/// assert!(tracking.live().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tracking<R> {
    upstream: R,
    backtraces: bool,
    live: Mutex<(HashMap<usize, Live>, u64)>,
}

/// A live block.
#[derive(Debug, Clone)]
pub struct Live {
    /// Which allocation it was, from 1.
    pub allocation: u64,
    /// Where and how much.
    pub block: Block,
    /// What was asked for.
    pub layout: Layout,
    /// Who asked, if backtraces are on.
    pub backtrace: Option<Arc<Backtrace>>,
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, at) = (Bytes(self.layout.size() as u64), self.block.address);
        write!(f, "allocation {} of {bytes} at {at:?} is still live", self.allocation)?;
        self.backtrace.as_ref().map_or(Ok(()), |trace| write!(f, ", taken at\n{trace}"))
    }
}

impl<R: Resource> Tracking<R> {
    /// Tracks the blocks of `upstream`.
    pub fn new(upstream: R) -> Self {
        Self { upstream, backtraces: false, live: Mutex::default() }
    }

    /// Keeps a backtrace for each block as well; microseconds and kilobytes an allocation.
    #[must_use]
    pub fn with_backtraces(mut self) -> Self {
        self.backtraces = true;
        self
    }

    /// The live blocks, oldest first.
    pub fn live(&self) -> Vec<Live> {
        let mut live: Vec<_> = self.live.lock().0.values().cloned().collect();
        live.sort_unstable_by_key(|live| live.allocation);
        live
    }

    /// Calls `listener` with what is still live when the guard is dropped, if anything is.
    pub fn at_shutdown(
        self: &Arc<Self>,
        listener: impl FnOnce(Vec<Live>) + 'static,
    ) -> LeakGuard<R> {
        LeakGuard { tracking: self.clone(), listener: Some(Box::new(listener)) }
    }
}

/// Lists leaks when it is dropped: see [`Tracking::at_shutdown`].
pub struct LeakGuard<R: Resource> {
    tracking: Arc<Tracking<R>>,
    listener: Option<Box<dyn FnOnce(Vec<Live>)>>,
}

impl<R: Resource> fmt::Debug for LeakGuard<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeakGuard").field("live", &self.tracking.live()).finish_non_exhaustive()
    }
}

impl<R: Resource> Drop for LeakGuard<R> {
    fn drop(&mut self) {
        let live = self.tracking.live();
        if let Some(listener) = self.listener.take().filter(|_| !live.is_empty()) {
            listener(live);
        }
    }
}

// SAFETY: blocks are the upstream's, unchanged.
unsafe impl<R: Resource> Resource for Tracking<R> {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let block = self.upstream.allocate(layout)?;
        let backtrace = self.backtraces.then(|| Arc::new(Backtrace::force_capture()));
        let mut live = self.live.lock();
        live.1 += 1;
        let entry = Live { allocation: live.1, block, layout, backtrace };
        live.0.insert(block.address.addr().get(), entry);
        Ok(block)
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        // Forgotten before it is given back: the address may be given out again at once.
        let live = self.live.lock().0.remove(&block.address.addr().get());
        debug_assert!(
            live.is_some_and(|live| live.block == block && live.layout == layout),
            "{block:?} came back by {layout:?}, but is not live by it"
        );
        // SAFETY: the block is the upstream's own.
        unsafe { self.upstream.deallocate(block, layout) }
    }

    fn host_accessible(&self) -> bool {
        self.upstream.host_accessible()
    }
}
