//! `populace infer`: what agents believe and choose, given what was recorded.

mod shown;

use std::path::PathBuf;

use clap::Args;
use populace_agent::{Model, ModelFile, NamedTensor, Recording, Values, write_tensors};
use populace_population::{Inference, Settings, infer};

use crate::failure::{Failure, Outcome};
use crate::flags::{Belief, Precision, at_least_one, count, threads};
use crate::output::print;
use crate::prim;

/// Give agents recorded observations; show what they believe and choose
///
/// Where the recording has actions, beliefs follow them.
#[derive(Debug, Args)]
pub(crate) struct Infer {
    /// A model file
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// A file with observations, and actions if they are known [default: the model file's own]
    #[arg(long, value_name = "FILE")]
    observations: Option<PathBuf>,
    /// Write beliefs, policies and actions to a safetensors file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The arithmetic
    #[arg(long, default_value = "f32")]
    precision: Precision,
    /// How many agents get the observations; the last one's answers are shown
    #[arg(long, value_name = "N", default_value = "1", value_parser = count)]
    agents: u64,
    /// How beliefs are stored
    #[arg(long, value_name = "TIER", default_value = "auto")]
    belief: Belief,
    /// Mass that a step may drop from a belief, smallest entries first
    #[arg(long, value_name = "M", default_value = "0")]
    mass: f64,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<usize>,
}

impl Infer {
    pub(crate) fn execute(&self) -> Outcome {
        at_least_one("agents", self.agents)?;
        let mut file = ModelFile::open(&self.model)?;
        let model = file.model()?;
        let recording = match &self.observations {
            Some(path) => Recording::load(path, &model)?,
            None => file.recording(&model)?.ok_or_else(|| {
                Failure::input(format!(
                    "{}: has no observations, and no --observations FILE is given",
                    self.model.display()
                ))
            })?,
        };
        let settings = Settings {
            agents: self.agents,
            // There is no flag for it: what the machine has is the bound.
            budget_bytes: prim::machine_bytes().unwrap_or(u64::MAX),
            threads: self.threads.unwrap_or(0),
            belief: self.belief.into(),
            mass: self.mass,
            precision: self.precision.into(),
            ..Settings::default()
        };
        let title = self.model.display().to_string();
        let inference = infer(&model, &recording, &settings)
            .map_err(|error| Failure::from(error).within(&title))?;
        let answers = answers(&model, inference, self.precision);
        if let Some(path) = &self.output {
            return Ok(write_tensors(path, &answers)?);
        }
        let mut text = format!("{title}\n\n");
        text.push_str(&shown::steps(&recording, &answers));
        if self.observations.is_none() {
            text.push_str(&shown::against_reference(&mut file, &answers)?);
        }
        print(&text)
    }
}

/// The answers by the names of a reference's `expect.…`, a row a step (counts: an update).
pub(crate) fn answers(
    model: &Model,
    inference: Inference,
    precision: Precision,
) -> Vec<NamedTensor> {
    let steps = inference.steps;
    let tensor = |name: String, values: Values| {
        let width = values.len() / steps.max(1);
        NamedTensor { name, shape: vec![steps, width], values }
    };
    let reals = |values: Vec<f64>| match precision {
        // They were computed in single precision, so nothing is lost.
        Precision::F32 => Values::F32(values.into_iter().map(|value| value as f32).collect()),
        Precision::F64 => Values::F64(values),
    };
    let beliefs = inference.qs.into_iter().enumerate();
    let mut answers: Vec<NamedTensor> =
        beliefs.map(|(factor, qs)| tensor(format!("qs.{factor}"), reals(qs))).collect();
    // What was not computed has no tensor: policies past counting have no −EFE each, and q_first is
    // told instead of q_pi.
    let policies = [
        ("neg_efe", inference.neg_efe),
        ("free_energy", inference.free_energy),
        ("q_pi", inference.q_pi),
        ("q_first", inference.q_first),
    ];
    for (name, values) in policies {
        if !values.is_empty() {
            answers.push(tensor(name.to_owned(), reals(values)));
        }
    }
    for (factor, qs) in inference.qs_policy.into_iter().enumerate() {
        let (policies, states) = (inference.policies, model.b[factor].rows());
        let shape = vec![policies, qs.len() / (policies * states), states];
        let name = format!("qs_policy.{factor}");
        answers.push(NamedTensor { name, shape, values: reals(qs) });
    }
    answers.push(tensor("action".to_owned(), Values::I32(inference.action)));
    if !inference.p_e_after.is_empty() {
        let policies = model.p_e.len();
        let shape = vec![inference.p_e_after.len() / policies, policies];
        let values = reals(inference.p_e_after);
        answers.push(NamedTensor { name: "pE_after".to_owned(), shape, values });
    }
    let families = [
        ("pA_after", inference.p_a_after, &model.p_a),
        ("pB_after", inference.p_b_after, &model.p_b),
        ("pD_after", inference.p_d_after, &model.p_d),
    ];
    for (family, all, like) in families {
        for (index, (counts, like)) in all.into_iter().zip(like).enumerate() {
            let updates = counts.len() / like.len().max(1);
            let shape = std::iter::once(updates).chain(like.shape().iter().copied()).collect();
            let name = format!("{family}.{index}");
            answers.push(NamedTensor { name, shape, values: reals(counts) });
        }
    }
    answers
}
