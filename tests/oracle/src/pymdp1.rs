//! The dialect `pymdp-1`: inferactively-pymdp 1.0.4.

mod agent;
mod exact_joint;
mod filter;
mod inductive;
mod learning;
mod planning;
mod sequence;
mod sophisticated;

pub(crate) use agent::Agent;

/// The smallest number that a logarithm sees: the distance from 1 to the next f64, in f32 too.
pub(crate) const EPSILON: f64 = f64::EPSILON;

/// ln max(x, ε).
pub(crate) fn ln(x: f64) -> f64 {
    x.max(EPSILON).ln()
}

/// x · ln max(x, ε), 0 at 0.
pub(crate) fn x_ln_x(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x * ln(x) }
}
