//! Where the temporaries of a plan lie in its scratch memory.
//!
//! Invariant: two temporaries that are alive at the same step do not overlap; the peak is the end
//! of the one that ends last.

/// Bytes that are needed from one step to another.
#[derive(Debug, Clone)]
pub(super) struct Temporary {
    pub(super) size_bytes: usize,
    /// The step that writes it, and the last one that reads it.
    pub(super) steps: (usize, usize),
}

/// The offsets of the temporaries and the peak, in bytes; each starts on a cache line. `None`
/// where the sum of all cannot be addressed.
pub(super) fn assign(temporaries: &[Temporary]) -> Option<(Vec<usize>, usize)> {
    let lines = |temporary: &Temporary| temporary.size_bytes.checked_next_multiple_of(64);
    let sizes: Option<Vec<usize>> = temporaries.iter().map(lines).collect();
    let sizes = sizes?;
    let total = sizes.iter().try_fold(0_usize, |sum, &size| sum.checked_add(size))?;
    isize::try_from(total).ok()?;
    let mut offsets: Vec<usize> = Vec::with_capacity(sizes.len());
    for (index, temporary) in temporaries.iter().enumerate() {
        let mut taken: Vec<(usize, usize)> = (0..index)
            .filter(|&other| {
                let other = &temporaries[other].steps;
                other.0 <= temporary.steps.1 && temporary.steps.0 <= other.1
            })
            .map(|other| (offsets[other], offsets[other] + sizes[other]))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, end) in taken {
            if offset + sizes[index] <= start {
                break;
            }
            offset = offset.max(end);
        }
        offsets.push(offset);
    }
    let peak = offsets.iter().zip(&sizes).map(|(offset, size)| offset + size).max().unwrap_or(0);
    Some((offsets, peak))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_alive_together_shares_its_place() {
        let temporary = |size_bytes, from, to| Temporary { size_bytes, steps: (from, to) };
        let all = [temporary(100, 0, 1), temporary(64, 1, 2), temporary(128, 2, 3)];
        let (offsets, peak) = assign(&all).unwrap();
        assert_eq!(offsets, [0, 128, 0]);
        assert_eq!(peak, 192);
        assert!(
            assign(&[temporary(usize::MAX / 2, 0, 0), temporary(usize::MAX / 2, 0, 0)]).is_none()
        );
    }
}
