//! Matrices by shape and element type: each pair has a shelf of ready buffers.
//!
//! | bytes of a matrix | made at first use | kept at most |
//! |---|---|---|
//! | < 1 MiB | 10 | 100 |
//! | < 10 MiB | 5 | 50 |
//! | larger | 2 | 10 |
//!
//! A shelf adapts: it starts to keep as many as are made at first, each miss lets it keep one more, up to the most, and
//! at every cleanup it lets go of what lay unused since the one before.
//!
//! Invariants: idle bytes over all shelves ≤ `max_idle_bytes`; a shelf's idle matrices ≤ what it keeps ≤ the most.

mod shelf;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use self::shelf::{Shared, Shelf};
pub use shelf::ShelfStatistics;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::{Buffer, Dtype, Element, Error, ErrorKind, Result, SharedResource};

/// Distinct shapes that are remembered; beyond that, shelves with nothing on them are forgotten.
const MOST_SHELVES: usize = 4096;

/// Pools of matrices, keyed by shape and element type; clones are handles to the same pools.
///
/// ```
/// use std::sync::Arc;
/// use populace_pool::{Dtype, HostHeap, MatrixPool};
///
/// let pool = MatrixPool::new(Arc::new(HostHeap), 64 << 20);
/// let mut posterior = pool.acquire(&[100, 100], Dtype::F32)?;
/// posterior.as_mut_slice::<f32>()?.fill(0.01);
/// drop(posterior);
/// assert_eq!(pool.statistics()[0].idle, 10);
/// # Ok::<(), populace_pool::Error>(())
/// ```
#[derive(Clone)]
pub struct MatrixPool {
    inner: Arc<Inner>,
}

struct Inner {
    shelves: Mutex<HashMap<u64, Vec<Arc<Shelf>>, BuildHasherDefault<Hashed>>>,
    shared: Arc<Shared>,
    operations: Mutex<HashMap<&'static str, u64>>,
}

/// Keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = mix(self.0, value);
    }
}

/// One step of a multiplicative hash that also moves high bits down.
fn mix(sum: u64, value: u64) -> u64 {
    let product = u128::from(sum ^ value ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93;
    product as u64 ^ (product >> 64) as u64
}

impl MatrixPool {
    /// Pools over `resource` that keep at most `max_idle_bytes`.
    pub fn new(resource: SharedResource, max_idle_bytes: u64) -> Self {
        let shared = Shared { resource, max_idle_bytes, idle_bytes: AtomicU64::new(0) };
        Self {
            inner: Arc::new(Inner {
                shelves: Mutex::default(),
                shared: Arc::new(shared),
                operations: Mutex::default(),
            }),
        }
    }

    /// A matrix; what it holds is up to its last user.
    ///
    /// # Errors
    ///
    /// A shape without elements or whose bytes overflow, or what the resource answers.
    pub fn acquire(&self, shape: &[usize], dtype: Dtype) -> Result<Matrix> {
        let shelf = self.shelf(shape, dtype)?;
        let buffer = shelf.take()?;
        Ok(Matrix { buffer: Some(buffer), shelf })
    }

    /// A matrix of zeros.
    ///
    /// # Errors
    ///
    /// As for [`Self::acquire`].
    pub fn acquire_zeroed(&self, shape: &[usize], dtype: Dtype) -> Result<Matrix> {
        let mut matrix = self.acquire(shape, dtype)?;
        matrix.bytes_mut().fill(0);
        Ok(matrix)
    }

    /// Matrices for all operands of an operation, or none of them.
    ///
    /// # Errors
    ///
    /// The first refusal; what was taken before it is back on its shelf.
    pub fn acquire_all(&self, operands: &[(&[usize], Dtype)]) -> Result<Vec<Matrix>> {
        operands.iter().map(|(shape, dtype)| self.acquire(shape, *dtype)).collect()
    }

    /// Counts an operation that used the pool, by name.
    pub fn count_operation(&self, name: &'static str) {
        *self.inner.operations.lock().entry(name).or_default() += 1;
    }

    /// How often each operation was counted, by name.
    pub fn operations(&self) -> Vec<(&'static str, u64)> {
        let mut counts: Vec<_> =
            self.inner.operations.lock().iter().map(|(name, count)| (*name, *count)).collect();
        counts.sort_unstable();
        counts
    }

    /// Each shape's numbers, by element type and shape.
    pub fn statistics(&self) -> Vec<ShelfStatistics> {
        let mut all: Vec<_> = self.all_shelves().iter().map(|shelf| shelf.statistics()).collect();
        all.sort_unstable_by(|a, b| (a.dtype, &a.shape).cmp(&(b.dtype, &b.shape)));
        all
    }

    /// Bytes of idle matrices.
    pub fn idle_bytes(&self) -> u64 {
        self.inner.shared.idle_bytes.load(Relaxed)
    }

    /// Lets go of what lay unused since this was last called; answers how many bytes that were.
    pub fn cleanup(&self) -> u64 {
        self.all_shelves().iter().map(|shelf| shelf.clean()).sum()
    }

    /// Lets go of everything idle; answers how many bytes that were.
    pub fn trim(&self) -> u64 {
        self.all_shelves().iter().map(|shelf| shelf.trim()).sum()
    }

    fn all_shelves(&self) -> Vec<Arc<Shelf>> {
        self.inner.shelves.lock().values().flatten().cloned().collect()
    }

    fn shelf(&self, shape: &[usize], dtype: Dtype) -> Result<Arc<Shelf>> {
        let seed = mix(dtype as u64, shape.len() as u64);
        let key = shape.iter().fold(seed, |sum, &axis| mix(sum, axis as u64));
        let mut shelves = self.inner.shelves.lock();
        if let Some(bucket) = shelves.get(&key)
            && let Some(shelf) = bucket.iter().find(|shelf| shelf.is_for(shape, dtype))
        {
            return Ok(shelf.clone());
        }
        let bytes = matrix_bytes(shape, dtype)?;
        let shelf = Arc::new(Shelf::new(shape, dtype, bytes, self.inner.shared.clone()));
        if shelves.len() >= MOST_SHELVES {
            for bucket in shelves.values_mut() {
                bucket.retain(|shelf| Arc::strong_count(shelf) > 1 || shelf.statistics().idle > 0);
            }
            shelves.retain(|_, bucket| !bucket.is_empty());
        }
        shelves.entry(key).or_default().push(shelf.clone());
        Ok(shelf)
    }
}

impl fmt::Debug for MatrixPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatrixPool").field("shelves", &self.statistics()).finish_non_exhaustive()
    }
}

