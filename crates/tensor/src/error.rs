//! What can go wrong with tensors, and where in the expression it went wrong.

use std::fmt;

use populace_pool::Bytes;

use crate::Dtype;

/// The result of an operation on tensors.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a tensor operation was refused. Whatever the kind, nothing was written to `out`.
///
/// The message quotes the expression, with a caret under the part that is at fault:
///
/// ```
/// # use populace_tensor::{Planner, View};
/// # let pages = std::sync::Arc::new(populace_pool::Pages) as populace_pool::SharedResource;
/// let planner = Planner::new(&pages);
/// let a = View::new(&[1.0, 2.0, 3.0], &[3])?;
/// let b = View::new(&[1.0, 2.0], &[2])?;
/// let error = planner.einsum("i,i->", &[a.into(), b.into()]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "label 'i' has size 2 in operand 1, but size 3 elsewhere\n  i,i->\n    ^"
/// );
/// # Ok::<(), populace_tensor::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    place: Option<Place>,
}

/// A part of an expression.
#[derive(Debug, Clone)]
struct Place {
    expression: String,
    at: usize,
}

/// The kinds of [`Error`].
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// The expression has no characters.
    EmptyExpression,
    /// A character that is no label, comma, arrow, ellipsis or space.
    BadCharacter(char),
    /// An expression names another number of operands than was given.
    OperandCount {
        /// How many the expression names.
        expected: usize,
        /// How many were given.
        given: usize,
    },
    /// An operand has fewer or more axes than its labels.
    Rank {
        /// Which operand, from 0.
        operand: usize,
        /// How many labels it has (at least that many, where it has an ellipsis).
        labels: usize,
        /// How many axes it has.
        axes: usize,
    },
    /// One label has two sizes.
    Contradiction {
        /// The label, or `.` for an axis of the ellipsis.
        label: char,
        /// Which operand, from 0.
        operand: usize,
        /// The label's size there.
        size: usize,
        /// Its size elsewhere.
        elsewhere: usize,
    },
    /// An output label is in no operand.
    UnknownOutputLabel(char),
    /// An output label stands twice.
    RepeatedOutputLabel(char),
    /// The operands' ellipses stand for axes that the output does not have.
    EllipsisNotInOutput,
    /// More than 52 labels, axes of ellipses included.
    TooManyLabels,
    /// A shape has more elements than can be addressed.
    Overflow,
    /// The shapes do not go together under the operation's rule.
    Shapes {
        /// The first operand's shape.
        left: Vec<usize>,
        /// The second operand's shape.
        right: Vec<usize>,
        /// The rule.
        rule: &'static str,
    },
    /// `out` has another shape than the result.
    OutputShape {
        /// The result's shape.
        expected: Vec<usize>,
        /// The shape of `out`.
        given: Vec<usize>,
    },
    /// The result cannot be stored as `out` asks.
    OutputDtype {
        /// The result's type.
        result: Dtype,
        /// The type of `out`.
        out: Dtype,
    },
    /// A tensor was asked for elements of a type that is not its own.
    ElementType {
        /// The tensor's type.
        tensor: Dtype,
        /// The type that was asked for.
        asked: Dtype,
    },
    /// A type that tensors do not have: of the integers, only bytes are calculated with.
    NotCalculated {
        /// The type.
        dtype: Dtype,
    },
    /// `out` shares memory with an operand.
    Aliased {
        /// Which operand, from 0.
        operand: usize,
    },
    /// A view would reach outside its memory.
    OutOfBounds {
        /// Elements that are there.
        available: usize,
        /// Elements that the view needs.
        needed: usize,
    },
    /// A view that is written would hold one element twice.
    SelfOverlap,
    /// An axis that is not there, or not what the operation needs.
    BadAxis {
        /// The axis.
        axis: usize,
        /// The number of axes.
        axes: usize,
    },
    /// The plan's temporaries exceed the budget.
    OverBudget {
        /// What the plan needs, in bytes.
        needed_bytes: u64,
        /// What it may use, in bytes.
        budget_bytes: u64,
    },
    /// Compressed columns that contradict themselves.
    BadColumns(&'static str),
    /// The pool gave no memory.
    Memory(populace_pool::ErrorKind),
    /// A plan cache that cannot be read or written.
    CacheFile(String),
}

