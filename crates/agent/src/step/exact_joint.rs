//! The true posterior of several factors: `exact-joint`, Populace's own.
//!
//! ```text
//! q(s) ∝ Π_f max(prior_f[s_f], ε) · Π_m max(A_m[o_m, s], ε)      over the joint states s of all factors
//! q_f[s_f] = Σ of q(s) over the other factors' states
//! ```
//!
//! The prior is a product, as it is in `fpi`: what the posterior knows of the factors together is
//! kept for one step, in which planning and learning take its marginals.

use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Real, Simd, Vector};

use super::kernels::{softmax, splat};
use super::scratch::Scratch;
use crate::CompiledModel;
use crate::compiled::exact_joint::ExactJoint;

/// The posteriors of all factors, in place of their beliefs, from ln max(prior, ε) and the evidence of
/// all groups.
#[inline(always)]
pub(super) fn infer<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    exact: &ExactJoint,
    scratch: &mut Scratch<T>,
) {
    let beliefs = exact.beliefs.chunks_exact(model.states.len());
    let said = exact.evidence.chunks_exact(model.groups.len());
    let joint = &mut scratch.joint[..exact.joint];
    for ((q, beliefs), said) in joint.iter_mut().zip(beliefs.clone()).zip(said) {
        let mut sum = splat::<T, S>(simd, 0.0);
        for &row in beliefs {
            sum = sum + Vector::load(simd, &scratch.constant[row as usize]);
        }
        for &row in said {
            sum = sum + Vector::load(simd, &scratch.evidence[row as usize]);
        }
        sum.store(q);
    }
    softmax(simd, joint);
    let marginals = &mut scratch.rows[..scratch.prior.len()];
    marginals.fill(Lane([T::ZERO; LANES]));
    for (q, beliefs) in joint.iter().zip(beliefs) {
        let q = Vector::load(simd, q);
        for &row in beliefs {
            let marginal = &mut marginals[row as usize];
            (Vector::load(simd, marginal) + q).store(marginal);
        }
    }
}
