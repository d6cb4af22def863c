//! Size classes: which sizes a pool keeps, and which of them serves a request.
//!
//! Invariants, for classes c₀ < c₁ < … < cₙ₋₁ (whole cache lines, in bytes) and a request of s bytes:
//! `index_of(s)` = min {i : cᵢ ≥ s}, or n if s > cₙ₋₁; for the geometric classes (c − s) / c < 1/5 for
//! s > 256, and < 1/9 for s > 64 KiB.

use crate::{CACHE_LINE_BYTES, Error, ErrorKind, Result};

/// Bins per doubling in the lookup table; equal to the small geometric classes' number per doubling, so
/// that each of their bins holds exactly one class.
const BINS_PER_DOUBLING: u32 = 4;
const LOG_LINE: u32 = CACHE_LINE_BYTES.trailing_zeros();
const BINS: usize = ((usize::BITS - LOG_LINE) * BINS_PER_DOUBLING) as usize + 1;
/// Geometric classes a doubling.
const STEPS: usize = 4;
/// From here on they lie closer: there are few such buffers, and what each wastes is much.
const FINE_BYTES: usize = 64 << 10;
/// Classes a doubling from there on. Sixteen would waste 2 % of log-uniform sizes instead of 4 %, but find less
/// of what lies idle: 86 % instead of 92 %.
const FINE_STEPS: usize = 8;
/// More classes than any use has, and few enough to name in 16 bits.
const MOST: usize = 4096;

/// The sizes that a pool keeps.
///
/// ```
/// # use populace_pool::SizeClasses;
/// let classes = SizeClasses::geometric();
/// assert_eq!(classes.class_bytes(1000), Some(1024));
/// assert_eq!(classes.class_bytes(1025), Some(1280));
/// assert_eq!(classes.class_bytes(65 << 20), None); // above the largest
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeClasses {
    sizes: Box<[usize]>,
    /// Per bin, the smallest class that may serve a size of the bin.
    first: Box<[u16; BINS]>,
}

impl SizeClasses {
    /// Four a doubling from 64 B to 64 KiB, eight from there to 64 MiB: the padding of a request above 256 B is less
    /// than a fifth of its buffer, above 64 KiB than a ninth; over log-uniform sizes it takes 4.2 % of all bytes.
    pub fn geometric() -> Self {
        Self::geometric_up_to(64 << 20)
    }

    /// [`Self::geometric`] with another largest class, rounded up to one of its sizes.
    pub fn geometric_up_to(largest_bytes: usize) -> Self {
        Self::geometric_in(CACHE_LINE_BYTES, largest_bytes)
    }

    /// The geometric sizes in multiples of `granule_bytes`, for an upstream that rounds every block up to
    /// it: over [`Pages`](crate::Pages), smaller classes would each hold whole pages and share none.
    ///
    /// ```
    /// # use populace_pool::SizeClasses;
    /// let classes = SizeClasses::geometric_in(4096, 64 << 20);
    /// assert_eq!(classes.sizes_bytes()[..6], [4096, 8192, 12_288, 16_384, 20_480, 24_576]);
    /// ```
    pub fn geometric_in(granule_bytes: usize, largest_bytes: usize) -> Self {
        let granule = granule_bytes.clamp(CACHE_LINE_BYTES, 1 << 30);
        let granule = granule.next_multiple_of(CACHE_LINE_BYTES);
        let largest = largest_bytes.clamp(granule, 1 << 46);
        let mut sizes: Vec<_> = (1..=STEPS).map(|count| granule * count).collect();
        let mut octave = granule * STEPS;
        while sizes.last().is_some_and(|&last| last < largest) {
            let fine = octave >= FINE_BYTES.max(granule * FINE_STEPS);
            let steps = if fine { FINE_STEPS } else { STEPS };
            sizes.extend((steps + 1..=2 * steps).map(|step| octave / steps * step));
            octave *= 2;
        }
        while sizes.len() > 1 && sizes[sizes.len() - 2] >= largest {
            sizes.pop();
        }
        Self::indexed(sizes)
    }

    /// 256 B, 1 KiB, 4 KiB, … 64 MiB.
    pub fn powers_of_four() -> Self {
        Self::indexed((0..10).map(|power| 256 << (2 * power)).collect())
    }

