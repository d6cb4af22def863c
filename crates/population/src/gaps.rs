//! Gaps in a stretch of bytes: closed where agents go, opened where agents come.
//!
//! Both move every byte at most once and need no other memory, so that agents can be taken out where
//! there is none to be had.

use std::ops::Range;

/// Closes `gaps`, which are ascending and apart, in the first `used` bytes; answers how many bytes
/// are left.
pub(crate) fn close(
    bytes: &mut [u8],
    used: usize,
    gaps: impl IntoIterator<Item = Range<usize>>,
) -> usize {
    let mut gaps = gaps.into_iter();
    let Some(first) = gaps.next() else { return used };
    let (mut to, mut from) = (first.start, first.end);
    for gap in gaps {
        bytes.copy_within(from..gap.start, to);
        to += gap.start - from;
        from = gap.end;
    }
    bytes.copy_within(from..used, to);
    to + used - from
}

/// Opens gaps in the first `used` bytes: `(at, len)` is `len` bytes before what stood at `at`;
/// ascending. What is in a gap is unspecified. Answers how many bytes are used then.
pub(crate) fn open(
    bytes: &mut [u8],
    used: usize,
    gaps: impl DoubleEndedIterator<Item = (usize, usize)> + Clone,
) -> usize {
    let grown: usize = gaps.clone().map(|(_, len)| len).sum();
    let (mut shift, mut end) = (grown, used);
    for (at, len) in gaps.rev() {
        bytes.copy_within(at..end, at + shift);
        shift -= len;
        end = at;
    }
    used + grown
}

#[cfg(test)]
mod tests {
    use super::{close, open};

    #[test]
    fn what_is_closed_is_gone_and_the_rest_keeps_its_order() {
        let mut bytes = *b"abcdefgh..";
        let left = close(&mut bytes, 8, [0..1, 3..5, 7..8]);
        assert_eq!(&bytes[..left], b"bcfg");
        assert_eq!(close(&mut bytes, 4, []), 4);
        assert_eq!(close(&mut bytes, 4, std::iter::once(0..4)), 0);
    }

    #[test]
    fn what_is_opened_parts_the_rest() {
        let mut bytes = *b"abcd......";
        let gaps = [(0, 1), (2, 2), (2, 1), (4, 1)];
        assert_eq!(open(&mut bytes, 4, gaps.into_iter()), 9);
        assert_eq!((&bytes[1..3], &bytes[6..8]), (&b"ab"[..], &b"cd"[..]));
    }

    #[test]
    fn closing_what_was_opened_changes_nothing() {
        let mut bytes = *b"populace.......";
        let gaps = [(3, 2), (5, 4)];
        let used = open(&mut bytes, 8, gaps.into_iter());
        assert_eq!(close(&mut bytes, used, [3..5, 7..11]), 8);
        assert_eq!(&bytes[..8], b"populace");
    }
}
