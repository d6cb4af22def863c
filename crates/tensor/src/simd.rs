//! Kernels written once and compiled for every instruction set.
//!
//! A kernel is a value that implements [`Kernel`]; [`Isa::dispatch`] runs it with a *token* of the
//! best instruction set that this CPU has. A token's existence proves that the CPU has the
//! instructions, so everything on top of it is safe. All vectors are [`LANES`] numbers wide,
//! whatever the registers: a kernel's result depends on the [`Isa`], never on how many numbers it
//! was given.
//!
//! [`LANES`]: crate::lanes::LANES

mod avx2;
mod avx512;
mod math;
mod portable;
mod vector;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

pub use vector::{Mask, Real, Simd, Vector};

/// A computation over vectors, written once for every instruction set.
///
/// Implementations mark `run` and all that it calls `#[inline(always)]`: only code that is inlined
/// into the dispatcher is compiled for the instruction set. What is long, or called from many places,
/// is a kernel of its own, run by [`Simd::call`].
pub trait Kernel {
    /// What it computes.
    type Output;

    /// Computes it with the instructions that `simd` stands for.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Asks for the cache line of an address that is read soon; any address will do.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch faults nowhere, and changes nothing but what lies in the caches.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// An instruction set that this CPU has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Level {
    Portable,
    Avx2,
    Avx512,
}

impl Isa {
    /// The best that this CPU has, unless the environment variable `POPULACE_ISA` (`portable`,
    /// `avx2`, `avx512`) asks for less.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let asked = std::env::var("POPULACE_ISA").ok().and_then(|name| name.parse().ok());
            asked.unwrap_or_else(|| *Self::all().last().unwrap_or(&Self::portable()))
        })
    }

    /// The one that every CPU has.
    pub fn portable() -> Self {
        Self(Level::Portable)
    }

    /// All that this CPU has, the best last.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::portable()];
        if avx2::Avx2::detect().is_some() {
            all.push(Self(Level::Avx2));
        }
        if avx512::Avx512::detect().is_some() {
            all.push(Self(Level::Avx512));
        }
        all
    }

    /// Its name, as `POPULACE_ISA` takes it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    /// Runs a kernel.
    #[inline]
    pub fn dispatch<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Level::Portable => portable::dispatch(kernel),
            // SAFETY: an `Isa` of this level is made only where `detect` has found the features.
            Level::Avx2 => unsafe { avx2::dispatch(kernel) },
            // SAFETY: as above.
            Level::Avx512 => unsafe { avx512::dispatch(kernel) },
        }
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The CPU lacks the instruction set, or there is none of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchIsa;

impl FromStr for Isa {
    type Err = NoSuchIsa;

    fn from_str(name: &str) -> Result<Self, NoSuchIsa> {
        Self::all().into_iter().find(|isa| isa.name() == name).ok_or(NoSuchIsa)
    }
}
