//! How far a belief may be from the exact one, carried through a step.
//!
//! What is stored between steps may be less than what was computed (smaller numbers, fewer states),
//! and single precision rounds. With τ ≥ TV(exact, stored) before a step, this gives τ' ≥ TV(exact,
//! computed) after it, for the same action and the same observations. `docs/certificate.md` proves
//! it. In short: moving by B brings beliefs no further apart, nor does clipping to ε. Let w be the
//! clipped prior of what was stored, q its posterior, ℓ = q / w (the likelihood over what the
//! observation's probability was), s* the likeliest state. Then
//!
//! ```text
//! Y  = τ · max ℓ                                   what the exact prior may have elsewhere
//! X  = min(1, Y, Σ over w > ε of min(q, τ · ℓ))    what the stored prior may have too much
//! τ₁ = Y / (1 − X + Y)
//! N  = 1 − q(s*) + τ · max over s ≠ s* of ℓ        what the exact belief may have besides s*
//! τ₂ = N / (N + q(s*) − τ · ℓ(s*)), 1 where that is negative
//! τ' = min(τ₁, τ₂, 1) + rounding
//! ```
//!
//! τ₁ grows with surprise, the factor max ℓ; τ₂ forgets: an observation that leaves little doubt
//! leaves little error, whatever was before.
//!
//! This holds where a step is exact Bayesian filtering: one factor, `pymdp-1`, neither windows nor
//! learning. Elsewhere nothing is known: the bound is 1.

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::kernels::splat;
use super::scratch::Scratch;
use crate::compiled::transition::Transition;
use crate::{CompiledModel, Dialect, EPSILON, Result};

/// The bounds of a block.
#[derive(Debug)]
pub(crate) struct Bounds<T: Real> {
    pub(crate) lanes: [f64; LANES],
    /// What a step's rounding adds, if observations are outcomes and if they are distributions.
    rounding: [f64; 2],
    /// That numbers sum to 1 but for rounding, a factor.
    sum: f64,
    /// Room for the clipped prior of a sparse belief.
    pub(crate) prior: Array<T>,
}

impl<T: Real> Bounds<T> {
    /// Carries the bound of a lane through the step whose posterior spreads errors like that;
    /// `dropped` is what the posterior leaves out.
    pub(super) fn carry(&mut self, lane: usize, spread: Spread, dropped: f64, soft: bool) {
        let bound = spread.carry(self.lanes[lane] * self.sum);
        self.lanes[lane] = (bound + self.rounding[usize::from(soft)] + dropped).min(1.0);
    }
}

/// How a posterior spreads errors.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spread {
    /// q(s*), and ℓ(s*).
    likeliest: f64,
    likeliest_ratio: f64,
    /// max ℓ, and the largest but of s*.
    most: f64,
    most_besides: f64,
    /// X.
    removable: f64,
}

impl Spread {
    /// Takes in an entry of a list: its clipped prior and its posterior; `held` if the stored prior
    /// had more there than ε.
    #[inline(always)]
    pub(super) fn take(&mut self, prior: f64, posterior: f64, held: bool, bound: f64) {
        let ratio = posterior / prior;
        if posterior > self.likeliest {
            // What was the likeliest is among the others now.
            self.most_besides = self.most_besides.max(self.likeliest_ratio);
            (self.likeliest, self.likeliest_ratio) = (posterior, ratio);
        } else {
            self.most_besides = self.most_besides.max(ratio);
        }
        self.most = self.most.max(ratio);
        if held {
            self.removable += posterior.min(bound * ratio);
        }
    }

    /// τ', but for rounding.
    fn carry(self, bound: f64) -> f64 {
        if bound == 0.0 {
            return 0.0;
        }
        let elsewhere = bound * self.most;
        let removed = self.removable.min(elsewhere).min(1.0);
        let grown = elsewhere / (1.0 - removed + elsewhere);
        let besides = (1.0 - self.likeliest).max(0.0) + bound * self.most_besides;
        let left = self.likeliest - bound * self.likeliest_ratio;
        let forgot = if left > 0.0 { besides / (besides + left) } else { 1.0 };
        grown.min(forgot).min(1.0)
    }
}

impl<T: Real> CompiledModel<T> {
    /// Whether a bound on a belief's error can be carried through a step: where a step is exact.
    pub fn bounds_errors(&self) -> bool {
        let filters = self.sequence.is_none() && self.learning.is_none();
        self.states.len() == 1 && self.dialect == Dialect::Pymdp1 && filters
    }

