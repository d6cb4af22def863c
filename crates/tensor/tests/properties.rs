//! Random operations against nested loops, on sizes around those of the kernels' tiles.
#![allow(clippy::unwrap_used)]

mod support;

use populace_tensor::{Dtype, Limits, Operand, Planner, Tensor};
use proptest::prelude::*;
use support::oracle::{Naive, einsum};
use support::{Geometry, close, element, operand, resource, tensor, values};

const DTYPES: [Dtype; 5] = [Dtype::F64, Dtype::F32, Dtype::Bf16, Dtype::F16, Dtype::U8];

/// An operand as it is stored, and how a view of it is made.
#[derive(Debug, Clone)]
struct Made {
    labels: String,
    dtype: Dtype,
    seed: u64,
    /// The order of the axes in memory, and whether each runs backwards.
    memory: Vec<usize>,
    reversed: Vec<bool>,
}

fn shape(labels: &str, sizes: &[usize]) -> Vec<usize> {
    labels.bytes().map(|c| sizes[usize::from(c - b'a')]).collect()
}

/// The stored tensor, and the elements of the view in row-major order.
fn store(made: &Made, sizes: &[usize]) -> (Tensor, Geometry) {
    let shape = shape(&made.labels, sizes);
    let stored: Vec<usize> = made.memory.iter().map(|&axis| shape[axis]).collect();
    let count = stored.iter().product::<usize>() as u64;
    let elements: Vec<f64> = (0..count).map(|i| element(made.dtype, made.seed, i)).collect();
    let slice = |&axis: &usize| {
        let n = shape[axis];
        if made.reversed[axis] && n > 0 { (n - 1, n, -1) } else { (0, n, 1) }
    };
    let order =
        (0..shape.len()).map(|axis| made.memory.iter().position(|&m| m == axis).unwrap()).collect();
    let slices = made.memory.iter().map(slice).collect();
    (
        tensor(made.dtype, &stored, &elements),
        Geometry { slices, order: Some(order), broadcast: None },
    )
}

fn view_values(view: &Operand<'_>, planner: &Planner) -> Vec<f64> {
    // An ellipsis copies a view of any rank, converted to f64.
    let mut out = tensor(Dtype::F64, view.shape(), &vec![0.0; view.shape().iter().product()]);
    planner.einsum_into("...->...", std::slice::from_ref(view), &mut out).unwrap();
    values(&out)
}

fn agree(made: &[Made], output: &str, sizes: &[usize], threads: usize) {
    let planner = Planner::with_limits(&resource(), Limits { threads, ..Limits::default() });
    let stored: Vec<(Tensor, Geometry)> = made.iter().map(|made| store(made, sizes)).collect();
    let operands: Vec<Operand<'_>> = stored.iter().map(|(t, g)| operand(t, g)).collect();
    let labels: Vec<&str> = made.iter().map(|made| made.labels.as_str()).collect();
    let expression = format!("{}->{output}", labels.join(","));
    let result = planner.einsum(&expression, &operands).unwrap();
    let naive: Vec<Naive<'_>> = (made.iter().zip(&operands))
        .map(|(made, operand)| Naive {
            labels: &made.labels,
            shape: operand.shape().to_vec(),
            values: view_values(operand, &planner),
        })
        .collect();
    let (exact, scale) = einsum(&naive, output);
    let terms = sizes.iter().product::<usize>() as f64 / exact.len().max(1) as f64;
    assert_eq!(result.shape(), shape(output, sizes));
    for (at, ((got, exact), scale)) in values(&result).iter().zip(exact).zip(scale).enumerate() {
        let exact = if result.dtype() == Dtype::U8 { exact.rem_euclid(256.0) } else { exact };
        assert!(
            close(result.dtype(), terms.max(1.0), scale, *got, exact),
            "{expression} {sizes:?} at {at}: {got} is not {exact}\n{made:?}"
        );
    }
}

fn made(labels: String) -> impl Strategy<Value = Made> {
    let axes = labels.len();
    let dtype =
        prop_oneof![4 => Just(0_usize), 4 => Just(1), 1 => Just(2), 1 => Just(3), 1 => Just(4)];
    let memory = Just((0..axes).collect::<Vec<_>>()).prop_shuffle();
    let reversed = proptest::collection::vec(proptest::bool::weighted(0.2), axes);
    (dtype, 1_u64..10_000, memory, reversed).prop_map(move |(dtype, seed, memory, reversed)| Made {
        labels: labels.clone(),
        dtype: DTYPES[dtype],
        seed,
        memory,
        reversed,
    })
}

/// Some labels of "abcdef", each at most once.
fn labels(most: usize) -> impl Strategy<Value = String> {
    proptest::sample::subsequence(vec!['a', 'b', 'c', 'd', 'e'], 0..=most)
        .prop_shuffle()
        .prop_map(|labels| labels.into_iter().collect())
}

