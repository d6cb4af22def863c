//! What is to be learnt: the parameter information gain of Dirichlet counts.
//!
//! A count α > 0 of a column with S = Σ max(α, ε) is worth, with a = max(α, ε),
//!
//! ```text
//! w = −[ln S − ln a + ψ(a + 1) − ψ(S + 1)] = φ(S) − φ(a),   φ(x) = ψ(x + 1) − ln x
//! ```
//!
//! and 0 where α = 0; in pymdp-0, w = 1/Σ(α + 1e-16) − 1/(α + 1e-16). A step gains −Σ_m q_o·(w(pA_m) q) − Σ_f q'_f·(w(pB_f, u) q).

use crate::{Dialect, EPSILON, Tensor};

/// ε of the `pymdp-0` dialect.
pub(crate) const EPSILON_0: f64 = 1e-16;

/// w of every count, row-major as the counts.
///
/// Agents that learn have counts, and so weights, of their own: `step/novelty.rs`.
pub(crate) fn novelty_weights(counts: &Tensor, dialect: Dialect) -> Vec<f64> {
    let (rows, columns) = (counts.rows(), counts.columns());
    let counts = counts.to_f64();
    let mut weights = vec![0.0; counts.len()];
    for column in 0..columns {
        let entries = || (0..rows).map(|row| row * columns + column);
        let (lifted, worth): (fn(f64) -> f64, fn(f64) -> f64) = match dialect {
            Dialect::Pymdp1 => (|count| count.max(EPSILON), psi_over_ln),
            Dialect::Pymdp0 => (|count| count + EPSILON_0, f64::recip),
        };
        let total = worth(entries().map(|entry| lifted(counts[entry])).sum());
        for entry in entries().filter(|&entry| counts[entry] > 0.0) {
            weights[entry] = total - worth(lifted(counts[entry]));
        }
    }
    weights
}

/// From here on the asymptotic series is good to rounding.
pub(crate) const LARGE: f64 = 12.0;

/// B_2k / 2k for k = 1 …
pub(crate) const SERIES: [f64; 7] = [
    1.0 / 12.0,
    -1.0 / 120.0,
    1.0 / 252.0,
    -1.0 / 240.0,
    1.0 / 132.0,
    -691.0 / 32_760.0,
    1.0 / 12.0,
];

/// φ(x) = ψ(x + 1) − ln x for x > 0, within 1e-14 of max(1, φ) below 12 and 1e-15 relative above,
/// where ψ and ln would cancel.
///
/// x ≥ 12: 1/2x − Σ_k B_2k / (2k·x^2k); below by ψ(x + 1) = ψ(x + 2) − 1/(x + 1).
fn psi_over_ln(x: f64) -> f64 {
    let (mut large, mut sum) = (x, 0.0);
    while large < LARGE {
        large += 1.0;
        sum += 1.0 / large;
    }
    let square = 1.0 / (large * large);
    let series = SERIES.iter().rev().fold(0.0, |series, &term| (series + term) * square);
    (large / x).ln() + 0.5 / large - series - sum
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn psi_is_that_of_the_tables() {
        // ψ(2), ψ(3/2) + ln 2, ψ(11) − ln 10, ψ(1 + ε) − ln ε, and the series' first terms.
        for (x, want) in [
            (1.0, 0.422_784_335_098_467_1),
            (0.5, 0.729_637_154_538_521_8),
            (10.0, 0.049_167_496_072_675_42),
            (EPSILON, 35.466_437_724_215_62),
            (1e6, 4.999_999_166_666_667e-7),
        ] {
            let got = psi_over_ln(x);
            assert!((got - want).abs() <= 1e-14 * want.abs().max(x.recip().min(1.0)), "{x}: {got}");
        }
    }

    #[test]
    fn what_cannot_be_and_what_is_certain_are_worth_nothing() {
        let counts = Tensor::dense([2, 2], vec![3.0, 1.0, 0.0, 1.0]).unwrap();
        let weights = novelty_weights(&counts, Dialect::Pymdp1);
        assert!(weights[0].abs() < 1e-15);
        assert_eq!(weights[2], 0.0);
        // ψ(3) − ln 2 − ψ(2) = 1/2 − ln 2, of both equal counts.
        assert!((weights[1] - (0.5 - 2_f64.ln())).abs() < 1e-15);
        assert_eq!(weights[1], weights[3]);
    }
}
