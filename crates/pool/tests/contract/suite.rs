//! What every resource promises.

use std::alloc::Layout;
use std::sync::mpsc;

use populace_pool::{Block, Buffer, ErrorKind, Region, Resource, SharedResource};

/// How the bytes of a block are reached.
pub(crate) trait Access: Sync {
    fn write(&self, block: Block, bytes: &[u8]);
    /// `None` if there are none.
    fn read(&self, block: Block, length: usize) -> Option<Vec<u8>>;
}

/// Directly.
pub(crate) struct Host;

impl Access for Host {
    fn write(&self, block: Block, bytes: &[u8]) {
        // SAFETY: the suite passes live blocks of host-accessible resources, and fitting lengths.
        unsafe { block.address.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
    }

    fn read(&self, block: Block, length: usize) -> Option<Vec<u8>> {
        // SAFETY: as above, and the contract says that the bytes are initialised.
        Some(unsafe { std::slice::from_raw_parts(block.address.as_ptr(), length) }.to_vec())
    }
}

/// Not at all.
pub(crate) struct Nothing;

impl Access for Nothing {
    fn write(&self, _block: Block, _bytes: &[u8]) {}

    fn read(&self, _block: Block, _length: usize) -> Option<Vec<u8>> {
        None
    }
}

pub(crate) fn check(resource: SharedResource, access: &dyn Access) {
    sizes_and_alignments(&*resource);
    senseless_layouts_are_refused(&resource);
    contents_stay(&resource, access);
    blocks_cross_threads(&resource, access);
    buffers_need_host_access(&resource);
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

fn sizes_and_alignments(resource: &dyn Resource) {
    for size in [1, 63, 64, 65, 1000, 4096, 4097, 100_000, (2 << 20) + 1] {
        for align in [1, 8, 64, 4096] {
            let layout = layout(size, align);
            let block = resource.allocate(layout).unwrap();
            assert!(block.size_bytes >= size, "{block:?} for {layout:?}");
            assert!(block.address.addr().get().is_multiple_of(align), "{block:?} for {layout:?}");
            // SAFETY: the resource's own block, by its layout.
            unsafe { resource.deallocate(block, layout) };
        }
    }
}

fn senseless_layouts_are_refused(resource: &SharedResource) {
    let most = isize::MAX as usize;
    for (size, align) in [(0, 64), (1, 0), (1, 3), (most, 64), (usize::MAX, 1), (most - 4095, 1)] {
        match Region::new(resource, size, align).map(|region| region.block()) {
            // Nothing has no end.
            Ok(block) => assert!(size > 0 && align.is_power_of_two() && block.size_bytes >= size),
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    ErrorKind::BadLayout { .. }
                        | ErrorKind::OverLimit { .. }
                        | ErrorKind::OverBudget { .. }
                        | ErrorKind::System { .. }
                ),
                "{error}"
            ),
        }
    }
    assert!(resource.allocate(Layout::from_size_align(0, 1).unwrap()).is_err());
    assert!(Region::new(resource, 1, 1).is_ok(), "it still works");
}

/// Fills many live blocks with patterns of their own and sees that none changes another.
fn contents_stay(resource: &SharedResource, access: &dyn Access) {
    let mut random = Random(1);
    let mut live: Vec<(Region, u8)> = Vec::new();
    for round in 0..600 {
        if live.len() < 40 || random.below(2) == 0 {
            let size = 1 << random.below(14);
            let size = size + random.below(size);
            let region = Region::new(resource, size, 1 << random.below(8)).unwrap();
            let pattern = (round % 251) as u8;
            access.write(region.block(), &vec![pattern; size]);
            live.push((region, pattern));
        } else {
            let (region, pattern) = live.swap_remove(random.below(live.len()));
            verify(&region, pattern, access);
        }
    }
    for (region, pattern) in &live {
        verify(region, *pattern, access);
    }
}

fn verify(region: &Region, pattern: u8, access: &dyn Access) {
    if let Some(bytes) = access.read(region.block(), region.len()) {
        assert!(bytes.iter().all(|&byte| byte == pattern), "a block of {pattern} was changed");
    }
}

/// Blocks taken by one thread are checked and given back by another.
fn blocks_cross_threads(resource: &SharedResource, access: &dyn Access) {
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (sender, receiver) = mpsc::channel::<(Region, u8)>();
            scope.spawn(move || {
                for round in 0..200_usize {
                    let size = 1 + (round * 37 + thread * 11) % 5000;
                    let region = Region::new(resource, size, 64).unwrap();
                    let pattern = (round + thread) as u8;
                    access.write(region.block(), &vec![pattern; size]);
                    sender.send((region, pattern)).unwrap();
                }
            });
            scope.spawn(move || {
                for (region, pattern) in receiver {
                    verify(&region, pattern, access);
                }
            });
        }
    });
}

fn buffers_need_host_access(resource: &SharedResource) {
    match Buffer::new(resource, 100, 64) {
        Ok(mut buffer) => {
            assert!(resource.host_accessible());
            buffer.as_mut_slice().fill(9);
            assert_eq!(buffer.as_slice(), [9; 100]);
        }
        Err(error) => {
            assert!(!resource.host_accessible());
            assert!(matches!(error.kind(), ErrorKind::NotHostAccessible { .. }), "{error}");
        }
    }
}

/// A multiplicative generator; the suite needs variety, not quality.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % bound
    }
}
