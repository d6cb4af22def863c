//! What every tier promises, against a naive oracle. A new code joins by its line in [`CODES`] and its
//! arm in [`oracle`].

use populace_tensor::lanes::{LANES, Lane};

use super::code::Code;
use super::factor::{DENSE, Factor, Keep};
use super::{Number, distance};

/// Every code: bytes of a number; from which fraction of the largest, and of 1, it holds an entry
/// within a factor.
const CODES: [(Code, Option<usize>, f64, f64, f64); 3] = [
    (Code::Exact, None, 0.0, 0.0, 1.0),
    (Code::F16, Some(2), 0.0, 1.862_645_149_230_957e-9, 1.0 + 1.0 / 1024.0), // 2^-29
    (Code::Log8, Some(1), 0.25, 0.0, 1.021_897_148_654_116_6),               // 2^(1/32)
];

/// What is read of values that were written: the nearest that the code can say, summing to 1.
fn oracle(code: Code, values: &[f64]) -> Vec<f64> {
    let max = values.iter().copied().fold(0.0, f64::max);
    let levels: Vec<f64> = (0..255)
        .map(|j| match j {
            0..64 => j,
            64..128 => 64 + 2 * (j - 64),
            128..192 => 192 + 4 * (j - 128),
            _ => 448 + 8 * (j - 192),
        })
        .map(|depth| -f64::from(depth) / 32.0)
        .collect();
    // Of the nearest level, where it is.
    let level_of = |q: f64| {
        let off = |level: &f64| ((q / max).log2() - level).abs();
        (0..levels.len()).min_by(|&i, &j| off(&levels[i]).total_cmp(&off(&levels[j])))
    };
    let has_level = |q: f64| q >= max * (-30.0_f64).exp2();
    let mut refined: Vec<usize> = (0..values.len()).filter(|&s| has_level(values[s])).collect();
    refined.sort_by_key(|&s| (level_of(values[s]), s));
    refined.truncate(16);
    let coded = |(s, &q): (usize, &f64)| match code {
        Code::Exact => q,
        Code::F16 => {
            let unit = (q.log2().floor().max(-29.0) - 10.0).exp2();
            (q / unit).round_ties_even() * unit
        }
        Code::Log8 if !has_level(q) => 0.0,
        Code::Log8 => level_of(q).map_or(0.0, |j| {
            let wide = (1 << (j / 64)) as f64 / 32.0;
            let part = ((levels[j] - (q / max).log2()) / wide * 16.0 + 8.0).floor();
            let fine = (part.clamp(0.0, 15.0) - 7.5) / 16.0 * wide;
            if refined.contains(&s) { (levels[j] - fine).exp2() } else { levels[j].exp2() }
        }),
    };
    let coded: Vec<f64> = values.iter().enumerate().map(coded).collect();
    let sum: f64 = coded.iter().sum();
    if code == Code::Exact { coded } else { coded.iter().map(|q| q / sum).collect() }
}

/// Beliefs of 300 states: certain, even, steep, and with next to nothing somewhere.
fn beliefs() -> Vec<Vec<f64>> {
    let normal = |weigh: &dyn Fn(usize) -> f64| {
        let weights: Vec<f64> = (0..300).map(weigh).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect::<Vec<f64>>()
    };
    vec![
        normal(&|s| if s == 7 { 1.0 } else { 0.0 }),
        normal(&|_| 1.0),
        normal(&|s| 0.93_f64.powi(s as i32)),
        normal(&|s| 0.4_f64.powi((s * 37 % 300) as i32)),
        normal(&|s| ((s * 7919 + 13) % 1000) as f64),
        normal(&|s| if s == 0 { 1.0 } else { 1e-7 / s as f64 }),
    ]
}

fn factor<T: Number>(code: Code) -> Factor {
    let code_bytes = code.bytes::<T>();
    Factor { states: 300, keep: Keep::Sparse, code, most: 300, code_bytes, index_bytes: 2 }
}