/// Bytes of a matrix: ∏ shape × item, if that is a number between 1 and `isize::MAX`.
fn matrix_bytes(shape: &[usize], dtype: Dtype) -> Result<usize> {
    let bad = |rule| {
        let (shape, item_bytes) = (shape.to_vec(), dtype.item_bytes());
        Error::new(ErrorKind::BadShape { shape, item_bytes, rule })
    };
    if shape.contains(&0) {
        return Err(bad("it has no elements"));
    }
    let bytes = shape.iter().try_fold(dtype.item_bytes(), |size, &axis| size.checked_mul(axis));
    bytes
        .filter(|&bytes| isize::try_from(bytes).is_ok())
        .ok_or_else(|| bad("its size overflows the address space"))
}

/// A matrix that goes back to its shelf when it is dropped.
pub struct Matrix {
    /// `None` only while it is dropped.
    buffer: Option<Buffer>,
    shelf: Arc<Shelf>,
}

impl Matrix {
    /// The lengths of its axes.
    pub fn shape(&self) -> &[usize] {
        self.shelf.shape()
    }

    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        self.shelf.dtype()
    }

    fn buffer(&self) -> &Buffer {
        match &self.buffer {
            Some(buffer) => buffer,
            None => unreachable!("only the drop takes the buffer"),
        }
    }

    /// Its bytes, row-major.
    pub fn bytes(&self) -> &[u8] {
        self.buffer().as_slice()
    }

    /// Its bytes, row-major, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.buffer {
            Some(buffer) => buffer.as_mut_slice(),
            None => unreachable!("only the drop takes the buffer"),
        }
    }

    /// Its elements, row-major.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongDtype`] if they are of another type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        self.check::<T>()?;
        let bytes = self.bytes();
        let count = bytes.len() / size_of::<T>();
        // SAFETY: the bytes are initialised, every bit pattern is an element, the buffer starts on a cache
        // line, and the count is theirs.
        Ok(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), count) })
    }

    /// Its elements, row-major, to write.
    ///
    /// # Errors
    ///
    /// As for [`Self::as_slice`].
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T]> {
        self.check::<T>()?;
        let bytes = self.bytes_mut();
        let count = bytes.len() / size_of::<T>();
        // SAFETY: as above, and elements have no padding, so the bytes stay initialised.
        Ok(unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), count) })
    }

    fn check<T: Element>(&self) -> Result<()> {
        let (asked, is) = (T::DTYPE.name(), self.dtype().name());
        if asked == is { Ok(()) } else { Err(Error::new(ErrorKind::WrongDtype { asked, is })) }
    }
}

impl Drop for Matrix {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.shelf.put(buffer);
        }
    }
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shape, dtype) = (self.shape(), self.dtype());
        f.debug_struct("Matrix").field("shape", &shape).field("dtype", &dtype).finish()
    }
}
