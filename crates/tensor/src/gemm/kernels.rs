//! The micro-kernels: `out[i, j] (+)= Σₚ lhs[i, p]·rhs[p, j]` for a tile that fits the registers.

use gemm_common::microkernel::MicroKernelFn;

use crate::dtype::Arithmetic;

/// The micro-kernels of one processor level and one type.
///
/// `table[(vectors − 1)·columns + (j − 1)]` handles a tile of up to `vectors·lanes` rows and
/// exactly `j` columns.
#[derive(Debug)]
pub(crate) struct Kernels<T: 'static> {
    /// Elements of a vector register: a power of two.
    pub(crate) lanes: usize,
    /// Rows of the largest tile.
    pub(crate) rows: usize,
    /// Columns of the largest tile.
    pub(crate) columns: usize,
    table: &'static [MicroKernelFn<T>],
}

impl<T> Kernels<T> {
    /// The kernel for a tile of `1..=rows` by `1..=columns`.
    #[inline(always)]
    pub(super) fn tile(&self, rows: usize, columns: usize) -> MicroKernelFn<T> {
        let vectors = (rows + self.lanes - 1) >> self.lanes.trailing_zeros();
        self.table[(vectors - 1) * self.columns + columns - 1]
    }
}

/// Where a micro-kernel finds a panel, and its strides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel<T> {
    pub(super) first: *const T,
    pub(super) minor: isize,
    pub(super) depth: isize,
}

/// Calls a micro-kernel for a tile of `rows × columns` over a `depth`, which are the `sizes`; `strides` are the
/// tile's along its rows and columns.
///
/// # Safety
///
/// The kernel is one of this processor's, for such a tile; the panels can be read, and the tile written,
/// where their strides say.
#[inline(always)]
pub(super) unsafe fn call<T: Multiply>(
    kernel: MicroKernelFn<T>,
    [rows, columns, depth]: [usize; 3],
    to: *mut T,
    [row_stride, column_stride]: [isize; 2],
    left: Panel<T>,
    right: Panel<T>,
    accumulate: bool,
) {
    // SAFETY: the caller's promises.
    unsafe {
        kernel(
            rows,
            columns,
            depth,
            to,
            left.first,
            right.first,
            column_stride,
            row_stride,
            left.depth,
            right.depth,
            right.minor,
            T::ONE,
            T::ONE,
            u8::from(accumulate),
            false,
            false,
            false,
            std::ptr::null(),
        );
    }
}

/// A type that the library multiplies.
pub(crate) trait Multiply: Arithmetic {
    /// The kernels of this processor for results of so many rows: the widest whose vectors the
    /// rows fill. All of them add in the same order, with fused multiply-adds where there are.
    fn kernels(rows: usize) -> &'static Kernels<Self>;
}

macro_rules! kernels {
    ($name:ident, $type:ident, $lanes:expr, $($module:ident)::+) => {{
        use $($module)::+::{MR_DIV_N, NR, UKR};
        static TABLE: [[MicroKernelFn<$type>; NR]; MR_DIV_N] = UKR;
        static KERNELS: Kernels<$type> = Kernels {
            lanes: $lanes,
            rows: MR_DIV_N * $lanes,
            columns: NR,
            table: TABLE.as_flattened(),
        };
        &KERNELS
    }};
}

macro_rules! multiply {
    ($type:ident, $crate_name:ident, $wide:expr) => {
        impl Multiply for $type {
            #[inline]
            fn kernels(rows: usize) -> &'static Kernels<Self> {
                let _ = rows;
                #[cfg(all(target_arch = "x86_64", not(miri)))]
                {
                    #[cfg(feature = "x86-v4")]
                    if rows >= $wide && std::arch::is_x86_feature_detected!("avx512f") {
                        return kernels!(
                            V4,
                            $type,
                            $wide,
                            $crate_name::microkernel::avx512f::$type
                        );
                    }
                    if std::arch::is_x86_feature_detected!("fma") {
                        return kernels!(
                            V3,
                            $type,
                            $wide / 2,
                            $crate_name::microkernel::fma::$type
                        );
                    }
                }
                #[cfg(all(target_arch = "aarch64", not(miri)))]
                if std::arch::is_aarch64_feature_detected!("neon") {
                    return kernels!(NEON, $type, $wide / 4, $crate_name::microkernel::neon::$type);
                }
                kernels!(SCALAR, $type, 1, $crate_name::microkernel::scalar::$type)
            }
        }
    };
}

multiply!(f32, gemm_f32, 16);
multiply!(f64, gemm_f64, 8);