/// A belief through a record of `length`, read in both ways.
fn round_trip<T: Number>(factor: &Factor, belief: &[T], length: u32) -> Vec<T> {
    let (mut states, mut values) = (vec![0; 300], belief.to_vec());
    let n = Factor::gather(&mut values, T::ZERO, &mut states);
    let bytes = factor.part_bytes(if length == DENSE { DENSE } else { n as u32 });
    // Whole words, as in a chunk, and a guard behind the part.
    let mut words = vec![u64::MAX; bytes.div_ceil(8) + 1];
    let part: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    let mut room = vec![T::ZERO; 300];
    factor.write_list(&states[..n], &values[..n], length, &mut room, &mut part[..bytes]);
    assert!(part[bytes..].iter().all(|&byte| byte == 0xff), "wrote past its part");
    let part = &part[..bytes];
    let mut rows = vec![Lane([T::ONE; LANES]); 300];
    let kept = if length == DENSE { DENSE } else { n as u32 };
    factor.read_rows(part, kept, &mut room, &mut rows, 3);
    let read: Vec<T> = rows.iter().map(|row| row[3]).collect();
    assert!(rows.iter().all(|row| row[2] == T::ONE), "read into another lane");
    if length != DENSE {
        let mut listed = vec![T::ZERO; 300];
        let (mut at, mut list) = (vec![0; n], vec![T::ZERO; n]);
        factor.read_sparse(part, n, &mut at, &mut list);
        at.iter().zip(&list).for_each(|(&s, &value)| listed[s as usize] = value);
        assert_eq!(listed, read, "lists and rows differ");
    }
    read
}

fn keeps_its_promise<T: Number>() {
    for (code, bytes, of_max, of_one, factor_off) in CODES {
        let factor = factor::<T>(code);
        let refined = if code == Code::Log8 { 8 } else { 0 };
        assert_eq!(factor.part_bytes(DENSE), 300 * bytes.unwrap_or(size_of::<T>()) + refined);
        for belief in beliefs() {
            let computed: Vec<T> = belief.iter().map(|&q| T::from_f64(q)).collect();
            let expected = oracle(code, &computed.iter().map(|q| q.to_f64()).collect::<Vec<f64>>());
            let max = belief.iter().copied().fold(0.0, f64::max);
            let mut forms = Vec::new();
            for length in [DENSE, 0] {
                let read = round_trip(&factor, &computed, length);
                let sum: f64 = read.iter().map(|q| q.to_f64()).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{code:?}: sums to {sum}");
                for ((got, &want), q) in read.iter().zip(&expected).zip(&computed) {
                    let (got, q) = (got.to_f64(), q.to_f64());
                    assert!((got - want).abs() <= 1e-6 * want, "{code:?}: {q}: {got}, {want}");
                    assert!(q > 0.0 || got == 0.0, "{code:?}: {got} out of nothing");
                    if q > 0.0 && q >= max * of_max && q >= of_one {
                        let off = (got / q).max(q / got);
                        assert!(off <= factor_off * (1.0 + 1e-6), "{code:?}: {q} reads {got}");
                    }
                }
                let apart = distance(computed.iter().copied(), 0.0, read.iter().copied());
                assert!(apart <= factor_off - 1.0 + 1e-6, "{code:?}: {apart} apart");
                forms.push(read);
            }
            assert_eq!(forms[0], forms[1], "{code:?}: dense and sparse differ");
        }
    }
}

#[test]
fn every_tier_keeps_its_promise_in_single_precision() {
    keeps_its_promise::<f32>();
}

#[test]
fn every_tier_keeps_its_promise_in_double_precision() {
    keeps_its_promise::<f64>();
}

#[test]
fn what_hovers_between_forms_keeps_the_one_it_has() {
    let keep = Keep::Either { dense_from: 40, sparse_to: 20 };
    for (code, ..) in CODES {
        let factor = Factor { keep, ..factor::<f32>(code) };
        let mut length = 1;
        let counts = [1, 39, 20, 39, 40, 39, 21, 100, 21, 20, 21, 39, 40];
        let forms = counts.map(|n| {
            length = factor.choose(n, length);
            length == DENSE
        });
        let dense = [4, 5, 6, 7, 8, 12];
        for (step, form) in forms.iter().enumerate() {
            assert_eq!(*form, dense.contains(&step), "step {step}: {} states", counts[step]);
        }
    }
}
