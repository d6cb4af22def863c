//! Matrix products of every remainder: by rows, columns and depth that fill no tile, no vector and no block,
//! alone and many at a time.

#![allow(clippy::unwrap_used)] // The lint's exception covers test functions, not what they call.

use populace_pool::{HostHeap, Pool, SharedResource};
use populace_tensor::{Element, Planner, View};

const BATCH: usize = 3;

/// Small multiples of 1/8, so that sums are exact in any order, in f32 too.
fn eighths(count: usize, seed: usize) -> impl Iterator<Item = f64> {
    (0..count).map(move |i| ((i * 7 + seed * 3) % 11) as f64 / 8.0 - 0.625)
}

fn products<T: Element + From<f32> + Into<f64>>(sizes: [usize; 3]) {
    let [rows, columns, depth] = sizes;
    let memory: SharedResource = Pool::new(HostHeap).resource();
    let planner = Planner::new(&memory);
    let values = |count, seed| -> Vec<T> {
        eighths(count, seed).map(|value| T::from(value as f32)).collect()
    };
    let (left, right) = (values(BATCH * rows * depth, 0), values(BATCH * depth * columns, 1));
    let a = View::new(&left, &[BATCH, rows, depth]).unwrap();
    let b = View::new(&right, &[BATCH, depth, columns]).unwrap();
    let many = planner.einsum("bij,bjk->bik", &[a.into(), b.into()]).unwrap();
    for item in 0..BATCH {
        let left = &left[item * rows * depth..][..rows * depth];
        let right = &right[item * depth * columns..][..depth * columns];
        let a = View::new(left, &[rows, depth]).unwrap();
        let b = View::new(right, &[depth, columns]).unwrap();
        let one = planner.matmul(a, b).unwrap();
        let many = &many.as_slice::<T>().unwrap()[item * rows * columns..][..rows * columns];
        for (index, (one, many)) in one.as_slice::<T>().unwrap().iter().zip(many).enumerate() {
            let (i, k) = (index / columns, index % columns);
            let terms = (0..depth).map(|j| {
                let (a, b): (f64, f64) =
                    (left[i * depth + j].into(), right[j * columns + k].into());
                a * b
            });
            let sum: f64 = terms.sum();
            assert_eq!((sum, sum), ((*one).into(), (*many).into()), "{sizes:?} {item} {i} {k}");
        }
    }
}

#[test]
fn products_of_every_remainder_are_exact() {
    // Tiles are up to 64 rows by 6 columns; 1200 is more than a block is deep.
    let columns =
        [1, 2, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 17, 24, 31, 32, 33, 40, 41, 64, 65, 100, 113, 129];
    for (step, rows) in columns.into_iter().chain([3, 11, 34, 72, 96, 97, 104]).enumerate() {
        for column in columns.into_iter().skip(step % 2).step_by(2) {
            products::<f32>([rows, column, 7]);
            products::<f64>([rows, column, 7]);
        }
    }
    for size in [9, 33, 36, 41, 65, 100, 129] {
        products::<f32>([6, size, 1200]);
        products::<f64>([size, 7, 1200]);
    }
}