prop_compose! {
    fn expression()(inputs in proptest::collection::vec(labels(4), 1..4))
        (operands in inputs.iter().cloned().map(made).collect::<Vec<_>>(),
         output in Just(inputs.concat()), keep in any::<u32>(), seed in any::<u64>())
        -> (Vec<Made>, String) {
        let mut kept: Vec<char> = Vec::new();
        for c in output.chars() {
            if keep >> (c as u32 - 97) & 1 == 1 && !kept.contains(&c) {
                let at = (seed as usize >> kept.len()) % (kept.len() + 1);
                kept.insert(at, c);
            }
        }
        (operands, kept.into_iter().collect())
    }
}

/// Sizes below and above a vector, a tile and a panel; few enough for nested loops.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let one = prop_oneof![
        1 => Just(0_usize), 2 => Just(1), 6 => 2_usize..10, 2 => 15_usize..19, 1 => 30_usize..70
    ];
    proptest::collection::vec(one, 5)
        .prop_filter("too many products", |sizes| sizes.iter().product::<usize>() < 40_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn einsum_is_the_nested_loops((operands, output) in expression(), sizes in sizes()) {
        agree(&operands, &output, &sizes, 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Matrix products of every orientation, scattered rows included, around the tiles' edges.
    #[test]
    fn products_are_the_nested_loops(
        (left, right) in (
            prop_oneof![Just("ac"), Just("abc"), Just("eac"), Just("cab")]
                .prop_flat_map(|labels| made(labels.to_owned())),
            prop_oneof![Just("cd"), Just("dc"), Just("ecd"), Just("cde")]
                .prop_flat_map(|labels| made(labels.to_owned())),
        ),
        rows in 1_usize..70, columns in 1_usize..30, depth in 1_usize..40, flip in any::<bool>(),
    ) {
        let sizes = [rows, 3, depth, columns, 2];
        let has = |c| left.labels.contains(c) || right.labels.contains(c);
        let mut output: String = "eabd".chars().filter(|&c| has(c)).collect();
        if flip {
            output = output.chars().rev().collect();
        }
        agree(&[left, right], &output, &sizes, 1);
    }
}

/// Large enough for several blocks and for threads: the answer is the same to the last bit.
#[test]
fn threads_change_no_bit() {
    let made = |labels: &str, seed| Made {
        labels: labels.to_owned(),
        dtype: Dtype::F32,
        seed,
        memory: (0..labels.len()).collect(),
        reversed: vec![false; labels.len()],
    };
    for sizes in [[150, 130, 170], [70, 30, 1100], [700, 10, 310]] {
        for (left, right, output) in [("ac", "cb", "ab"), ("ca", "cb", "ab"), ("ac", "bc", "ba")] {
            let (left, right) = (made(left, 1), made(right, 2));
            agree(&[left.clone(), right.clone()], output, &sizes, 4);
            let run = |threads| {
                let limits = Limits { threads, ..Limits::default() };
                let planner = Planner::with_limits(&resource(), limits);
                let (a, b) = (store(&left, &sizes), store(&right, &sizes));
                let expression = format!("{},{}->{output}", left.labels, right.labels);
                values(&planner.einsum(&expression, &[(&a.0).into(), (&b.0).into()]).unwrap())
            };
            assert_eq!(run(1), run(4));
        }
    }
}

/// A NaN or an infinity reaches its row or its column, and nothing else: neither the lanes that
/// fill up a vector nor the rows that are calculated twice.
#[test]
fn what_is_not_finite_stays_in_its_row_and_column() {
    let planner = Planner::new(&resource());
    for [rows, depth, columns] in [[10, 10, 10], [37, 21, 29], [100, 70, 5], [5, 600, 13]] {
        for dtype in [Dtype::F64, Dtype::F32] {
            let filled = |shape: [usize; 2], seed, at: usize, value: f64| {
                let count = (shape[0] * shape[1]) as u64;
                let mut values: Vec<f64> =
                    (0..count).map(|i| element(dtype, seed, i) + 1.5).collect();
                values[at] = value;
                tensor(dtype, &shape, &values)
            };
            let a = filled([rows, depth], 3, (rows - 1) * depth + 2, f64::NAN);
            let b = filled([depth, columns], 4, 3 * columns + 1, f64::INFINITY);
            let result = values(&planner.matmul(&a, &b).unwrap());
            for (i, row) in result.chunks(columns).enumerate() {
                for (j, value) in row.iter().enumerate() {
                    assert_eq!(value.is_nan(), i == rows - 1, "{i}, {j}: {value}");
                    assert_eq!(value.is_infinite(), i < rows - 1 && j == 1, "{i}, {j}: {value}");
                }
            }
        }
    }
}
