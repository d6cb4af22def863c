//! Buffers that go back together.

use std::cell::RefCell;

use crate::{Buffer, Pool, Result, SharedBuffer};

/// Gives buffers for as long as it lives, and gives them all back when it ends, however it ends.
///
/// Scopes nest like any values. What should outlive the scope is shared: it then lives by its count.
///
/// ```
/// use populace_pool::{HostHeap, Pool, Scope};
///
/// let pool = Pool::new(HostHeap);
/// let escaped = {
///     let scope = Scope::new(&pool);
///     let a = scope.bytes(100)?;
///     let b = scope.bytes(200)?;
///     a[0] = 1;
///     b[0] = a[0] + 1;
///     scope.share(pool.acquire(300)?)
/// };
/// assert_eq!(pool.snapshot().all.in_use_count, 1); // only what escaped
/// # drop(escaped);
/// # Ok::<(), populace_pool::Error>(())
/// ```
#[derive(Debug)]
pub struct Scope {
    pool: Pool,
    held: RefCell<Vec<Held>>,
}

#[derive(Debug)]
enum Held {
    /// Lent out by `bytes`: not touched again before it is dropped.
    Lent {
        _buffer: Buffer,
    },
    Shared {
        _buffer: SharedBuffer,
    },
}

impl Scope {
    /// A scope over a pool.
    pub fn new(pool: &Pool) -> Self {
        Self { pool: pool.clone(), held: RefCell::default() }
    }

    /// `size_bytes` that live as long as the scope.
    ///
    /// # Errors
    ///
    /// As for [`Pool::acquire`].
    // Each call gives other bytes, as an arena does.
    #[allow(clippy::mut_from_ref)]
    pub fn bytes(&self, size_bytes: usize) -> Result<&mut [u8]> {
        let mut buffer = self.pool.acquire(size_bytes)?;
        let bytes: *mut [u8] = buffer.as_mut_slice();
        self.held.borrow_mut().push(Held::Lent { _buffer: buffer });
        // SAFETY: the buffer's bytes do not move with its handle, nothing reaches them through the
        // handle any more, and it is dropped only with the scope, which this borrow outlives not.
        Ok(unsafe { &mut *bytes })
    }

    /// Holds a buffer until the scope ends, and hands out a counted handle to it.
    pub fn share(&self, buffer: Buffer) -> SharedBuffer {
        let buffer = SharedBuffer::new(buffer);
        self.held.borrow_mut().push(Held::Shared { _buffer: buffer.clone() });
        buffer
    }

    /// How many buffers it holds.
    pub fn len(&self) -> usize {
        self.held.borrow().len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives back all it holds now; `&mut` proves that none of it is in use.
    pub fn clear(&mut self) {
        self.held.get_mut().clear();
    }
}