impl Error {
    /// Makes an error of a kind.
    pub fn new(kind: ErrorKind) -> Self {
        Self { inner: Box::new(Inner { kind, place: None }) }
    }

    /// Names the byte of `expression` that is at fault.
    pub(crate) fn at(kind: ErrorKind, expression: &str, at: usize) -> Self {
        let place = Place { expression: expression.to_owned(), at };
        Self { inner: Box::new(Inner { kind, place: Some(place) }) }
    }

    /// What kind of error this is.
    pub fn kind(&self) -> &ErrorKind {
        &self.inner.kind
    }
}

impl From<populace_pool::Error> for Error {
    fn from(error: populace_pool::Error) -> Self {
        Self::new(ErrorKind::Memory(error.kind().clone()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner.kind)?;
        let Some(place) = &self.inner.place else { return Ok(()) };
        let column = place.expression.get(..place.at).map_or(0, |before| before.chars().count());
        write!(f, "\n  {}\n  {:column$}^", place.expression, "")
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyExpression => write!(f, "the expression is empty"),
            Self::BadCharacter(c) => write!(
                f,
                "'{c}' has no meaning here; labels are a-z and A-Z, operands are separated by \
                 ',', the output follows '->', and '...' stands for further axes"
            ),
            Self::OperandCount { expected, given } => {
                write!(f, "the expression names {expected} operands, but {given} were given")
            }
            Self::Rank { operand, labels, axes } => {
                write!(f, "operand {operand} has {axes} axes, but {labels} labels")
            }
            Self::Contradiction { label: '.', operand, size, elsewhere } => write!(
                f,
                "an axis of '...' has size {size} in operand {operand}, but size {elsewhere} \
                 elsewhere"
            ),
            Self::Contradiction { label, operand, size, elsewhere } => write!(
                f,
                "label '{label}' has size {size} in operand {operand}, but size {elsewhere} \
                 elsewhere"
            ),
            Self::UnknownOutputLabel(c) => write!(f, "output label '{c}' is in no operand"),
            Self::RepeatedOutputLabel(c) => write!(f, "output label '{c}' stands twice"),
            Self::EllipsisNotInOutput => {
                write!(f, "an operand's '...' stands for axes that the output does not have")
            }
            Self::TooManyLabels => {
                write!(f, "more than 52 labels, the axes of '...' included")
            }
            Self::Overflow => write!(f, "a shape has more elements than can be addressed"),
            Self::Shapes { left, right, rule } => {
                write!(f, "shapes {left:?} and {right:?} do not go together: {rule}")
            }
            Self::OutputShape { expected, given } => {
                write!(f, "the result has shape {expected:?}, but out has shape {given:?}")
            }
            Self::OutputDtype { result, out } => {
                write!(f, "a result of type {result} cannot be stored in out of type {out}")
            }
            Self::ElementType { tensor, asked } => {
                write!(f, "the tensor's elements are {tensor}, and {asked} was asked for")
            }
            Self::NotCalculated { dtype } => write!(
                f,
                "{dtype} is not calculated with; float64, float32, float16, bfloat16 and uint8 are"
            ),
            Self::Aliased { operand } => write!(f, "out shares memory with operand {operand}"),
            Self::OutOfBounds { available, needed } => {
                write!(f, "the view reaches over {needed} elements, but {available} are there")
            }
            Self::SelfOverlap => {
                write!(f, "a view that is written may not hold one element twice")
            }
            Self::BadAxis { axis, axes } => {
                write!(f, "axis {axis} does not exist or does not fit a view of {axes} axes")
            }
            Self::OverBudget { needed_bytes, budget_bytes } => write!(
                f,
                "the plan needs {} for temporaries, but may use {}",
                Bytes(*needed_bytes),
                Bytes(*budget_bytes)
            ),
            Self::BadColumns(rule) => write!(f, "compressed columns are malformed: {rule}"),
            Self::Memory(kind) => write!(f, "{}", populace_pool::Error::new(kind.clone())),
            Self::CacheFile(reason) => write!(f, "the plan cache cannot be used: {reason}"),
        }
    }
}

impl std::error::Error for Error {}
