//! pymdp-0: what a step of a policy is worth, over the joint states of all factors and the joint
//! outcomes of all modalities, so that redundant modalities count once.
//!
//! With p\[o, s\] = Π_m A_m\[o_m, s\], q the joint belief, q̃ the same without states of q ≤ e⁻¹⁶, and
//! q_o = p q̃:
//!
//! ```text
//! utility     u·q,                          u[s] = Σ_m Σ_o A_m[o, s]·ln(softmax(C_m)[o] + 1e-16)
//! info gain   h·q̃ − Σ_o q_o·ln(q_o + 1e-16), h[s] = Σ_o p[o, s]·ln(p[o, s] + e⁻¹⁶)
//! ```

use populace_pool::SharedResource;
use populace_tensor::Array;
use populace_tensor::simd::Real;

use crate::{Dialect, Error, Model, Result, Tensor};

/// The most numbers that p may have: 1 GiB in f32.
const MOST_NUMBERS: usize = 1 << 28;

/// Below it a state or outcome is negligible: e⁻¹⁶, as the reference has it.
pub(crate) fn negligible() -> f64 {
    (-16.0_f64).exp()
}

/// The tables of a step's worth. Where A is learnt they are every block's own, and empty here.
#[derive(Debug)]
pub(crate) struct JointOutcome<T> {
    /// Joint states.
    pub(crate) joint: usize,
    /// Rows of the utility: one a planned step where preferences are timed, else one.
    pub(crate) times: usize,
    /// Rows of the information gain: h and p, 1 + Π O; 0 where it is not asked for.
    pub(crate) gain: usize,
    /// The outcomes of each modality.
    pub(crate) outcomes: Vec<usize>,
    /// (times + gain, joint): u, h, p.
    pub(crate) tables: Array<T>,
    /// ln C, (times, Σ O); zeros without utility.
    pub(crate) ln_c: Array<T>,
    /// Whether the tables follow from what agents learn.
    pub(crate) learnt: bool,
}

impl<T: Real> JointOutcome<T> {
    /// The tables of a `pymdp-0` model; none of others.
    pub(super) fn compile(model: &Model, memory: &SharedResource) -> Result<Option<Self>> {
        if model.dialect != Dialect::Pymdp0 {
            return Ok(None);
        }
        let agent = &model.arguments;
        let outcomes = model.num_obs();
        let joint = model.a[0].columns();
        let all = outcomes.iter().try_fold(joint, |all, &o| all.checked_mul(o));
        let gain = match all.filter(|&all| all <= MOST_NUMBERS) {
            _ if !agent.use_states_info_gain => 0,
            Some(all) => 1 + all / joint,
            None => {
                return Err(Error::unsupported(format!(
                    "agent.use_states_info_gain: the joint outcomes {outcomes:?} of {joint} joint \
                     states are more than {MOST_NUMBERS} numbers"
                )));
            }
        };
        let timed = model.c.iter().any(|c| c.shape().len() == 2);
        let times = if timed { agent.policy_len + 1 } else { 1 };
        let ln_c = ln_preferences(model, times);
        let mut tables = Vec::new();
        if !agent.learn_a {
            let width: usize = outcomes.iter().sum();
            for row in ln_c.chunks_exact(width) {
                tables.extend(utility(&model.a, row));
            }
            if gain > 0 {
                let p = joint_likelihood(&model.a);
                let clear = |s: usize| p.iter().skip(s).step_by(joint).map(|&p| ambiguity(p)).sum();
                tables.extend((0..joint).map(clear).collect::<Vec<f64>>());
                tables.extend(p);
            }
        }
        let real = |values: Vec<f64>| -> Vec<T> { values.into_iter().map(T::from_f64).collect() };
        Ok(Some(Self {
            joint,
            times,
            gain,
            outcomes,
            tables: Array::copied(memory, &real(tables))?,
            ln_c: Array::copied(memory, &real(ln_c))?,
            learnt: agent.learn_a,
        }))
    }

    /// Numbers of the tables.
    pub(crate) fn size(&self) -> usize {
        (self.times + self.gain) * self.joint
    }
}

/// p·ln(p + e⁻¹⁶).
fn ambiguity(p: f64) -> f64 {
    p * (p + negligible()).ln()
}

/// ln(softmax(C) + 1e-16) of all modalities, a row a time: C is (O,) or (O, T), its last time holds
/// on.
fn ln_preferences(model: &Model, times: usize) -> Vec<f64> {
    let mut rows = Vec::new();
    for time in 0..times {
        for c in &model.c {
            if !model.arguments.use_utility {
                rows.extend(vec![0.0; c.rows()]);
                continue;
            }
            let columns = c.columns();
            let at = |o: usize| c.value(o * columns + time.min(columns - 1));
            let most = (0..c.rows()).map(at).fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = (0..c.rows()).map(|o| (at(o) - most).exp()).collect();
            let sum: f64 = weights.iter().sum();
            rows.extend(weights.iter().map(|weight| model.dialect.ln(weight / sum)));
        }
    }
    rows
}

fn utility(a: &[Tensor], ln_c: &[f64]) -> Vec<f64> {
    let mut utility = vec![0.0; a[0].columns()];
    let mut first = 0;
    for a in a {
        for (s, utility) in utility.iter_mut().enumerate() {
            *utility += a.column(s).map(|(o, p)| p * ln_c[first + o]).sum::<f64>();
        }
        first += a.rows();
    }
    utility
}

/// p, (Π O, joint), the last modality fastest.
fn joint_likelihood(a: &[Tensor]) -> Vec<f64> {
    let joint = a[0].columns();
    let mut p = vec![1.0; joint];
    for a in a {
        let a_dense = a.to_f64();
        let rows = p.chunks_exact(joint).flat_map(|p| {
            a_dense.chunks_exact(joint).flat_map(move |a| p.iter().zip(a).map(|(p, a)| p * a))
        });
        p = rows.collect();
    }
    p
}