    /// Exactly these sizes, in bytes, in any order; each is rounded up to whole cache lines.
    ///
    /// # Errors
    ///
    /// No size, a size of 0, more than 4,096 sizes, or one that overflows when rounded.
    pub fn new(sizes_bytes: &[usize]) -> Result<Self> {
        let bad = |value: usize, rule| {
            Error::new(ErrorKind::BadSetting { name: "a size class", value: value as u64, rule })
        };
        let mut sizes = Vec::with_capacity(sizes_bytes.len());
        for &size in sizes_bytes {
            match size.checked_next_multiple_of(CACHE_LINE_BYTES) {
                Some(rounded @ 1..=0x4000_0000_0000) => sizes.push(rounded),
                _ => return Err(bad(size, "it must lie between 1 B and 64 TiB")),
            }
        }
        sizes.sort_unstable();
        sizes.dedup();
        if sizes.is_empty() || sizes.len() > MOST {
            return Err(Error::new(ErrorKind::BadSetting {
                name: "the number of size classes",
                value: sizes.len() as u64,
                rule: "it must lie between 1 and 4,096",
            }));
        }
        Ok(Self::indexed(sizes))
    }

    /// `sizes` ascend strictly, are multiples of a line, and number at most [`MOST`].
    fn indexed(sizes: Vec<usize>) -> Self {
        let mut first = Box::new([sizes.len() as u16; BINS]);
        for (index, &size) in sizes.iter().enumerate().rev() {
            // Every bin up to the size's own may find this class first.
            for entry in &mut first[..=bin(size)] {
                *entry = index as u16;
            }
        }
        // The loop above leaves in each bin the smallest class whose bin is not below it.
        Self { sizes: sizes.into(), first }
    }

    /// The sizes, ascending, in bytes.
    pub fn sizes_bytes(&self) -> &[usize] {
        &self.sizes
    }

    /// How large a buffer serves a request of `size_bytes`; `None` above the largest class.
    pub fn class_bytes(&self, size_bytes: usize) -> Option<usize> {
        self.sizes.get(self.index_of(size_bytes)).copied()
    }

    /// The index of the class that serves `size_bytes`; the number of classes if none does.
    #[inline]
    pub(crate) fn index_of(&self, size_bytes: usize) -> usize {
        let mut index = usize::from(self.first[bin(size_bytes)]);
        while self.sizes.get(index).is_some_and(|&class| class < size_bytes) {
            index += 1;
        }
        index
    }
}

impl Default for SizeClasses {
    fn default() -> Self {
        Self::geometric()
    }
}

/// Sizes in (2ᵏ·(4+j)/4, 2ᵏ·(5+j)/4] share bin 4(k − 6) + j + 1; sizes up to a line share bin 0.
#[inline]
fn bin(size: usize) -> usize {
    if size <= CACHE_LINE_BYTES {
        return 0;
    }
    let below = size - 1;
    let log = below.ilog2();
    let quarter = (below >> (log - 2)) & 3;
    ((log - LOG_LINE) * BINS_PER_DOUBLING) as usize + quarter + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition itself, word for word.
    fn naive(sizes: &[usize], size: usize) -> usize {
        sizes.iter().position(|&class| class >= size).unwrap_or(sizes.len())
    }

    #[test]
    fn every_ladder_finds_the_smallest_class_that_holds_a_size() {
        let odd = SizeClasses::new(&[64, 1 << 20, 4096, 4160, 4224, 100, 5000, 9999]).unwrap();
        let pages = SizeClasses::geometric_in(4096, 1 << 30);
        for classes in [SizeClasses::geometric(), SizeClasses::powers_of_four(), pages, odd] {
            let near = classes.sizes_bytes().iter().flat_map(|&s| [s - 1, s, s + 1]);
            for size in (1..20_000).chain(near).chain([usize::MAX, usize::MAX / 2]) {
                assert_eq!(classes.index_of(size), naive(&classes.sizes, size), "{size}");
            }
        }
    }

    #[test]
    fn geometric_padding_stays_below_a_fifth_and_that_of_large_buffers_below_a_ninth() {
        let classes = SizeClasses::geometric();
        for size in (257..1 << 20).step_by(7) {
            let class = classes.class_bytes(size).unwrap();
            let parts = if size > FINE_BYTES { 9 } else { 5 };
            assert!((class - size) * parts < class, "{size} in {class}");
        }
        assert_eq!(classes.sizes_bytes().last(), Some(&(64 << 20)));
        assert_eq!(SizeClasses::geometric_up_to(1000).sizes_bytes().last(), Some(&1024));
    }

    #[test]
    fn senseless_sizes_are_refused() {
        for sizes in [&[][..], &[0], &[usize::MAX]] {
            assert!(matches!(
                SizeClasses::new(sizes).unwrap_err().kind(),
                ErrorKind::BadSetting { .. }
            ));
        }
    }
}
