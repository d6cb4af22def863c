//! Randomness from a counter: no state, any order.
//!
//! A stream belongs to one purpose at one tick of a run; its key is a hash of the three. Its numbers
//! are the SplitMix64 sequence (Steele, Lea & Flood, 2014) from that key on, and every agent has its
//! own places in it: so a number depends on (seed, agent, tick) alone.

/// What numbers are drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Choosing actions.
    Act = 1,
    /// Moving true states, and drawing the first ones.
    Move = 2,
    /// Drawing observations.
    Observe = 3,
    /// Deciding who passes on from one stage of life to another.
    Live = 4,
}

/// SplitMix64's increment: 2^64 over the golden ratio, made odd.
pub(crate) const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64's output function (David Stafford's thirteenth variant).
#[inline(always)]
pub const fn mix(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The random numbers of one purpose at one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream(u64);

impl Stream {
    /// The stream of a purpose at a tick of a run.
    pub const fn new(seed: u64, tick: u64, purpose: Purpose) -> Self {
        let run = mix(seed.wrapping_add(GAMMA));
        let when = mix(tick.wrapping_mul(GAMMA).wrapping_add(purpose as u64));
        Self(mix(run ^ when))
    }

    /// The number at a place, uniform in [0, 1): a multiple of 2^-53.
    ///
    /// ```
    /// use populace_agent::random::{Purpose, Stream};
    ///
    /// let stream = Stream::new(1, 7, Purpose::Act);
    /// assert_eq!(stream.uniform(41), Stream::new(1, 7, Purpose::Act).uniform(41));
    /// assert_ne!(stream.uniform(41), Stream::new(1, 8, Purpose::Act).uniform(41));
    /// assert!((0.0..1.0).contains(&stream.uniform(41)));
    /// ```
    #[inline(always)]
    pub const fn uniform(self, place: u64) -> f64 {
        let bits = mix(self.0.wrapping_add(GAMMA.wrapping_mul(place.wrapping_add(1))));
        (bits >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}
