//! The door to the kernels: the stages of a step, compiled here for both precisions.
//!
//! Kernels are generic over the number and the instruction set. Called as generics, every crate that
//! steps agents would compile all of them anew; through [`Number`] they are compiled once, here.

use populace_pool::SharedResource;
use populace_tensor::simd::Real;

use super::act::SampleAction;
use super::bound::CarryBounds;
use super::by_policy::InferByPolicy;
use super::learn::{Expect, Learn};
use super::plan::InferPolicies;
use super::scratch::Scratch;
use super::sequence::InferSequence;
use super::sparse::InferSparse;
use super::states::{InferStates, Predict};
use crate::{Answers, CompiledModel, Model, Result};

/// What agents compute in: `f32` or `f64`, and nothing else.
pub trait Number: Real {
    #[doc(hidden)]
    fn compile(
        model: &Model,
        answers: Answers,
        memory: &SharedResource,
    ) -> Result<CompiledModel<Self>>;

    #[doc(hidden)]
    fn run(stage: Stage, model: &CompiledModel<Self>, scratch: &mut Scratch<Self>);
}

/// A stage of a step.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum Stage {
    Predict,
    InferStates,
    CarryBounds,
    InferSequence,
    InferSparse { agents: usize },
    InferPolicies,
    SampleAction,
    Expect,
    Learn,
}

macro_rules! number {
    ($($number:ty),*) => {$(
        impl Number for $number {
            fn compile(
                model: &Model,
                answers: Answers,
                memory: &SharedResource,
            ) -> Result<CompiledModel<Self>> {
                CompiledModel::compile_for(model, answers, memory)
            }

            fn run(stage: Stage, model: &CompiledModel<Self>, scratch: &mut Scratch<Self>) {
                run(stage, model, scratch);
            }
        }
    )*};
}

number!(f32, f64);

fn run<T: Number>(stage: Stage, model: &CompiledModel<T>, scratch: &mut Scratch<T>) {
    let isa = model.isa;
    match stage {
        Stage::Predict => isa.dispatch(Predict { model, scratch }),
        Stage::InferStates => isa.dispatch(InferStates { model, scratch }),
        Stage::CarryBounds => isa.dispatch(CarryBounds { scratch }),
        Stage::InferSequence => {
            if let Some(by_policy) = &model.by_policy {
                isa.dispatch(InferByPolicy { model, by_policy, scratch });
            } else if let Some(sequence) = model.sequence {
                isa.dispatch(InferSequence { model, sequence, scratch });
            }
        }
        Stage::InferSparse { agents } => {
            if let Some(support) = &model.support {
                isa.dispatch(InferSparse { model, support, scratch, agents });
            }
        }
        Stage::InferPolicies => isa.dispatch(InferPolicies { model, scratch }),
        Stage::SampleAction => isa.dispatch(SampleAction { model, scratch }),
        Stage::Expect => {
            if let Some(learning) = &model.learning {
                isa.dispatch(Expect { model, learning, scratch });
            }
        }
        Stage::Learn => {
            if let Some(learning) = &model.learning {
                isa.dispatch(Learn { model, learning, scratch });
            }
        }
    }
}
