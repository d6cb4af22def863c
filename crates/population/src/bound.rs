//! The certificate: how far agents' stored beliefs may be from the exact ones.
//!
//! An agent whose beliefs may lose something carries τ ≥ TV(exact, stored), the total-variation
//! distance to what an agent of infinite precision would believe, had it taken the same actions and
//! observed the same. A step carries it on (`populace_agent`'s `step/bound.rs`) and adds what storing
//! lost, which is measured: TV is a metric, so
//!
//! ```text
//! TV(exact, stored) ≤ TV(exact, computed) + TV(computed, stored)
//! ```
//!
//! It is kept in two bytes: bits 14 … 29 of it in single precision, rounded up, which is off by a
//! factor of 1 + 2^-9 at most.

/// Bytes of a bound in a chunk's column.
pub(crate) const BOUND_BYTES: usize = 2;

/// Bits of an `f32` below those kept; those above, sign and exponent's first, are 0 up to 1.
const REST: u32 = 14;

/// The code of the least bound that is kept and is not below this one.
pub(crate) fn encode(bound: f64) -> u32 {
    let bound = bound.clamp(0.0, 1.0);
    let single = bound as f32;
    let above = if f64::from(single) < bound { single.next_up() } else { single };
    above.to_bits().div_ceil(1 << REST)
}

/// The bound of a code.
pub(crate) fn decode(code: u32) -> f64 {
    f32::from_bits(code << REST).into()
}

/// How far the stored beliefs of a population may be from the exact ones: total-variation distances,
/// 0 where nothing is lost.
///
/// Where a step is not exact filtering (several factors, or beliefs from windows) nothing is known of
/// a belief that lost something: its bound is 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    /// The largest bound of an agent.
    pub max: f64,
    /// The mean over agents.
    pub mean: f64,
    /// How many agents are above the tolerance that the settings allow.
    pub above: u64,
}

#[cfg(test)]
mod tests {
    use super::{BOUND_BYTES, decode, encode};

    #[test]
    fn a_bound_is_never_kept_smaller_and_hardly_larger() {
        assert_eq!([encode(0.0), encode(1.0)].map(decode), [0.0, 1.0]);
        let mut bound = 1.0;
        while bound > 1e-30 {
            let code = encode(bound);
            assert!(code < 1 << (8 * BOUND_BYTES));
            let kept = decode(code);
            assert!(kept >= bound && kept <= bound * (1.0 + 1.0 / 511.0), "{bound} {kept}");
            assert_eq!(encode(kept), code);
            bound *= 0.987;
        }
        assert_eq!([encode(7.0), encode(-1.0)].map(decode), [1.0, 0.0]);
    }
}
