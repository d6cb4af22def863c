//! Bits in words, and numbers as planes of bits.
//!
//! Bit i of a stream is bit i mod 64 of word ⌊i / 64⌋, words in little-endian order, so that the bytes
//! of a stream are the same everywhere. Plane p of a row of n numbers is n bits: bit p of each.

/// Reads `count` ≤ 64 bits from bit `at` on.
#[inline]
pub(super) fn get(words: &[u64], at: usize, count: usize) -> u64 {
    let (word, shift) = (at / 64, at % 64);
    let mut bits = u64::from_le(words[word]) >> shift;
    if shift + count > 64 {
        bits |= u64::from_le(words[word + 1]) << (64 - shift);
    }
    bits & mask(count)
}

/// Writes `count` ≤ 64 bits from bit `at` on, where there were zeros.
#[inline]
pub(super) fn put(words: &mut [u64], at: usize, count: usize, bits: u64) {
    let (word, shift) = (at / 64, at % 64);
    let bits = bits & mask(count);
    words[word] |= (bits << shift).to_le();
    if shift + count > 64 {
        words[word + 1] |= (bits >> (64 - shift)).to_le();
    }
}

fn mask(count: usize) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// Writes the planes of a row of numbers below 2^`width`: plane p from bit `at` + p · `stride` on,
/// where there were zeros.
pub(super) fn put_planes(
    words: &mut [u64],
    at: usize,
    stride: usize,
    width: usize,
    numbers: &[u32],
) {
    for (place, numbers) in numbers.chunks(64).enumerate() {
        let mut planes = [0_u64; 32];
        for (eighth, numbers) in numbers.chunks(8).enumerate() {
            for (byte, planes) in planes.chunks_mut(8).enumerate().take(width.div_ceil(8)) {
                let lane = |(i, &number): (usize, &u32)| {
                    u64::from((number >> (8 * byte)) as u8) << (8 * i)
                };
                let square = numbers.iter().enumerate().map(lane).fold(0, |all, one| all | one);
                let square = transpose(square);
                for (p, plane) in planes.iter_mut().enumerate() {
                    *plane |= u64::from((square >> (8 * p)) as u8) << (8 * eighth);
                }
            }
        }
        for (p, &plane) in planes.iter().enumerate().take(width) {
            put(words, at + p * stride + 64 * place, numbers.len(), plane);
        }
    }
}

/// Transposes a square of 8 × 8 bits: bit j of byte i becomes bit i of byte j.
///
/// Three swaps of blocks, of 1, 2 and 4 bits (Warren, Hacker's Delight, 7-3).
fn transpose(mut square: u64) -> u64 {
    for (shift, blocks) in
        [(7, 0x00AA_00AA_00AA_00AA), (14, 0x0000_CCCC_0000_CCCC), (28, 0x0000_0000_F0F0_F0F0)]
    {
        let swapped = (square ^ (square >> shift)) & blocks;
        square ^= swapped ^ (swapped << shift);
    }
    square
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bit(words: &[u64], at: usize) -> bool {
        u64::from_le(words[at / 64]) >> (at % 64) & 1 == 1
    }

    proptest! {
        #[test]
        fn planes_are_the_bits_of_the_numbers(
            numbers in prop::collection::vec(any::<u32>(), 1..200),
            width in 0_usize..=32,
            at in 0_usize..200,
            gap in 0_usize..70,
        ) {
            let numbers: Vec<u32> =
                numbers.iter().map(|&n| (u64::from(n) & mask(width)) as u32).collect();
            let stride = numbers.len() + gap;
            let mut words = vec![0; (at + width * stride).div_ceil(64) + 1];
            put_planes(&mut words, at, stride, width, &numbers);
            let mut ones = 0;
            for p in 0..width {
                for (i, &number) in numbers.iter().enumerate() {
                    prop_assert_eq!(bit(&words, at + p * stride + i), number >> p & 1 == 1);
                    ones += (number >> p) & 1;
                }
            }
            let all: u32 = words.iter().map(|word| word.count_ones()).sum();
            prop_assert_eq!(all, ones, "nothing else was written");
        }

        #[test]
        fn bits_come_back_and_touch_no_others(
            before in prop::collection::vec(any::<bool>(), 300..400),
            at in 0_usize..200,
            count in 1_usize..=64,
            bits in any::<u64>(),
        ) {
            let mut words = vec![0; 7];
            let here = |i: usize| (at..at + count).contains(&i);
            for (i, &one) in before.iter().enumerate() {
                put(&mut words, i, 1, (one && !here(i)).into());
            }
            put(&mut words, at, count, bits);
            prop_assert_eq!(get(&words, at, count), bits & mask(count));
            for (i, &one) in before.iter().enumerate().filter(|&(i, _)| !here(i)) {
                prop_assert_eq!(bit(&words, i), one, "bit {} is another's", i);
            }
        }
    }
}
