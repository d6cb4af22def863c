//! What the test binaries share: the corpus' numbers, and operands made from them.
#![allow(dead_code, unreachable_pub)]

pub mod oracle;

use populace_pool::{Pages, SharedResource};
use populace_tensor::{Dtype, Element, Operand, Tensor};

pub fn resource() -> SharedResource {
    std::sync::Arc::new(Pages)
}

/// The upper 16 bits of a hash of `seed + i`.
fn hash(seed: u64, i: u64) -> u64 {
    (i + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48
}

/// Element `i` of the array of a seed, as `make_corpus.py` makes it.
pub fn element(dtype: Dtype, seed: u64, i: u64) -> f64 {
    let h = hash(seed, i);
    match dtype {
        Dtype::U8 => (h % 256) as f64,
        Dtype::F16 | Dtype::Bf16 => (h >> 8 << 8) as f64 / 32768.0 - 1.0,
        Dtype::F32 | Dtype::F64 => h as f64 / 32768.0 - 1.0,
        other => unreachable!("{other} is not calculated with"),
    }
}

/// A row-major tensor of these values.
pub fn tensor(dtype: Dtype, shape: &[usize], values: &[f64]) -> Tensor {
    fn of<T: Element>(shape: &[usize], values: &[f64], from: impl Fn(f64) -> T) -> Tensor {
        let values: Vec<T> = values.iter().map(|&value| from(value)).collect();
        Tensor::from_slice(&resource(), &values, shape).unwrap()
    }
    match dtype {
        Dtype::U8 => of(shape, values, |v| v as u8),
        Dtype::F16 => of(shape, values, half::f16::from_f64),
        Dtype::Bf16 => of(shape, values, half::bf16::from_f64),
        Dtype::F32 => of(shape, values, |v| v as f32),
        Dtype::F64 => of(shape, values, |v| v),
        other => unreachable!("{other} is not calculated with"),
    }
}

/// The elements of a tensor.
pub fn values(tensor: &Tensor) -> Vec<f64> {
    match tensor.dtype() {
        Dtype::U8 => tensor.as_slice::<u8>().unwrap().iter().map(|&v| f64::from(v)).collect(),
        Dtype::F16 => tensor.as_slice::<half::f16>().unwrap().iter().map(|v| v.to_f64()).collect(),
        Dtype::Bf16 => {
            tensor.as_slice::<half::bf16>().unwrap().iter().map(|v| v.to_f64()).collect()
        }
        Dtype::F32 => tensor.as_slice::<f32>().unwrap().iter().map(|&v| f64::from(v)).collect(),
        Dtype::F64 => tensor.as_slice::<f64>().unwrap().to_vec(),
        other => unreachable!("{other} is not calculated with"),
    }
}

/// How a view of a tensor is made.
#[derive(Debug, Clone, Default)]
pub struct Geometry {
    /// Start, count and step for every axis.
    pub slices: Vec<(usize, usize, isize)>,
    pub order: Option<Vec<usize>>,
    pub broadcast: Option<Vec<usize>>,
}

/// A view of a tensor, of any type.
pub fn operand<'t>(tensor: &'t Tensor, geometry: &Geometry) -> Operand<'t> {
    fn of<'t, T: Element>(tensor: &'t Tensor, geometry: &Geometry) -> Operand<'t> {
        let mut view = tensor.view::<T>().unwrap();
        for (axis, &(start, count, step)) in geometry.slices.iter().enumerate() {
            view = view.sliced(axis, start, count, step).unwrap();
        }
        if let Some(order) = &geometry.order {
            view = view.permuted(order).unwrap();
        }
        if let Some(shape) = &geometry.broadcast {
            view = view.broadcast(shape).unwrap();
        }
        view.into()
    }
    match tensor.dtype() {
        Dtype::U8 => of::<u8>(tensor, geometry),
        Dtype::F16 => of::<half::f16>(tensor, geometry),
        Dtype::Bf16 => of::<half::bf16>(tensor, geometry),
        Dtype::F32 => of::<f32>(tensor, geometry),
        Dtype::F64 => of::<f64>(tensor, geometry),
        other => unreachable!("{other} is not calculated with"),
    }
}

/// How far a result may be from the exact one: 4 ulp·√k of the largest sum of absolute terms in
/// the arithmetic's type, and the rounding of the type that it is stored in.
pub fn tolerance(dtype: Dtype, terms: f64, scale: f64, value: f64) -> f64 {
    let (arithmetic, storage) = match dtype {
        Dtype::U8 => (0.0, 0.0),
        Dtype::F16 => (f32::EPSILON.into(), half::f16::EPSILON.to_f64()),
        Dtype::Bf16 => (f32::EPSILON.into(), half::bf16::EPSILON.to_f64()),
        Dtype::F32 => (f32::EPSILON.into(), 0.0),
        Dtype::F64 => (f64::EPSILON, 0.0),
        other => unreachable!("{other} is not calculated with"),
    };
    4.0 * arithmetic * terms.sqrt() * scale + storage * (value.abs() + 1e-6)
}

/// Whether a result is the exact one, up to rounding; NaN equals NaN.
pub fn close(dtype: Dtype, terms: f64, scale: f64, got: f64, exact: f64) -> bool {
    let wanted = match dtype {
        Dtype::F16 => half::f16::from_f64(exact).to_f64(),
        _ => exact,
    };
    if wanted.is_nan() || got.is_nan() {
        return wanted.is_nan() && got.is_nan();
    }
    if wanted.is_infinite() || got.is_infinite() {
        return wanted == got;
    }
    (got - exact).abs() <= tolerance(dtype, terms, scale, exact)
}
