//! NumPy's answers (`corpus.json`, written by `make_corpus.py`).
#![allow(clippy::unwrap_used)]

mod support;

use populace_tensor::{Dtype, Operand, Planner, Tensor};
use serde_json::Value;
use support::{Geometry, close, element, operand, resource, tensor, values};

fn numbers(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some(text) => text.parse().unwrap(),
        None => value.as_f64().unwrap(),
    }
}

fn dtype(value: &Value) -> Dtype {
    serde_json::from_value(value.clone()).unwrap()
}

fn geometry(spec: &Value) -> Geometry {
    let slices = spec.get("slices").and_then(Value::as_array).into_iter().flatten();
    let slice = |entry: &Value| {
        let at = |i: usize| entry[i].as_i64().unwrap();
        (at(0) as usize, at(1) as usize, at(2) as isize)
    };
    Geometry {
        slices: slices.map(slice).collect(),
        order: spec.get("order").map(numbers),
        broadcast: spec.get("broadcast").map(numbers),
    }
}

fn parent(spec: &Value) -> Tensor {
    let (shape, dtype) = (numbers(&spec["base"]), dtype(&spec["dtype"]));
    let count = shape.iter().product::<usize>() as u64;
    let seed = spec["seed"].as_u64().unwrap();
    let mut elements: Vec<f64> = (0..count).map(|i| element(dtype, seed, i)).collect();
    for entry in spec.get("special").and_then(Value::as_array).into_iter().flatten() {
        elements[entry[0].as_u64().unwrap() as usize] = number(&entry[1]);
    }
    tensor(dtype, &shape, &elements)
}

#[test]
fn numpy_answers_the_same() {
    let corpus = include_str!("corpus.json");
    let corpus: Value = serde_json::from_str(corpus).unwrap();
    let cases = corpus["cases"].as_array().unwrap();
    assert!(cases.len() >= 500);
    let planner = Planner::new(&resource());
    let mut failures = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let specs = case["operands"].as_array().unwrap();
        let parents: Vec<Tensor> = specs.iter().map(parent).collect();
        let operands: Vec<Operand<'_>> = parents
            .iter()
            .zip(specs)
            .map(|(parent, spec)| operand(parent, &geometry(spec)))
            .collect();
        let (left, right) = (operands.first().unwrap().clone(), operands.last().unwrap().clone());
        let result = match case["operation"].as_str().unwrap() {
            "matmul" => planner.matmul(left, right),
            "dot" => planner.dot(left, right),
            _ => planner.einsum(case["expression"].as_str().unwrap(), &operands),
        };
        let name = format!("case {index}: {} {specs:?}", case["expression"]);
        let result = match result {
            Ok(result) => result,
            Err(error) => {
                failures.push(format!("{name}\n{error}"));
                continue;
            }
        };
        let expected: Vec<f64> = case["values"].as_array().unwrap().iter().map(number).collect();
        let (k, scale) = (number(&case["k"]), number(&case["scale"]));
        let dtype = dtype(&case["dtype"]);
        let got = values(&result);
        if result.shape() != numbers(&case["shape"]) || result.dtype() != dtype {
            failures.push(format!("{name}\n{:?} {}", result.shape(), result.dtype()));
        } else if !got.iter().zip(&expected).all(|(&got, &want)| close(dtype, k, scale, got, want))
        {
            failures.push(format!("{name}\n got {got:?}\nwant {expected:?}"));
        }
    }
    let shown = failures.iter().take(5).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(failures.is_empty(), "{} of {} differ:\n{shown}", failures.len(), cases.len());
}
