//! Sums of every remainder, along rows and down columns: of lengths that fill no vector, no group of rows and no
//! piece, within the cache and beyond it, on any number of threads.

#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use populace_pool::{HostHeap, Pool, SharedResource};
use populace_tensor::{Element, Limits, Operand, Planner, View};

/// Small multiples of 1/8, so that sums are exact in any order, in f32 too.
fn eighths(count: usize, seed: usize) -> Vec<f64> {
    (0..count).map(|i| ((i * 7 + seed * 3) % 11) as f64 / 8.0 - 0.625).collect()
}

/// `rows × columns` numbers and their operands: two matrices and a vector along each axis.
struct Numbers<T> {
    sizes: [usize; 2],
    exact: [Vec<f64>; 4],
    given: [Vec<T>; 4],
}

impl<T: Element + From<f32> + Into<f64>> Numbers<T> {
    fn new(sizes: [usize; 2]) -> Self {
        let [rows, columns] = sizes;
        let counts = [rows * columns, rows * columns, rows, columns];
        let exact: [Vec<f64>; 4] = std::array::from_fn(|seed| eighths(counts[seed], seed));
        let given = exact.each_ref().map(|all| all.iter().map(|&x| T::from(x as f32)).collect());
        Self { sizes, exact, given }
    }

    /// Every expression, with its answer by nested loops.
    fn answers(&self) -> Vec<(&'static str, Vec<usize>, Vec<f64>)> {
        let [rows, columns] = self.sizes;
        let [a, b, x, y] = &self.exact;
        let along = |of: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
            (0..rows).map(|i| (0..columns).map(|j| of(i, j)).sum()).collect()
        };
        let down = |of: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
            (0..columns).map(|j| (0..rows).map(|i| of(i, j)).sum()).collect()
        };
        let all = |of: &dyn Fn(usize, usize) -> f64| vec![along(of).iter().sum()];
        let at = |i: usize, j: usize| i * columns + j;
        let one = |i, j| a[at(i, j)];
        let two = |i, j| a[at(i, j)] * b[at(i, j)];
        vec![
            ("ij->i", vec![0], along(&one)),
            ("ij->j", vec![0], down(&one)),
            ("ij->", vec![0], all(&one)),
            ("ij,ij->i", vec![0, 1], along(&two)),
            ("ij,ij->j", vec![0, 1], down(&two)),
            ("ij,ij->", vec![0, 1], all(&two)),
            ("ij,j->i", vec![0, 3], along(&|i, j| a[at(i, j)] * y[j])),
            ("j,ij->i", vec![3, 0], along(&|i, j| a[at(i, j)] * y[j])),
            ("ij,i->j", vec![0, 2], down(&|i, j| a[at(i, j)] * x[i])),
            ("i,ij->j", vec![2, 0], down(&|i, j| a[at(i, j)] * x[i])),
        ]
    }

    fn check(&self, threads: &[usize]) {
        let memory: SharedResource = Pool::new(HostHeap).resource();
        let planner = |&threads: &usize| {
            Planner::with_limits(&memory, Limits { threads, ..Limits::default() })
        };
        let planners: Vec<Planner> = threads.iter().map(planner).collect();
        let [rows, columns] = self.sizes;
        let shapes: [&[usize]; 4] = [&[rows, columns], &[rows, columns], &[rows], &[columns]];
        for (expression, operands, expected) in self.answers() {
            let view = |&index: &usize| View::new(&self.given[index], shapes[index]).unwrap();
            let operands: Vec<Operand<'_>> = operands.iter().map(view).map(Into::into).collect();
            for planner in &planners {
                let got = planner.einsum(expression, &operands).unwrap();
                let got: Vec<f64> =
                    got.as_slice::<T>().unwrap().iter().map(|&x| x.into()).collect();
                assert!(got == expected, "{expression} {:?} by {planner:?}", self.sizes);
            }
        }
    }
}

