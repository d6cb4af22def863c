//! Eight bits of a logarithm, finest where most of a belief is.
//!
//! Code 0 is 0; code 255 − j is max · 2^(−e(j)/32), in four stretches of 64 levels: each is twice as
//! long as the one above it, in octaves, and half as fine.
//!
//! ```text
//! j          levels an octave   octaves below max   off by a factor of at most
//!   0 …  64        32                 0 …  2             2^(1/32)  = 1.022
//!  64 … 128        16                 2 …  6             2^(1/16)  = 1.044
//! 128 … 192         8                 6 … 14             2^(1/8)   = 1.091
//! 192 … 254         4                14 … 29.5           2^(1/4)   = 1.19
//! ```
//!
//! (Rounding is off by half a level, a factor of 2^(1/64) at the top; the sum, which reading divides
//! by, by as much at most.) So an entry's error shrinks with its weight in all sums that a step
//! takes: entries below a 4th of the largest, a 64th, a 16,384th may be off by twice, four, eight
//! times as much. Equal levels over the same range would be off by 1.04 everywhere.
//!
//! The 16 entries with the largest codes, the first of equal ones, are refined by four bits more, which
//! stand behind the codes: a 16th of a level, so that these, mostly nearly all of a belief, are off by a
//! factor of 2^(1/1024) = 1.0007 at the top. It is eight bytes, and ten times fewer choices that differ
//! from the exact ones (`tests/accuracy.rs`).

use super::normalise;
use crate::record::Number;

pub(super) const BYTES: usize = 1;

/// How many entries are refined.
const REFINED: usize = 16;

/// Refined values of a level.
const PARTS: usize = 16;

/// Bytes behind the codes of `n` entries.
#[inline]
pub(super) fn refinement_bytes(n: usize) -> usize {
    n.min(REFINED).div_ceil(2)
}

/// The least fraction of the largest that is not coded 0: half an octave below the last level.
pub(super) const FLOOR: f64 = 9.313_225_746_154_785e-10; // 2^-30

/// 2^(-1/32).
const STEP: f64 = 0.978_572_062_087_700_1;

/// 1/32 octaves from the largest down to level j.
const fn depth(j: usize) -> usize {
    let stretch = if j < 192 { j / 64 } else { 3 };
    // Σ 64·2^i over the stretches above is 64·(2^stretch − 1).
    64 * ((1 << stretch) - 1) + (j - 64 * stretch) * (1 << stretch)
}

/// 2^(-n/64).
const fn power(n: usize) -> f64 {
    let mut x = if n % 2 == 1 { 0.989_228_013_193_975_5 } else { 1.0 };
    let mut i = 0;
    while i < n / 2 {
        x *= STEP;
        i += 1;
    }
    x
}

/// 2^(-n/1024).
const fn fine_power(n: i32) -> f64 {
    const STEP: f64 = 0.999_323_327_502_650_8;
    let mut x = 1.0;
    let mut i = 0;
    while i < n.unsigned_abs() {
        x *= STEP;
        i += 1;
    }
    if n < 0 { 1.0 / x } else { x }
}

/// What the parts of a level stand for, of the level, by stretch.
const PART_WEIGHTS: [[f64; PARTS]; 4] = {
    let mut weights = [[0.0; PARTS]; 4];
    let mut at = 0;
    while at < 4 * PARTS {
        let (stretch, part) = (at / PARTS, at % PARTS);
        weights[stretch][part] = fine_power((2 * part as i32 - 15) << stretch);
        at += 1;
    }
    weights
};

/// Below which fraction of the level the next part begins, by stretch.
const PART_BOUNDS: [[f32; PARTS - 1]; 4] = {
    let mut bounds = [[0.0; PARTS - 1]; 4];
    let mut at = 0;
    while at < 4 * (PARTS - 1) {
        let (stretch, part) = (at / (PARTS - 1), at % (PARTS - 1));
        bounds[stretch][part] = fine_power((2 * part as i32 - 14) << stretch) as f32;
        at += 1;
    }
    bounds
};

/// The stretch that a code other than 0 is in.
#[inline]
fn stretch(code: u8) -> usize {
    usize::from(255 - code) / 64
}

/// What each code stands for, of the largest.
const WEIGHTS: [f64; 256] = {
    let mut weights = [0.0; 256];
    let mut j = 0;
    while j < 255 {
        weights[255 - j] = power(2 * depth(j));
        j += 1;
    }
    weights
};

/// From which fraction of the largest on the code above is the nearer one.
const BOUNDS: [f32; 256] = {
    let mut bounds = [f32::INFINITY; 256];
    bounds[0] = FLOOR as f32;
    let mut j = 0;
    while j < 254 {
        bounds[254 - j] = power(depth(j) + depth(j + 1)) as f32;
        j += 1;
    }
    bounds
};

/// Bits of a fraction below the six of the mantissa that [`FIRST`] is looked up by: such an interval
/// is shorter than any level.
const REST: u32 = 17;

/// The interval of the least fraction that is coded.
const LEAST: u32 = (FLOOR as f32).to_bits() >> REST;

const INTERVALS: usize = ((1.0_f32.to_bits() >> REST) - LEAST + 1) as usize;

/// The code of the least number of each interval; at most one bound lies within it.
const FIRST: [u8; INTERVALS] = {
    let mut first = [0; INTERVALS];
    let mut code = 0;
    let mut i = 0;
    while i < INTERVALS {
        let least = f32::from_bits((LEAST + i as u32) << REST);
        while least >= BOUNDS[code] {
            code += 1;
        }
        first[i] = code as u8;
        i += 1;
    }
    first
};

