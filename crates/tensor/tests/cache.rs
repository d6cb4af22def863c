//! Plans are remembered, recorded, saved and warmed.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use populace_tensor::{Dtype, ErrorKind, Operation, Planner};
use support::{resource, tensor};

#[test]
fn a_call_with_the_same_operands_finds_its_plan() {
    let planner = Planner::new(&resource());
    let a = tensor(Dtype::F64, &[2, 3], &[1.0; 6]);
    let b = tensor(Dtype::F64, &[3, 2], &[1.0; 6]);
    let plan = |expression, operand| planner.plan(expression, &[operand]).unwrap();
    assert!(Arc::ptr_eq(&plan("ij->", (&a).into()), &plan("ij->", (&a).into())));
    assert!(!Arc::ptr_eq(&plan("ij->", (&a).into()), &plan("ij->", (&b).into())));
    assert!(!Arc::ptr_eq(&plan("ij->", (&a).into()), &plan("ij->i", (&a).into())));
    let transposed = a.view::<f64>().unwrap().permuted(&[1, 0]).unwrap();
    assert!(!Arc::ptr_eq(&plan("ij->", (&b).into()), &plan("ij->", transposed.into())));
}

#[test]
fn calls_are_recorded_on_request() {
    let planner = Planner::new(&resource());
    let a = tensor(Dtype::F32, &[4, 4], &[1.0; 16]);
    planner.matmul(&a, &a).unwrap();
    assert_eq!(planner.recorded(), []);
    planner.record(true);
    planner.matmul(&a, &a).unwrap();
    planner.matmul(&a, &a).unwrap();
    planner.einsum("ij->", &[(&a).into()]).unwrap();
    planner.record(false);
    planner.matmul(&a, &a).unwrap();
    let recorded = planner.recorded();
    assert_eq!(recorded.len(), 2);
    assert_eq!(recorded[0].operation, Operation::Matmul);
    assert_eq!(recorded[0].operands, [(Dtype::F32, vec![4, 4]), (Dtype::F32, vec![4, 4])]);
    assert_eq!((recorded[0].calls, recorded[0].multiply_adds), (2, 64));
    assert_eq!((recorded[1].calls, recorded[1].multiply_adds), (1, 16));
}

#[test]
fn a_saved_cache_warms_another_planner() {
    let planner = Planner::new(&resource());
    let a = tensor(Dtype::F32, &[4, 4], &[1.0; 16]);
    let mut out = tensor(Dtype::F64, &[4, 4], &[0.0; 16]);
    planner.matmul(&a, &a).unwrap();
    planner.dot(&a, &a).unwrap();
    planner.einsum("ij,jk,kl->il", &[(&a).into(), (&a).into(), (&a).into()]).unwrap();
    planner.einsum_into("ij->ji", &[(&a).into()], &mut out).unwrap();
    let mut file = Vec::new();
    planner.save(&mut file).unwrap();

    let warmed = Planner::new(&resource());
    assert_eq!(warmed.warm(file.as_slice()).unwrap(), 4);
    assert_eq!(warmed.warm(file.as_slice()).unwrap(), 4);
    let mut again = Vec::new();
    warmed.save(&mut again).unwrap();
    assert_eq!(file, again);
    assert_eq!(warmed.matmul(&a, &a).unwrap().as_slice::<f32>().unwrap(), [4.0; 16]);
    assert_eq!(warmed.recorded(), []);
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing() {
    let planner = Planner::new(&resource());
    let refuse = |file: &str| {
        let error = planner.warm(file.as_bytes()).unwrap_err();
        let mut kept = Vec::new();
        planner.save(&mut kept).unwrap();
        assert_eq!(kept, br#"{"version":1,"plans":[]}"#);
        error
    };
    for file in ["", "[]", "{\"version\":1}", "{\"version\":2,\"plans\":[]}", "{\"plans\":[]}"] {
        assert!(matches!(refuse(file).kind(), ErrorKind::CacheFile(_)), "{file}");
    }
    assert!(refuse("{\"version\":7}").to_string().contains("version 7"));
    let array = |shape: &str, strides: &str| {
        format!(r#"{{"dtype":"f64","shape":{shape},"strides":{strides}}}"#)
    };
    let (good, huge) = (array("[2]", "[1]"), array("[18446744073709551615]", "[1]"));
    let entry = |text: &str, array: &str| {
        format!(r#"{{"operation":{{"einsum":"{text}"}},"operands":[{array}]}}"#)
    };
    let file =
        |second: &str| format!(r#"{{"version":1,"plans":[{},{second}]}}"#, entry("i->", &good));
    assert_eq!(refuse(&file(&entry("i->", &huge))).kind(), &ErrorKind::Overflow);
    assert_eq!(refuse(&file(&entry("i->j", &good))).kind(), &ErrorKind::UnknownOutputLabel('j'));
    assert!(matches!(refuse(&file(&entry("ij->", &good))).kind(), ErrorKind::Rank { .. }));
}
