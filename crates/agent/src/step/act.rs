//! Which action: from a whole policy or from each factor's marginal, the best or drawn.

use populace_tensor::lanes::{LANES, Lane};
use populace_tensor::simd::{Kernel, Real, Simd, Vector};

use super::door::{Number, Stage};
use super::following::proceed;
use super::joint::ln;
use super::kernels::{softmax, splat};
use super::scratch::Scratch;
use crate::{ActionSelection, CompiledModel, Dialect, EPSILON, SamplingMode};

impl<T: Number> CompiledModel<T> {
    /// Chooses the actions of a block from its posterior over policies (pymdp's `sample_action`).
    ///
    /// Drawn actions come by the inverse of the cumulated probabilities softmax(alpha·ln p), from
    /// the numbers of [`Scratch::draw`]: one a factor (sampling mode "marginal"), or the first
    /// factor's for the policy ("full"). Ties of the best take the lowest index.
    pub fn sample_action(&self, scratch: &mut Scratch<T>) {
        T::run(Stage::SampleAction, self, scratch);
    }

    /// Whether actions are drawn, so that [`Scratch::draw`] is needed.
    pub fn draws_actions(&self) -> bool {
        self.action_selection == ActionSelection::Stochastic
    }
}

pub(super) struct SampleAction<'a, T: Real> {
    pub(super) model: &'a CompiledModel<T>,
    pub(super) scratch: &'a mut Scratch<T>,
}

impl<T: Real> Kernel for SampleAction<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { model, scratch } = self;
        let factors = model.states.len();
        match model.sampling_mode {
            SamplingMode::Full => {
                let weights = &mut scratch.choice[..scratch.q_pi.len()];
                let kind = if model.plan.choice.is_empty() {
                    weights.copy_from_slice(&scratch.q_pi);
                    Weights::Probabilities
                } else {
                    for (weight, &row) in weights.iter_mut().zip(model.plan.choice.iter()) {
                        *weight = scratch.rows[row as usize];
                    }
                    Weights::Logarithms
                };
                let policy = choose(simd, model, kind, weights, &scratch.draws[0]);
                for (f, chosen) in scratch.chosen.iter_mut().enumerate() {
                    let first = |lane: usize| model.plan.first_actions[policy[lane] * factors + f];
                    *chosen = std::array::from_fn(first);
                }
                if let Some(following) = &model.following {
                    proceed(following, &policy, scratch);
                }
            }
            SamplingMode::Marginal => {
                for f in 0..factors {
                    if model.actions[f] == 1 {
                        scratch.chosen[f] = [0; LANES];
                        continue;
                    }
                    let weights = &mut scratch.choice[..model.actions[f]];
                    weights.fill(Lane([T::ZERO; LANES]));
                    for (policy, q) in scratch.q_pi.iter().enumerate() {
                        let weight =
                            &mut weights[model.plan.first_actions[policy * factors + f] as usize];
                        (Vector::load(simd, weight) + Vector::load(simd, q)).store(weight);
                    }
                    let kind = Weights::Probabilities;
                    let action = choose(simd, model, kind, weights, &scratch.draws[f]);
                    scratch.chosen[f] = action.map(|action| action as u32);
                }
            }
        }
    }
}

/// What weights are.
#[derive(Clone, Copy)]
enum Weights {
    Probabilities,
    /// Logarithms that have alpha in them.
    Logarithms,
}

#[inline(always)]
fn choose<T: Real, S: Simd>(
    simd: S,
    model: &CompiledModel<T>,
    kind: Weights,
    weights: &mut [Lane<T>],
    draws: &[f64; LANES],
) -> [usize; LANES] {
    match model.action_selection {
        ActionSelection::Deterministic => best(simd, weights),
        ActionSelection::Stochastic => {
            if let Weights::Probabilities = kind {
                sharpen(simd, model, weights);
            }
            softmax(simd, weights);
            drawn(simd, weights, draws)
        }
    }
}

/// alpha·ln p, in place.
#[inline(always)]
fn sharpen<T: Real, S: Simd>(simd: S, model: &CompiledModel<T>, weights: &mut [Lane<T>]) {
    let alpha = Vector::splat(simd, model.alpha);
    for weight in weights.iter_mut() {
        let p = Vector::load(simd, weight);
        let logarithm = match model.dialect {
            Dialect::Pymdp1 => p.max(splat(simd, EPSILON)).ln(),
            Dialect::Pymdp0 => ln(p),
        };
        (alpha * logarithm).store(weight);
    }
}

/// The index of the largest weight, the lowest of equals.
#[inline(always)]
fn best<T: Real, S: Simd>(simd: S, weights: &[Lane<T>]) -> [usize; LANES] {
    let mut most = Vector::load(simd, &weights[0]);
    let mut index = splat::<T, S>(simd, 0.0);
    for (i, weight) in weights.iter().enumerate().skip(1) {
        let weight = Vector::load(simd, weight);
        let more = most.less(weight);
        most = more.select(weight, most);
        index = more.select(splat(simd, i as f64), index);
    }
    indices(index)
}

/// How many cumulated probabilities are at most the number drawn.
#[inline(always)]
fn drawn<T: Real, S: Simd>(simd: S, weights: &[Lane<T>], draws: &[f64; LANES]) -> [usize; LANES] {
    let mut total = splat::<T, S>(simd, 0.0);
    for weight in weights.iter() {
        total = total + Vector::load(simd, weight);
    }
    // 23 bits: below 1 in f32 also after the product with the total, so the index stays in range.
    let number = |lane: usize| T::from_f64((draws[lane] * 8_388_608.0).floor() / 8_388_608.0);
    let mark = Vector::load(simd, &Lane(std::array::from_fn(number))) * total;
    let (zero, one) = (splat::<T, S>(simd, 0.0), splat::<T, S>(simd, 1.0));
    let (mut cumulated, mut index) = (zero, zero);
    for weight in weights.iter() {
        cumulated = cumulated + Vector::load(simd, weight);
        index = index + mark.less(cumulated).select(zero, one);
    }
    indices(index)
}

#[inline(always)]
fn indices<T: Real, S: Simd>(index: Vector<T, S>) -> [usize; LANES] {
    let mut out = Lane([T::ZERO; LANES]);
    index.store(&mut out);
    out.0.map(|index| index.to_f64() as usize)
}