/// The code of a fraction in 0 ..= 1.
#[inline]
fn encode(fraction: f32) -> u8 {
    let interval = fraction.to_bits() >> REST;
    if interval < LEAST {
        return 0;
    }
    let first = FIRST[((interval - LEAST) as usize).min(INTERVALS - 1)];
    first + u8::from(fraction >= BOUNDS[usize::from(first)])
}

/// The entries that are refined, of these codes: all above the first number, and of those that equal it
/// the first so many.
fn refined(codes: &[u8]) -> (u8, usize) {
    if codes.len() <= REFINED {
        return (0, REFINED);
    }
    let mut counts = [0_u32; 256];
    codes.iter().for_each(|&code| counts[usize::from(code)] += 1);
    let mut left = REFINED;
    for code in (1..=255_u8).rev() {
        let count = counts[usize::from(code)] as usize;
        if count >= left {
            return (code, left);
        }
        left -= count;
    }
    (0, left)
}

/// The places of the entries that are refined, in order.
fn refined_places(codes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let (least, mut of_least) = refined(codes);
    let places = codes.iter().enumerate().filter(move |&(_, &code)| {
        let goes = code > least || (code == least && of_least > 0);
        of_least -= usize::from(code == least && goes);
        goes
    });
    places.map(|(place, _)| place)
}

/// Writes codes into the first byte an entry, refinements behind them.
pub(super) fn write<T: Number>(values: &[T], part: &mut [u8]) {
    let (codes, fine) = part.split_at_mut(values.len());
    let max = values.iter().fold(0.0, |max, value| value.to_f64().max(max));
    let scale = if max > 0.0 { 1.0 / max } else { 0.0 };
    for (&value, code) in values.iter().zip(codes.iter_mut()) {
        *code = encode((value.to_f64() * scale) as f32);
    }
    fine.fill(0);
    for (n, place) in refined_places(codes).enumerate() {
        let code = codes[place];
        if code > 0 {
            let of_level = values[place].to_f64() * scale / WEIGHTS[usize::from(code)];
            let bounds = &PART_BOUNDS[stretch(code)];
            let part = bounds.iter().filter(|&&bound| of_level as f32 <= bound).count();
            fine[n / 2] |= (part as u8) << (4 * (n % 2));
        }
    }
}

/// Reads as many values as there is room for.
pub(super) fn read<T: Number>(part: &[u8], values: &mut [T]) {
    let (codes, fine) = part.split_at(values.len());
    for (&code, value) in codes.iter().zip(values.iter_mut()) {
        *value = T::from_f64(WEIGHTS[usize::from(code)]);
    }
    for (n, place) in refined_places(codes).enumerate() {
        let code = codes[place];
        if code > 0 {
            let part = fine[n / 2] >> (4 * (n % 2)) & 15;
            let weight =
                WEIGHTS[usize::from(code)] * PART_WEIGHTS[stretch(code)][usize::from(part)];
            values[place] = T::from_f64(weight);
        }
    }
    let sum = values.iter().map(|value| value.to_f64()).sum();
    normalise(values, sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_gets_the_nearest_level() {
        let mut fraction = 1.0_f64;
        while fraction > 1.5 * FLOOR {
            let x = fraction as f32;
            let nearest = (1..=255_u8).min_by(|&a, &b| {
                let off = |code: u8| (WEIGHTS[usize::from(code)] / f64::from(x)).ln().abs();
                off(a).total_cmp(&off(b))
            });
            let got = encode(x);
            let off = |code: u8| (WEIGHTS[usize::from(code)] / f64::from(x)).ln().abs();
            // At a bound either is as near.
            assert!(off(got) <= off(nearest.unwrap_or(0)) + 1e-6, "{x}: {got}, {nearest:?}");
            fraction *= 0.9993;
        }
        assert_eq!([encode(0.0), encode(1.0), encode(0.99 * FLOOR as f32)], [0, 255, 0]);
    }

    #[test]
    fn the_largest_entries_are_refined_and_the_first_of_equals() {
        assert_eq!(refined_places(&[3, 9, 0]).collect::<Vec<_>>(), [0, 1, 2]);
        let mut codes = [7; 40];
        codes[20..30].fill(200);
        codes[35] = 0;
        let expected: Vec<usize> = (0..6).chain(20..30).collect();
        assert_eq!(refined_places(&codes).collect::<Vec<_>>(), expected);
        for (stretch, parts) in PART_WEIGHTS.iter().enumerate() {
            // A level is as wide as its parts together, in 1/1024 octaves.
            let wide = (parts[0] / parts[15]).log2() * 1024.0 / 15.0;
            assert!((wide - f64::from(2 << stretch)).abs() < 1e-9, "{stretch}: {wide}");
            for (bound, pair) in PART_BOUNDS[stretch].iter().zip(parts.windows(2)) {
                assert!(pair[0] > f64::from(*bound) && f64::from(*bound) > pair[1]);
            }
        }
    }

    #[test]
    fn levels_are_those_of_the_table() {
        assert_eq!([0, 64, 128, 192, 254].map(depth), [0, 64, 192, 448, 944]);
        assert_eq!(WEIGHTS[255], 1.0);
        assert!((WEIGHTS[255 - 64] - 0.25).abs() < 1e-14);
        assert!((WEIGHTS[1].log2() + 29.5).abs() < 1e-12);
    }
}
