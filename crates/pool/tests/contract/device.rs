//! A device whose memory the host cannot address: blocks are handles, bytes move by copies.

use std::alloc::Layout;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use populace_pool::{Block, Error, ErrorKind, Resource, Result};

use crate::suite::Access;

/// Its addresses are odd on purpose: a host that touched one would fault.
const FIRST: usize = 1 << 46;
const CAPACITY: usize = 1 << 30;

#[derive(Clone, Default)]
pub(crate) struct FakeDevice {
    memory: Arc<Mutex<Memory>>,
}

#[derive(Default)]
struct Memory {
    blocks: BTreeMap<usize, Vec<u8>>,
    used: usize,
}

impl FakeDevice {
    pub(crate) fn live(&self) -> usize {
        self.memory.lock().unwrap().blocks.len()
    }
}

// SAFETY: handles ascend by more than a block's size, so blocks are disjoint and aligned; the host is told
// not to touch them.
unsafe impl Resource for FakeDevice {
    fn allocate(&self, layout: Layout) -> Result<Block> {
        let mut memory = self.memory.lock().unwrap();
        if layout.size() == 0 || layout.size() > CAPACITY {
            return Err(Error::new(ErrorKind::BadLayout {
                requested_bytes: layout.size() as u64,
                align_bytes: layout.align() as u64,
            }));
        }
        let address = (FIRST + memory.used).next_multiple_of(layout.align());
        memory.used = address - FIRST + layout.size();
        memory.blocks.insert(address, vec![0; layout.size()]);
        let address = NonNull::without_provenance(NonZeroUsize::new(address).unwrap());
        Ok(Block { address, size_bytes: layout.size() })
    }

    unsafe fn deallocate(&self, block: Block, layout: Layout) {
        let gone = self.memory.lock().unwrap().blocks.remove(&block.address.addr().get());
        assert_eq!(gone.map(|bytes| bytes.len()), Some(layout.size()), "{block:?}");
    }

    fn host_accessible(&self) -> bool {
        false
    }
}

impl Access for FakeDevice {
    fn write(&self, block: Block, bytes: &[u8]) {
        let mut memory = self.memory.lock().unwrap();
        let held = memory.blocks.get_mut(&block.address.addr().get()).unwrap();
        held[..bytes.len()].copy_from_slice(bytes);
    }

    fn read(&self, block: Block, length: usize) -> Option<Vec<u8>> {
        let memory = self.memory.lock().unwrap();
        Some(memory.blocks[&block.address.addr().get()][..length].to_vec())
    }
}
