//! pymdp-0: what a belief over all factors is worth (see the compiled tables for the equations).

use populace_tensor::lanes::{LANES, Lane, contract, contract_lanes};
use populace_tensor::simd::{Real, Simd, Vector};

use super::kernels::splat;
use crate::compiled::joint::{JointOutcome, negligible};
use crate::compiled::learning::Learning;

/// ε of `pymdp-0`: ln x means ln(x + 1e-16).
pub(super) const ADDED: f64 = 1e-16;

/// ln(x + 1e-16).
#[inline(always)]
pub(super) fn ln<T: Real, S: Simd>(x: Vector<T, S>) -> Vector<T, S> {
    (x + splat(x.simd(), ADDED)).ln()
}

/// The worth of the joint belief `q` at a planned step. `learnt` are the block's own tables; `room`
/// holds q̃ and the contractions.
#[inline(always)]
pub(super) fn worth<T: Real, S: Simd>(
    simd: S,
    outcome: &JointOutcome<T>,
    learnt: &[Lane<T>],
    time: usize,
    q: &[Lane<T>],
    room: &mut [Lane<T>],
) -> Vector<T, S> {
    let joint = outcome.joint;
    let (known, room) = room.split_at_mut(joint);
    let least = splat::<T, S>(simd, negligible());
    let zero = splat::<T, S>(simd, 0.0);
    for (q, known) in q.iter().zip(known.iter_mut()) {
        let q = Vector::load(simd, q);
        least.less(q).select(q, zero).store(known);
    }
    let time = time.min(outcome.times - 1);
    let (utility, gain) = room[..1 + outcome.gain].split_at_mut(1);
    let (u, p) = (time * joint..(time + 1) * joint, outcome.times * joint..outcome.size());
    if outcome.learnt {
        contract_lanes(simd, &learnt[u], q, utility);
        contract_lanes(simd, &learnt[p], known, gain);
    } else {
        contract(simd, &outcome.tables[u], q, utility);
        contract(simd, &outcome.tables[p], known, gain);
    }
    let mut value = Vector::load(simd, &utility[0]);
    if let Some((clear, seen)) = gain.split_first() {
        value = value + Vector::load(simd, clear);
        for q_o in seen {
            let q_o = Vector::load(simd, q_o);
            value = value - q_o * ln(q_o);
        }
    }
    value
}

/// The tables of every lane, from its own A.
#[inline(always)]
pub(super) fn own_tables<T: Real, S: Simd>(
    simd: S,
    outcome: &JointOutcome<T>,
    learning: &Learning<T>,
    expected: &[Lane<T>],
    out: &mut [Lane<T>],
) {
    let joint = outcome.joint;
    out.fill(Lane([T::ZERO; LANES]));
    let width: usize = outcome.outcomes.iter().sum();
    for (utility, ln_c) in out.chunks_exact_mut(joint).zip(outcome.ln_c.chunks_exact(width)) {
        // pA's blocks are the outcomes of all modalities, one after another, as ln C has them.
        let first = learning.a[0].first;
        for (a, &ln_c) in expected[first..].chunks_exact(joint).zip(ln_c) {
            let ln_c = Vector::splat(simd, ln_c);
            for (a, utility) in a.iter().zip(utility.iter_mut()) {
                ln_c.mul_add(Vector::load(simd, a), Vector::load(simd, utility)).store(utility);
            }
        }
    }
    if outcome.gain == 0 {
        return;
    }
    let (clear, p) = out[outcome.times * joint..].split_at_mut(joint);
    let least = splat::<T, S>(simd, negligible());
    for (place, p) in p.chunks_exact_mut(joint).enumerate() {
        p.fill(Lane([T::ONE; LANES]));
        let mut rest = place;
        for (counts, &outcomes) in learning.a.iter().zip(&outcome.outcomes).rev() {
            let a = &expected[counts.first + rest % outcomes * joint..][..joint];
            rest /= outcomes;
            for (p, a) in p.iter_mut().zip(a) {
                (Vector::load(simd, p) * Vector::load(simd, a)).store(p);
            }
        }
        for (p, clear) in p.iter().zip(clear.iter_mut()) {
            let p = Vector::load(simd, p);
            p.mul_add((p + least).ln(), Vector::load(simd, clear)).store(clear);
        }
    }
}
