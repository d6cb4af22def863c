//! Half precision: f16(q · 2^15), eleven significant bits from q = 2^-29 on, fewer down to 2^-40.

use half::f16;

use super::normalise;
use crate::record::Number;

pub(super) const BYTES: usize = 2;

/// The largest probability, 1, becomes 2^15: the largest power of two of an f16.
const SCALE: f32 = 32_768.0;

/// Half of the least number, 2^-24, unscaled: a tie, which rounds to the even 0.
pub(super) const FLOOR: f64 = 9.094_947_017_729_282e-13; // 2^-40

pub(super) fn write<T: Number>(values: &[T], part: &mut [u8]) {
    for (&value, code) in values.iter().zip(part.chunks_exact_mut(BYTES)) {
        let scaled = f16::from_f32(value.to_f64() as f32 * SCALE);
        code.copy_from_slice(&scaled.to_ne_bytes());
    }
}

pub(super) fn read<T: Number>(part: &[u8], values: &mut [T]) {
    let mut sum = 0.0;
    for (code, value) in part.chunks_exact(BYTES).zip(values.iter_mut()) {
        let x = f64::from(f16::from_ne_bytes([code[0], code[1]]).to_f32());
        sum += x;
        *value = T::from_f64(x);
    }
    normalise(values, sum);
}
