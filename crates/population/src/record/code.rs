//! How a probability is coded in a record: the tiers below "exact".
//!
//! ```text
//! code     bytes    stored           read                      an entry is off by a factor of at most
//! exact    4 or 8   q                q                         1
//! f16      2        f16(q · 2^15)    x / Σ x                   1 + 2^-10    from q = 2^-29 on
//! log8     1        level of q/max   w / Σ w, w = 2^(-e/32)    2^(1/32)     within 2 octaves of max
//! ```
//!
//! and log8 has half a byte more for each of the 16 largest, which are then off by a 16th of that.
//! [`log8`] says how its levels widen below. What is smaller than the least number is coded 0:
//! q ≤ 2^-40 in f16, q < max · 2^-30 in log8. Neither needs a scale in the record: probabilities
//! sum to 1, so reading finds it. The scale 2^15 of f16 uses all of its range for numbers up to 1.

mod half;
mod log8;

use super::Number;

/// How the probabilities of a record are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// The numbers that agents compute in.
    Exact,
    /// Half precision, scaled.
    F16,
    /// Eight bits of a logarithm.
    Log8,
}

impl Code {
    /// Bytes of a number of `T`; parts of a record are padded to whole ones.
    pub(crate) fn bytes<T: Number>(self) -> usize {
        match self {
            Self::Exact => size_of::<T>(),
            Self::F16 => half::BYTES,
            Self::Log8 => log8::BYTES,
        }
    }

    /// Bytes of `n` coded numbers of so many bytes each, and of what stands behind them.
    #[inline]
    pub(crate) fn numbers_bytes(self, n: usize, each: usize) -> usize {
        n * each + if self == Self::Log8 { log8::refinement_bytes(n) } else { 0 }
    }

    /// Whether what is read may differ from what was written.
    pub(crate) fn is_lossy(self) -> bool {
        self != Self::Exact
    }

    /// Below which a probability of a belief whose largest is `max` is coded 0.
    pub(crate) fn floor(self, max: f64) -> f64 {
        match self {
            Self::Exact => 0.0,
            Self::F16 => half::FLOOR,
            Self::Log8 => max * log8::FLOOR,
        }
    }

    /// Writes probabilities into exactly their bytes.
    #[inline]
    pub(crate) fn write<T: Number>(self, values: &[T], part: &mut [u8]) {
        match self {
            Self::Exact => bytemuck::cast_slice_mut(part).copy_from_slice(values),
            Self::F16 => half::write(values, part),
            Self::Log8 => log8::write(values, part),
        }
    }

    /// Reads as many probabilities as there is room for.
    #[inline]
    pub(crate) fn read<T: Number>(self, part: &[u8], values: &mut [T]) {
        match self {
            Self::Exact => values.copy_from_slice(bytemuck::cast_slice(part)),
            Self::F16 => half::read(part, values),
            Self::Log8 => log8::read(part, values),
        }
    }
}

/// Scales numbers so that they sum to 1; `sum` is what they sum to.
fn normalise<T: Number>(values: &mut [T], sum: f64) {
    if sum > 0.0 {
        let scale = 1.0 / sum;
        values.iter_mut().for_each(|value| *value = T::from_f64(value.to_f64() * scale));
    }
}
