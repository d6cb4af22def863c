//! Bad input: a typed error that says where, and `out` as it was.
#![allow(clippy::unwrap_used)]

mod support;

use populace_pool::{Limit, Pages, SharedResource};
use populace_tensor::{Dtype, Error, ErrorKind, Limits, Operand, Planner, Tensor, View, ViewMut};
use support::{resource, tensor};

/// Runs an einsum that must fail, and checks that `out` was not written.
fn refused(expression: &str, shapes: &[&[usize]], out: &[usize]) -> Error {
    let planner = Planner::new(&resource());
    let ones = |shape: &&[usize]| tensor(Dtype::F64, shape, &vec![1.0; shape.iter().product()]);
    let operands: Vec<Tensor> = shapes.iter().map(ones).collect();
    let operands: Vec<Operand<'_>> = operands.iter().map(Operand::from).collect();
    let mut memory = vec![-7.5; out.iter().product()];
    let view = ViewMut::new(&mut memory, out).unwrap();
    let error = planner.einsum_into(expression, &operands, view).unwrap_err();
    assert!(memory.iter().all(|&value| value == -7.5), "out was written: {error}");
    error
}

/// An expression, the operands' shapes, that of `out`, the error, and where its caret stands.
type Mistake<'m> = (&'m str, &'m [&'m [usize]], &'m [usize], ErrorKind, usize);

#[test]
fn expressions_are_quoted_with_a_caret() {
    let cases: &[Mistake<'_>] = &[
        ("", &[&[2]], &[2], ErrorKind::EmptyExpression, 0),
        ("  ", &[&[2]], &[2], ErrorKind::EmptyExpression, 0),
        ("i,j->k", &[&[2], &[2]], &[2], ErrorKind::UnknownOutputLabel('k'), 5),
        ("ij->ii", &[&[2, 2]], &[2, 2], ErrorKind::RepeatedOutputLabel('i'), 5),
        ("ij>i", &[&[2, 2]], &[2], ErrorKind::BadCharacter('>'), 2),
        ("i1->i", &[&[2, 2]], &[2], ErrorKind::BadCharacter('1'), 1),
        ("i..->i", &[&[2, 2]], &[2], ErrorKind::BadCharacter('.'), 1),
        ("i->i->i", &[&[2]], &[2], ErrorKind::BadCharacter('-'), 4),
        ("i->i,i", &[&[2]], &[2], ErrorKind::BadCharacter(','), 4),
        ("i...i...->i", &[&[2, 2]], &[2], ErrorKind::BadCharacter('.'), 5),
        (
            "ij,jk->ik",
            &[&[2, 3], &[4, 2]],
            &[2, 2],
            ErrorKind::Contradiction { label: 'j', operand: 1, size: 4, elsewhere: 3 },
            3,
        ),
        (
            "...,...->...",
            &[&[2], &[3]],
            &[3],
            ErrorKind::Contradiction { label: '.', operand: 1, size: 3, elsewhere: 2 },
            4,
        ),
        ("i,j->ij", &[&[2]], &[2, 2], ErrorKind::OperandCount { expected: 2, given: 1 }, 2),
        ("i,ijk->i", &[&[2], &[2, 2]], &[2], ErrorKind::Rank { operand: 1, labels: 3, axes: 2 }, 2),
        ("...i->i", &[&[2, 2]], &[2], ErrorKind::EllipsisNotInOutput, 6),
    ];
    for (expression, shapes, out, kind, column) in cases {
        let error = refused(expression, shapes, out);
        assert_eq!(error.kind(), kind, "{expression}");
        let quoted = format!("\n  {expression}\n  {:column$}^", "");
        assert!(error.to_string().ends_with(&quoted), "{error}");
    }
}

#[test]
fn more_than_52_labels_are_refused() {
    let letters: String = ('a'..='z').chain('A'..='Z').collect();
    let error = refused(&format!("{letters}...->"), &[&[1; 53]], &[]);
    assert_eq!(error.kind(), &ErrorKind::TooManyLabels);
    assert!(error.to_string().ends_with(&format!("{:52}^", "")));
}

#[test]
fn results_that_cannot_be_addressed_are_refused() {
    let planner = Planner::new(&resource());
    let one = [1.0];
    let big = View::with_strides(&one, &[1 << 30], &[0], 0).unwrap();
    let big = || Operand::from(&big);
    let error = planner.einsum("i,j,k->ijk", &[big(), big(), big()]).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Overflow);
    assert!(error.to_string().contains("\n  i,j,k->ijk\n"));
    // A temporary that cannot be had is refused before anything runs.
    let error = planner.einsum("i,j,kl->kl", &[big(), big(), big()]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Rank { .. }));
}

#[test]
fn out_must_fit() {
    let error = refused("ij->ji", &[&[2, 3]], &[2, 3]);
    let (expected, given) = (vec![3, 2], vec![2, 3]);
    assert_eq!(error.kind(), &ErrorKind::OutputShape { expected, given });

    let planner = Planner::new(&resource());
    let a = tensor(Dtype::F64, &[2], &[1.0, 2.0]);
    let mut out = [-1.0_f32; 2];
    let view = ViewMut::new(&mut out, &[2]).unwrap();
    let error = planner.einsum_into("i->i", &[(&a).into()], view).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::OutputDtype { result: Dtype::F64, out: Dtype::F32 });
    assert_eq!(out, [-1.0; 2]);
    // The products cast floats to floats, as NumPy's do, but not floats to integers.
    let view = ViewMut::new(&mut out[..1], &[]).unwrap();
    planner.dot_into(&a, &a, view).unwrap();
    assert_eq!(out[0], 5.0);
    let mut byte = [9_u8];
    let view = ViewMut::new(&mut byte, &[]).unwrap();
    assert!(planner.dot_into(&a, &a, view).is_err());
    assert_eq!(byte, [9]);
}

