//! Blocks of lanes: the same quantity of sixteen agents, side by side.

use std::ops::{Index, IndexMut};

/// How many agents stand side by side in a block, whatever their number and the CPU: so an agent's
/// bits do not depend on its neighbours.
pub const LANES: usize = 16;

/// One number of each of [`LANES`] agents.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Lane<T>(pub [T; LANES]);

impl<T> Index<usize> for Lane<T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, lane: usize) -> &T {
        &self.0[lane]
    }
}

impl<T> IndexMut<usize> for Lane<T> {
    #[inline(always)]
    fn index_mut(&mut self, lane: usize) -> &mut T {
        &mut self.0[lane]
    }
}
