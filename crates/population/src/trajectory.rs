//! The hash of a run: equal exactly where all agents did the same.

use populace_agent::random::mix;

/// What one action adds (mod 2^64) to the trajectory hash: the `action` of `factor` that `agent`
/// chose at `tick`.
///
/// The hash is the sum over all agents, ticks and factors, so it does not depend on their order.
///
/// ```
/// use populace_population::trajectory_term;
///
/// let both = trajectory_term(0, 0, 0, 3).wrapping_add(trajectory_term(1, 0, 0, 4));
/// let swapped = trajectory_term(0, 0, 0, 4).wrapping_add(trajectory_term(1, 0, 0, 3));
/// assert_ne!(both, swapped);
/// ```
#[inline]
pub const fn trajectory_term(agent: u64, tick: u64, factor: u64, action: u64) -> u64 {
    mix(agent
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(tick.wrapping_mul(0xC2B2_AE3D_27D4_EB4F))
        .wrapping_add(factor.wrapping_mul(0x1656_67B1_9E37_79F9))
        .wrapping_add(action))
}
