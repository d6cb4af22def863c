//! Bayesian model reduction: would the model be better without some of it?
//!
//! Dirichlet counts p that experience turned into q would have become s = q + r − p from a reduced
//! prior r. With B the multivariate beta function, Π Γ(αᵢ) / Γ(Σ αᵢ),
//!
//! ```text
//! F = ln B(q) + ln B(r) − ln B(p) − ln B(s)
//! ```
//!
//! is how much larger the free energy of the reduced model is: below 0 the evidence, exp(−F) times that
//! of the full model, speaks for it. What then has no use is taken out by [`prune_a`], [`prune_b`] and
//! [`prune_d`], which normalise what is left.
//!
//! Source: pymdp 0.0.7.1's `dirichlet_log_evidence`, `_prune_A`, `_prune_B` and `_prune_prior` are the same.

use crate::model::tensor::tuple;
use crate::{Error, Precision, Reals, Result, Tensor};

/// A Dirichlet distribution under a reduced prior.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduction {
    /// F, the free energy of the reduced model less that of the full one, in nats.
    pub free_energy: f64,
    /// s, the counts of the reduced model's posterior.
    pub posterior: Vec<f64>,
}

/// Weighs a reduced prior: `posterior` and `prior` are the full model's counts, `reduced` is the prior
/// counts of the reduced model, all of one column.
///
/// An entry that is 0 in all three is no part of the distribution.
///
/// ```
/// use populace_agent::reduction::log_evidence;
///
/// // Two outcomes, eight observations of the first: a prior that expects it more was better.
/// let reduction = log_evidence(&[9.0, 1.0], &[1.0, 1.0], &[2.0, 1.0])?;
/// assert_eq!(reduction.posterior, [10.0, 1.0]);
/// assert!(reduction.free_energy < 0.0);
/// # Ok::<(), populace_agent::Error>(())
/// ```
///
/// # Errors
///
/// The lists are not of one length, or a count, given or of the reduced posterior, is not a finite number
/// above 0.
pub fn log_evidence(posterior: &[f64], prior: &[f64], reduced: &[f64]) -> Result<Reduction> {
    let n = posterior.len();
    for (name, counts) in [("prior", prior), ("reduced", reduced)] {
        if counts.len() != n {
            return Err(Error::invalid(format!(
                "{name}: has {} counts, but the posterior has {n}",
                counts.len()
            )));
        }
    }
    let counts: Vec<f64> = (0..n).map(|i| posterior[i] + reduced[i] - prior[i]).collect();
    let there = |&i: &usize| posterior[i] != 0.0 || prior[i] != 0.0 || reduced[i] != 0.0;
    let there: Vec<usize> = (0..n).filter(there).collect();
    let ln_beta = |name: &str, counts: &[f64]| -> Result<f64> {
        let (mut sum, mut total) = (0.0, 0.0);
        for &i in &there {
            let count = counts[i];
            if !(count.is_finite() && count > 0.0) {
                return Err(Error::invalid(format!(
                    "{name}: [{i}] is {count}, not a finite number above 0"
                )));
            }
            sum += ln_gamma(count);
            total += count;
        }
        Ok(if there.is_empty() { 0.0 } else { sum - ln_gamma(total) })
    };
    let free_energy = ln_beta("posterior", posterior)? + ln_beta("reduced", reduced)?
        - ln_beta("prior", prior)?
        - ln_beta("posterior + reduced - prior", &counts)?;
    Ok(Reduction { free_energy, posterior: counts })
}

/// A without the listed outcomes, and without the listed states of every factor it depends on (a list
/// an axis); columns are normalised again.
///
/// ```
/// use populace_agent::Tensor;
/// use populace_agent::reduction::prune_a;
///
/// let a = Tensor::dense([3, 2], vec![0.5, 0.0, 0.25, 0.2, 0.25, 0.8])?;
/// let pruned = prune_a(&a, &[1], &[&[0]])?;
/// assert_eq!(pruned, Tensor::dense([2, 1], vec![0.0, 1.0])?);
/// # Ok::<(), populace_agent::Error>(())
/// ```
///
/// # Errors
///
/// A list names what is not there, or leaves nothing of an axis or of a column.
pub fn prune_a(a: &Tensor, outcomes: &[usize], states: &[&[usize]]) -> Result<Tensor> {
    without(a, &[&[outcomes], states].concat()).map_err(|error| error.within("A"))
}

/// B of a factor that depends on itself alone, (S, S, U), without the listed states and actions; columns
/// are normalised again.
///
/// # Errors
///
/// As for [`prune_a`].
pub fn prune_b(b: &Tensor, states: &[usize], actions: &[usize]) -> Result<Tensor> {
    without(b, &[states, states, actions]).map_err(|error| error.within("B"))
}

