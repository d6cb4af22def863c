//! Drawing numbers, distributions and arrays from a seed.

use crate::array::Array;

/// Random numbers: SplitMix64.
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// In [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    pub(super) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A distribution: dense, with zeros, or on one entry.
    pub(super) fn distribution(&mut self, kind: Kind, n: usize) -> Vec<f64> {
        let mut p: Vec<f64> = (0..n).map(|_| -(1.0 - self.unit()).ln() + 1e-3).collect();
        let sure = self.below(n);
        for (i, p) in p.iter_mut().enumerate() {
            let zero = match kind {
                Kind::Dense => false,
                Kind::Zeros => self.chance(0.5),
                Kind::Deterministic => true,
            };
            if zero && i != sure {
                *p = 0.0;
            }
        }
        let sum: f64 = p.iter().sum();
        p.iter().map(|p| p / sum).collect()
    }

    /// An index drawn from a distribution.
    pub(super) fn pick(&mut self, p: &[f64]) -> usize {
        let mut left = self.unit();
        for (i, p) in p.iter().enumerate() {
            left -= p;
            if left < 0.0 {
                return i;
            }
        }
        p.len() - 1
    }

    /// An array whose columns are distributions, all of one kind.
    pub(super) fn columns(&mut self, shape: &[usize]) -> Array {
        let kind = self.of(&[Kind::Dense, Kind::Dense, Kind::Zeros, Kind::Deterministic]);
        let mut array = Array::zeros(shape);
        let columns = array.data.len() / shape[0];
        for column in 0..columns {
            for (row, p) in self.distribution(kind, shape[0]).into_iter().enumerate() {
                array.data[row * columns + column] = p;
            }
        }
        array
    }

    /// Dirichlet counts around an array, some of its zeros kept.
    pub(super) fn counts(&mut self, array: &Array) -> Array {
        let scale = self.of(&[1.0, 4.0, 20.0]);
        let filled = self.chance(0.5);
        let floor = if filled { self.between(0.05, 1.0) } else { 0.0 };
        array.map(|p| scale * p + floor)
    }
}

/// How a distribution's mass lies.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Dense,
    Zeros,
    Deterministic,
}
