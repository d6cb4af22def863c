//! How small a budget may be.

/// The least budget that is accepted, of those up to `most`, which is.
pub(crate) fn least_budget(most: u64, accepts: impl Fn(u64) -> bool) -> u64 {
    let (mut refused, mut accepted) = (0, most);
    while refused + 1 < accepted {
        let budget = refused.midpoint(accepted);
        if accepts(budget) { accepted = budget } else { refused = budget }
    }
    accepted
}
