//! What is Populace's own about counts: forgetting, and zeros that stay.

/// ε of `pymdp-1`: what was more is not forgotten below it.
const EPSILON: f64 = f64::EPSILON;

/// What is left of a count that is kept at `rate`.
pub(crate) fn kept(rate: f64, count: f64) -> f64 {
    if count > EPSILON { (rate * count).max(EPSILON) } else { count }
}

/// fr · count + lr · event; where zeros are kept, nothing comes of nothing.
pub(crate) fn updated(count: f64, forgetting: f64, added: f64, keep_zeros: bool) -> f64 {
    if keep_zeros && count == 0.0 { 0.0 } else { kept(forgetting, count) + added }
}
