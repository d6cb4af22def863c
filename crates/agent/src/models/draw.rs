//! Random numbers of a world, a function of where they are used and of nothing else.
//!
//! ```text
//! draw(seed, stream, index) = mix(mix(seed + γ·(stream + 1)) + γ·(index + 1)),  γ = 0x9E3779B97F4A7C15
//! ```
//!
//! modulo 2^64, where [`mix`] is SplitMix64's output function: its sequence (Steele, Lea and Flood,
//! 2014) once for the stream and once for the place in it. There is no state, so any number can be
//! drawn first. A run's own numbers are keyed otherwise (see `random`), so a run whose seed is the
//! world's does not retrace the world.

use crate::random::{GAMMA, mix};

/// 64 random bits.
pub(super) fn draw(seed: u64, stream: u64, index: u64) -> u64 {
    let key = mix(seed.wrapping_add(GAMMA.wrapping_mul(stream + 1)));
    mix(key.wrapping_add(GAMMA.wrapping_mul(index + 1)))
}

/// A number in 0 ≤ x < 1: the upper 53 bits.
pub(super) fn draw_unit(seed: u64, stream: u64, index: u64) -> f64 {
    (draw(seed, stream, index) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number in 0 … `bound` − 1: the upper half of the 128-bit product with `bound`.
pub(super) fn draw_below(seed: u64, stream: u64, index: u64, bound: u64) -> u64 {
    ((u128::from(draw(seed, stream, index)) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::{GAMMA, mix};

    #[test]
    fn mix_is_splitmix64() {
        // The first outputs of SplitMix64 from seed 1234567, as its reference prints them.
        let outputs = [1, 2, 3].map(|n| mix(1_234_567_u64.wrapping_add(GAMMA.wrapping_mul(n))));
        assert_eq!(
            outputs,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