    /// Has a scratch carry bounds from now on ([`Scratch::set_bound`]): by
    /// [`CompiledModel::infer_states`] and [`CompiledModel::infer_sparse`].
    ///
    /// # Errors
    ///
    /// Memory is refused.
    pub fn carry_bounds(&self, scratch: &mut Scratch<T>, memory: &SharedResource) -> Result<()> {
        let sparse = if self.steps_sparse() { self.belief_len() } else { 0 };
        scratch.bounds = Some(Bounds {
            lanes: [0.0; LANES],
            rounding: [false, true].map(|soft| self.rounding(soft)),
            sum: 1.0 + 4.0 * self.belief_len() as f64 * unit::<T>(),
            prior: Array::zeroed(memory, sparse)?,
        });
        Ok(())
    }

    /// What a step's arithmetic adds to the distance, and its exact twin's.
    ///
    /// An entry of the posterior is a sum of so many products, times a weight a modality, which is
    /// scaled; tables are rounded, too. Each rounding is a factor within 1 ± u. A soft observation's
    /// weight is the exponential of a sum of logarithms, each within ±37.
    fn rounding(&self, soft: bool) -> f64 {
        let terms = self.transitions.iter().map(Transition::most_terms).max().unwrap_or(0);
        let weights = if soft { 40 * (self.outcomes.iter().sum::<usize>() + 4) } else { 4 };
        2.0 * (terms + weights * self.evidence.len() + 8) as f64 * unit::<T>()
    }
}

/// The largest relative error of one rounding.
fn unit<T: Real>() -> f64 {
    (if T::SINGLE { f64::from(f32::EPSILON) } else { f64::EPSILON }) / 2.0
}

impl<T: Real> Scratch<T> {
    /// How far a lane's belief may be from the exact one: before a step; [`Scratch::bound`] says it
    /// after the step.
    pub fn set_bound(&mut self, lane: usize, bound: f64) {
        if let Some(bounds) = &mut self.bounds {
            bounds.lanes[lane] = bound;
        }
    }

    /// How far a lane's belief is from the exact one at most; 1, which any is, where that is not
    /// carried.
    pub fn bound(&self, lane: usize) -> f64 {
        self.bounds.as_ref().map_or(1.0, |bounds| bounds.lanes[lane])
    }
}

/// Carries the bounds of a block, whose posterior stands in place of its beliefs.
pub(super) struct CarryBounds<'a, T: Real> {
    pub(super) scratch: &'a mut Scratch<T>,
}

impl<T: Real> Kernel for CarryBounds<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let soft = self.scratch.is_soft();
        let Scratch { bounds: Some(bounds), prior, rows, .. } = self.scratch else { return };
        let zero = splat::<T, S>(simd, 0.0);
        let epsilon = splat::<T, S>(simd, EPSILON);
        let bound = Vector::load(simd, &Lane(bounds.lanes.map(T::from_f64)));
        let (mut likeliest, mut likeliest_ratio) = (zero, zero);
        let (mut most, mut most_besides, mut removable) = (zero, zero, zero);
        for (prior, posterior) in prior.iter().zip(rows.iter()) {
            let (prior, posterior) = (Vector::load(simd, prior), Vector::load(simd, posterior));
            let ratio = posterior / prior.max(epsilon);
            let leads = likeliest.less(posterior);
            // What is not the likeliest any more, or never was, is among the others.
            most_besides = most_besides.max(leads.select(likeliest_ratio, ratio));
            likeliest = leads.select(posterior, likeliest);
            likeliest_ratio = leads.select(ratio, likeliest_ratio);
            most = most.max(ratio);
            let moved = bound * ratio;
            let part = posterior.less(moved).select(posterior, moved);
            removable = removable + epsilon.less(prior).select(part, zero);
        }
        let lanes = |vector: Vector<T, S>| {
            let mut lanes = Lane([T::ZERO; LANES]);
            vector.store(&mut lanes);
            lanes.0.map(T::to_f64)
        };
        let [likeliest, likeliest_ratio] = [likeliest, likeliest_ratio].map(lanes);
        let [most, most_besides, removable] = [most, most_besides, removable].map(lanes);
        for lane in 0..LANES {
            let spread = Spread {
                likeliest: likeliest[lane],
                likeliest_ratio: likeliest_ratio[lane],
                most: most[lane],
                most_besides: most_besides[lane],
                removable: removable[lane],
            };
            bounds.carry(lane, spread, 0.0, soft);
        }
    }
}
