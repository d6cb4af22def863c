//! Which parts of one long range are free.
//!
//! Invariants: free extents are disjoint, not empty and not adjacent (neighbours are joined); free + given = capacity.

use std::collections::BTreeMap;

/// Free extents of a range, by offset; the lowest that fits is given first, which keeps the high end
/// free.
#[derive(Debug)]
pub(super) struct Extents {
    /// Offset → length.
    free: BTreeMap<usize, usize>,
}

impl Extents {
    pub(super) fn new(capacity: usize) -> Self {
        Self { free: BTreeMap::from([(0, capacity)]) }
    }

    /// The offset of `length` > 0 that are now given.
    pub(super) fn take(&mut self, length: usize) -> Option<usize> {
        let (&offset, &free) = self.free.iter().find(|&(_, &free)| free >= length)?;
        self.free.remove(&offset);
        if free > length {
            self.free.insert(offset + length, free - length);
        }
        Some(offset)
    }

    /// Frees what was given.
    pub(super) fn give(&mut self, mut offset: usize, mut length: usize) {
        if let Some(after) = self.free.remove(&(offset + length)) {
            length += after;
        }
        if let Some((&before, &free)) = self.free.range(..offset).next_back()
            && before + free == offset
        {
            offset = before;
            length += free;
        }
        self.free.insert(offset, length);
    }

    /// How much is free.
    pub(super) fn free_bytes(&self) -> usize {
        self.free.values().sum()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn extents_agree_with_a_map_of_pages(
            operations in prop::collection::vec((any::<bool>(), 1_usize..9, any::<prop::sample::Index>()), 1..200),
        ) {
            let mut extents = Extents::new(64);
            let mut pages = [false; 64];
            let mut given = Vec::new();
            for (takes, length, which) in operations {
                if takes {
                    let fits = pages.windows(length).any(|window| window.iter().all(|taken| !taken));
                    let taken = extents.take(length);
                    prop_assert_eq!(taken.is_some(), fits);
                    if let Some(offset) = taken {
                        prop_assert!(pages[offset..][..length].iter().all(|taken| !taken));
                        pages[offset..][..length].fill(true);
                        given.push((offset, length));
                    }
                } else if !given.is_empty() {
                    let (offset, length) = given.swap_remove(which.index(given.len()));
                    extents.give(offset, length);
                    pages[offset..][..length].fill(false);
                }
                prop_assert_eq!(extents.free_bytes(), pages.iter().filter(|taken| !**taken).count());
            }
        }
    }
}