/// D, or another vector of probabilities, without the listed states, normalised again.
///
/// # Errors
///
/// As for [`prune_a`].
pub fn prune_d(d: &Tensor, states: &[usize]) -> Result<Tensor> {
    without(d, &[states]).map_err(|error| error.within("D"))
}

/// The tensor without the listed indices of every axis, its columns normalised, in its own form.
fn without(tensor: &Tensor, removed: &[&[usize]]) -> Result<Tensor> {
    let shape = tensor.shape();
    if shape.len() != removed.len() {
        return Err(Error::invalid(format!(
            "shape {} has {} axes, but there are lists for {}",
            tuple(shape),
            shape.len(),
            removed.len()
        )));
    }
    let mut kept: Vec<Vec<usize>> = Vec::new();
    for (axis, (&length, removed)) in shape.iter().zip(removed).enumerate() {
        if let Some(index) = removed.iter().find(|&&index| index >= length) {
            return Err(Error::invalid(format!(
                "axis {axis} has {length} entries, but {index} is to be removed"
            )));
        }
        let left: Vec<usize> = (0..length).filter(|index| !removed.contains(index)).collect();
        if left.is_empty() {
            return Err(Error::invalid(format!("nothing is left of axis {axis}")));
        }
        kept.push(left);
    }
    // Where a kept row stands among the kept ones.
    let mut place = vec![None; tensor.rows()];
    for (row, &old) in kept[0].iter().enumerate() {
        place[old] = Some(row as u32);
    }
    let columns: usize = kept[1..].iter().map(Vec::len).product();
    let (mut indptr, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
    for column in 0..columns {
        let old = old_column(shape, &kept, column);
        let entries: Vec<(u32, f64)> =
            tensor.column(old).filter_map(|(row, p)| Some((place[row]?, p))).collect();
        let sum: f64 = entries.iter().map(|(_, p)| p).sum();
        if sum.is_nan() || sum <= 0.0 {
            return Err(Error::invalid(format!(
                "nothing is left of column {}",
                tuple(&tensor.column_index(old))
            )));
        }
        for (row, p) in entries {
            indices.push(row);
            values.push(p / sum);
        }
        indptr.push(indices.len() as u64);
    }
    let values = match tensor.precision() {
        Precision::F32 => Reals::F32(values.into_iter().map(|p| p as f32).collect()),
        Precision::F64 => Reals::F64(values),
    };
    let shape: Vec<usize> = kept.iter().map(Vec::len).collect();
    let pruned = Tensor::sparse(shape, indptr, indices, values)?;
    Ok(if tensor.is_sparse() { pruned } else { pruned.to_dense() })
}

/// Which column of the whole a column of what is kept was.
fn old_column(shape: &[usize], kept: &[Vec<usize>], mut column: usize) -> usize {
    let (mut old, mut stride) = (0, 1);
    for (length, kept) in shape.iter().zip(kept).skip(1).rev() {
        old += kept[column % kept.len()] * stride;
        column /= kept.len();
        stride *= length;
    }
    old
}

/// From here on Stirling's series is good to rounding.
const LARGE: f64 = 12.0;

/// B_2k / (2k·(2k − 1)) for k = 1 …
const SERIES: [f64; 7] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360_360.0,
    1.0 / 156.0,
];

/// ln Γ(x) for x > 0, within about 1e-15 of max(1, |ln Γ|).
///
/// x ≥ 12: (x − ½)·ln x − x + ½·ln 2π + Σ_k B_2k / (2k·(2k − 1)·x^{2k − 1}); below by
/// Γ(x) = Γ(x + 1) / x.
fn ln_gamma(x: f64) -> f64 {
    let (mut large, mut product) = (x, 1.0);
    while large < LARGE {
        product *= large;
        large += 1.0;
    }
    let inverse = large.recip();
    let square = inverse * inverse;
    let series = SERIES.iter().rev().fold(0.0, |series, &term| series * square + term) * inverse;
    let half_ln_2_pi = 0.5 * std::f64::consts::TAU.ln();
    (large - 0.5) * large.ln() - large + half_ln_2_pi + series - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_gamma_is_that_of_the_tables() {
        let half_ln_pi = 0.5 * std::f64::consts::PI.ln();
        for (x, want) in [
            (0.5, half_ln_pi),
            (1.0, 0.0),
            (2.0, 0.0),
            (10.0, 362_880_f64.ln()),
            (20.0, 1.216_451_004_088_32e17_f64.ln()),
            (1e-16, 36.841_361_487_904_73),
            (1e6, 12_815_504.569_147_611),
        ] {
            let got = ln_gamma(x);
            assert!((got - want).abs() <= 4e-15 * want.abs().max(1.0), "{x}: {got:e}");
        }
    }
}