#[test]
fn operands_may_not_alias_out() {
    let planner = Planner::new(&resource());
    let mut memory = [1.0, 2.0, 3.0, 4.0];
    let first = std::ptr::NonNull::from(&mut memory).cast::<f64>();
    for (from, to) in [(0, 0), (0, 1), (1, 0)] {
        // SAFETY: both views lie inside the array; the call must refuse before it uses both.
        let (operand, out) = unsafe {
            let operand = View::from_raw(first.add(from), &[3], &[1]).unwrap();
            (operand, ViewMut::from_raw(first.add(to), &[3], &[1]).unwrap())
        };
        let error = planner.einsum_into("i->i", &[operand.into()], out).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Aliased { operand: 0 });
    }
    assert_eq!(memory, [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_plan_over_budget_is_refused_before_it_starts() {
    let limits = Limits { temporary_bytes: 1000, ..Limits::default() };
    let planner = Planner::with_limits(&resource(), limits);
    let a = tensor(Dtype::F64, &[40, 40], &vec![1.0; 1600]);
    let mut out = vec![-7.5; 1600];
    let view = ViewMut::new(&mut out, &[40, 40]).unwrap();
    let operands = [(&a).into(), (&a).into(), (&a).into()];
    let error = planner.einsum_into("ij,jk,kl->il", &operands, view).unwrap_err();
    let ErrorKind::OverBudget { needed_bytes, budget_bytes: 1000 } = *error.kind() else {
        panic!("{error}");
    };
    assert!(needed_bytes >= 40 * 40 * 8);
    assert!(error.to_string().starts_with("the plan needs"));
    assert!(out.iter().all(|&value| value == -7.5));
    // What needs no temporaries runs.
    let view = ViewMut::new(&mut out[..40], &[40]).unwrap();
    planner.einsum_into("ij->i", &[(&a).into()], view).unwrap();
    assert_eq!(out[0], 40.0);
}

#[test]
fn memory_that_the_pool_refuses_is_an_error() {
    let limited: SharedResource = std::sync::Arc::new(Limit::new(Pages, 4096, 1));
    let planner = Planner::new(&limited);
    let a = tensor(Dtype::F64, &[64, 64], &vec![1.0; 4096]);
    let error = planner.matmul(&a, &a).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Memory(_)), "{error}");
}

#[test]
fn shapes_of_products_must_agree() {
    let planner = Planner::new(&resource());
    let ones = |shape: &[usize]| tensor(Dtype::F64, shape, &vec![1.0; shape.iter().product()]);
    for (left, right) in
        [(&[2, 3][..], &[2, 3][..]), (&[3], &[]), (&[2, 2, 3], &[3, 3, 2]), (&[3], &[2, 2])]
    {
        let error = planner.matmul(&ones(left), &ones(right)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Shapes { .. }), "{left:?} {right:?}: {error}");
    }
    let error = planner.dot(&ones(&[2, 3]), &ones(&[2, 3])).unwrap_err();
    assert!(error.to_string().contains("[2, 3] and [2, 3]"), "{error}");
}

#[test]
fn views_stay_inside_their_memory() {
    let memory = [0.0; 6];
    let kind = |result: Result<View<'_, f64>, Error>| result.unwrap_err().kind().clone();
    assert!(matches!(kind(View::new(&memory, &[2, 4])), ErrorKind::OutOfBounds { .. }));
    let strided = |shape: &[usize], strides: &[isize], offset| {
        View::with_strides(&memory, shape, strides, offset)
    };
    assert!(matches!(kind(strided(&[3], &[3], 0)), ErrorKind::OutOfBounds { needed: 7, .. }));
    assert!(matches!(kind(strided(&[3], &[-1], 1)), ErrorKind::OutOfBounds { .. }));
    assert!(matches!(kind(strided(&[2], &[1, 1], 0)), ErrorKind::BadAxis { .. }));
    assert!(strided(&[0], &[100], 900).is_ok());
    let mut memory = memory;
    let overlapping = ViewMut::with_strides(&mut memory, &[3, 2], &[1, 1], 0);
    assert_eq!(overlapping.unwrap_err().kind(), &ErrorKind::SelfOverlap);
}

#[test]
fn integers_but_bytes_are_not_calculated_with() {
    let error = Tensor::uninit(&resource(), Dtype::I32, &[2]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "int32 is not calculated with; float64, float32, float16, bfloat16 and uint8 are"
    );
    let array = r#"{"dtype": "i64", "shape": [2], "strides": [1]}"#;
    let file = format!(
        r#"{{"version": 1, "plans": [{{"operation": "dot", "operands": [{array}, {array}]}}]}}"#
    );
    let planner = Planner::new(&resource());
    let error = planner.warm(file.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotCalculated { dtype: Dtype::I64 });
}
