//! How the belief of one factor is stored: in which form, and how it is read and written.

use populace_tensor::lanes::Lane;

use super::Number;
use super::code::Code;

/// The length of a dense belief in a chunk's column of lengths.
pub(crate) const DENSE: u32 = u32::MAX;

/// In which forms the beliefs of one factor may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Always dense.
    Dense,
    /// Always sparse.
    Sparse,
    /// Dense from `dense_from` states on, sparse again up to `sparse_to` states.
    Either { dense_from: usize, sparse_to: usize },
}

/// How one factor is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Factor {
    pub(crate) states: usize,
    pub(crate) keep: Keep,
    pub(crate) code: Code,
    /// The most states that a sparse belief can have.
    pub(crate) most: usize,
    /// Bytes of a coded probability.
    pub(super) code_bytes: usize,
    /// Bytes of a state's index.
    pub(super) index_bytes: usize,
}

impl Factor {
    /// The same with another code.
    pub(super) fn coded<T: Number>(&self, code: Code) -> Self {
        Self { code, code_bytes: code.bytes::<T>(), ..*self }
    }

    /// Bytes of a belief of that length.
    #[inline]
    pub(crate) fn part_bytes(&self, length: u32) -> usize {
        match length {
            DENSE => self.numbers_bytes(self.states),
            n => self.sparse_bytes(n as usize),
        }
    }

    /// The most bytes of a belief.
    pub(crate) fn most_bytes(&self) -> usize {
        let dense = self.part_bytes(DENSE);
        match self.keep {
            Keep::Dense => dense,
            Keep::Sparse => self.part_bytes(self.most as u32),
            Keep::Either { dense_from, .. } => dense.max(self.part_bytes(dense_from as u32)),
        }
    }

    pub(super) fn sparse_bytes(&self, n: usize) -> usize {
        // Only what is read in place must be aligned.
        let align = if self.code.is_lossy() { 1 } else { self.code_bytes };
        self.numbers_bytes(n) + (n * self.index_bytes).next_multiple_of(align)
    }

    /// Bytes of `n` probabilities.
    #[inline]
    pub(crate) fn numbers_bytes(&self, n: usize) -> usize {
        self.code.numbers_bytes(n, self.code_bytes)
    }

    /// How a belief of `n` states, now stored with `length`, will be stored.
    pub(crate) fn choose(&self, n: usize, length: u32) -> u32 {
        let dense = match self.keep {
            Keep::Dense => true,
            Keep::Sparse => false,
            Keep::Either { dense_from, sparse_to } => {
                n >= dense_from || (length == DENSE && n > sparse_to)
            }
        };
        if dense { DENSE } else { n as u32 }
    }

    /// Reads a sparse belief into lists.
    #[inline]
    pub(crate) fn read_sparse<T: Number>(
        &self,
        part: &[u8],
        n: usize,
        states: &mut [u32],
        values: &mut [T],
    ) {
        let (numbers, indices) = part.split_at(self.numbers_bytes(n));
        self.code.read(numbers, &mut values[..n]);
        let states = states[..n].iter_mut();
        match self.index_bytes {
            1 => states.zip(indices).for_each(|(s, &i)| *s = i.into()),
            2 => {
                let (indices, _) = indices.as_chunks();
                states.zip(indices).for_each(|(s, &i)| *s = u16::from_ne_bytes(i).into());
            }
            _ => {
                let (indices, _) = indices.as_chunks();
                states.zip(indices).for_each(|(s, &i)| *s = u32::from_ne_bytes(i));
            }
        }
    }

    /// Writes lists as a sparse belief.
    #[inline]
    pub(crate) fn write_sparse<T: Number>(&self, states: &[u32], values: &[T], part: &mut [u8]) {
        let n = states.len();
        let (numbers, indices) = part.split_at_mut(self.numbers_bytes(n));
        self.code.write(values, numbers);
        match self.index_bytes {
            1 => indices.iter_mut().zip(states).for_each(|(i, &s)| *i = s as u8),
            2 => {
                let (indices, _) = indices.as_chunks_mut();
                indices.iter_mut().zip(states).for_each(|(i, &s)| *i = (s as u16).to_ne_bytes());
            }
            _ => {
                let (indices, _) = indices.as_chunks_mut();
                indices.iter_mut().zip(states).for_each(|(i, &s)| *i = s.to_ne_bytes());
            }
        }
    }

    /// Writes lists as a belief of a length that [`Factor::choose`] gave; `room` is for every state.
    #[inline]
    pub(crate) fn write_list<T: Number>(
        &self,
        states: &[u32],
        values: &[T],
        length: u32,
        room: &mut [T],
        part: &mut [u8],
    ) {
        if length != DENSE {
            return self.write_sparse(states, values, part);
        }
        let dense = &mut room[..self.states];
        dense.fill(T::ZERO);
        for (&s, &value) in states.iter().zip(values) {
            dense[s as usize] = value;
        }
        self.code.write(dense, part);
    }

    /// Reads a stored belief into a lane of rows; `room` is for every state.
    #[inline]
    pub(crate) fn read_rows<T: Number>(
        &self,
        part: &[u8],
        length: u32,
        room: &mut [T],
        rows: &mut [Lane<T>],
        lane: usize,
    ) {
        if length == DENSE {
            self.code.read(part, &mut room[..self.states]);
            rows.iter_mut().zip(room.iter()).for_each(|(row, &value)| row[lane] = value);
            return;
        }
        rows.iter_mut().for_each(|row| row[lane] = T::ZERO);
        let n = length as usize;
        let (numbers, indices) = part.split_at(self.numbers_bytes(n));
        self.code.read(numbers, &mut room[..n]);
        for (k, &value) in room[..n].iter().enumerate() {
            let index = &indices[k * self.index_bytes..(k + 1) * self.index_bytes];
            let s = match *index {
                [i] => i.into(),
                [a, b] => u16::from_ne_bytes([a, b]).into(),
                [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]) as usize,
                _ => unreachable!("an index has 1, 2 or 4 bytes"),
            };
            rows[s][lane] = value;
        }
    }

    /// Puts the probabilities of a dense belief that a sparse one keeps, and their states, into lists
    /// of which the first may be the belief itself; answers how many they are.
    #[inline]
    pub(crate) fn gather<T: Number>(belief: &mut [T], threshold: T, states: &mut [u32]) -> usize {
        let mut n = 0;
        for s in 0..belief.len() {
            if belief[s] > threshold {
                states[n] = s as u32;
                belief[n] = belief[s];
                n += 1;
            }
        }
        n
    }
}