#[test]
fn sums_of_every_remainder_are_exact() {
    for rows in [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 17, 33] {
        for columns in [1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 100, 129, 2049] {
            Numbers::<f32>::new([rows, columns]).check(&[1]);
            Numbers::<f64>::new([rows, columns]).check(&[1]);
        }
    }
}

#[test]
fn threads_and_pieces_change_no_sum() {
    for sizes in
        [[1, 300_007], [300_007, 1], [700, 401], [2100, 2001], [9001, 37], [37, 9001], [131_072, 3]]
    {
        Numbers::<f32>::new(sizes).check(&[1, 2, 5]);
        Numbers::<f64>::new(sizes).check(&[1, 2, 5]);
    }
}

/// Sums that do round: still, threads change no bit.
#[test]
fn threads_change_no_bit() {
    let memory: SharedResource = Pool::new(HostHeap).resource();
    let numbers: Vec<f32> = (0..900_001).map(|i| (i as f32 * 0.37).sin()).collect();
    let a = View::new(&numbers[1..], &[1000, 900]).unwrap();
    let (x, y) = (View::new(&numbers[..1000], &[1000]).unwrap(), View::new(&numbers, &[900_001]));
    let y = y.unwrap().sliced(0, 5, 900, 3).unwrap();
    let cases: [(&str, Vec<Operand<'_>>); 7] = [
        ("ij->i", vec![a.clone().into()]),
        ("ij->j", vec![a.clone().into()]),
        ("ij->", vec![a.clone().into()]),
        ("ij,ij->", vec![a.clone().into(), a.clone().into()]),
        ("ij,j->i", vec![a.clone().into(), y.clone().into()]),
        ("i,ij->j", vec![x.clone().into(), a.clone().into()]),
        ("i,ij,j->", vec![x.into(), a.into(), y.into()]),
    ];
    for (expression, operands) in cases {
        let bits = |threads| -> Vec<u32> {
            let planner = Planner::with_limits(&memory, Limits { threads, ..Limits::default() });
            let result = planner.einsum(expression, &operands).unwrap();
            result.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()).collect()
        };
        let one = bits(1);
        assert!([2, 3, 8].iter().all(|&threads| bits(threads) == one), "{expression}");
    }
}

/// The last vector of a row overlaps the one before it, and ends where the next row begins: what is not finite
/// there counts once, and in its own row only.
#[test]
fn what_is_not_finite_counts_once_and_in_its_own_row() {
    let memory: SharedResource = Pool::new(HostHeap).resource();
    let planner = Planner::new(&memory);
    let [rows, columns] = [9, 37];
    for at in [0, 20, 21, 24, 31, 32, 36] {
        for special in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let mut numbers = vec![1.0; rows * columns];
            numbers[4 * columns + at] = special;
            // Zeros where the special number is not: nothing but it may be multiplied with it.
            let ones: Vec<f64> = (0..columns).map(|j| f64::from(u8::from(j == at))).collect();
            let a = View::new(&numbers, &[rows, columns]).unwrap();
            let y = View::new(&ones, &[columns]).unwrap();
            let result = planner.einsum("ij,j->i", &[a.clone().into(), y.into()]).unwrap();
            let sums = planner.einsum("ij->i", &[a.clone().into()]).unwrap();
            let down = planner.einsum("ij->j", &[a.into()]).unwrap();
            let same = |got: f64, expected: f64| {
                assert!(got == expected || (got.is_nan() && expected.is_nan()), "{at}: {got}");
            };
            for i in 0..rows {
                let here = if i == 4 { special } else { 1.0 };
                same(result.as_slice::<f64>().unwrap()[i], here);
                same(sums.as_slice::<f64>().unwrap()[i], here + (columns - 1) as f64);
            }
            for j in 0..columns {
                let here = if j == at { special } else { 1.0 };
                same(down.as_slice::<f64>().unwrap()[j], here + (rows - 1) as f64);
            }
        }
    }
}
