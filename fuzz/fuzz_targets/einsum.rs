//! Whatever text comes as an einsum, and whatever bytes as a plan cache: a result or an error; never a
//! panic.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use populace_pool::{HostHeap, Limit, SharedResource};
use populace_tensor::{Limits, Operand, Planner, Tensor};

fuzz_target!(|bytes: &[u8]| {
    let resource: SharedResource = Arc::new(Limit::new(HostHeap, 16 << 20, 64));
    let limits = Limits { threads: 1, ..Limits::default() };
    let planner = Planner::with_limits(&resource, limits);
    let _ = planner.warm(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let labels = text.chars().filter(char::is_ascii_alphabetic).count();
    if labels > 12 || text.len() > 60 {
        return;
    }
    // As many axes as each operand has labels, and one for an ellipsis; equal labels have equal sizes.
    let inputs = text.split("->").next().unwrap_or(text);
    let tensors: Result<Vec<Tensor>, _> = inputs
        .split(',')
        .map(|operand| {
            let size = |c: char| 1 + c as usize % 3;
            let axes = operand.chars().filter(char::is_ascii_alphabetic).map(size);
            let shape: Vec<usize> = axes.chain(operand.contains("...").then_some(2)).collect();
            let ones = vec![1.0_f32; shape.iter().product()];
            Tensor::from_slice(&resource, &ones, &shape)
        })
        .collect();
    let Ok(tensors) = tensors else { return };
    let operands: Vec<Operand<'_>> = tensors.iter().map(Operand::from).collect();
    if let Err(error) = planner.einsum(text, &operands) {
        assert!(!error.to_string().is_empty());
    }
});
