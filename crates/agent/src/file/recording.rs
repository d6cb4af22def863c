//! What was recorded of an agent: its observations, and the actions that were taken.

use std::path::Path;

use super::ModelFile;
use super::names::Name;
use crate::model::arguments::Dialect;
use crate::model::tensor::tuple;
use crate::{Error, Model, Result};

/// Observations of one agent over time, and the actions that were really taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// How many steps.
    pub steps: usize,
    /// What was observed at each.
    pub observations: Observations,
    /// (steps, F) row-major: the flat action of every state factor, where they are known. The
    /// action of step t leads to step t + 1.
    pub actions: Option<Vec<u32>>,
}

/// Observations over time.
#[derive(Debug, Clone, PartialEq)]
pub enum Observations {
    /// (steps, M) row-major: an outcome of every modality; −1 is a missing one (`pymdp-1`).
    Discrete(Vec<i32>),
    /// For every modality (steps, O_m) row-major: a distribution over outcomes; all zeros are a
    /// missing observation.
    Soft(Vec<Vec<f64>>),
}

impl Recording {
    /// Reads a recording from a file of its own, or from beside another model.
    ///
    /// # Errors
    ///
    /// One line that starts with the path: there are no observations, or they do not fit `model`.
    pub fn load(path: impl AsRef<Path>, model: &Model) -> Result<Self> {
        let mut file = ModelFile::open(path)?;
        let recording = file.recording(model)?;
        recording.ok_or_else(|| {
            Error::invalid("observations: are missing").within(file.path().display())
        })
    }

    /// Checks that the recording fits a model.
    ///
    /// # Errors
    ///
    /// The first observation or action that does not fit, with its place and value.
    pub fn check(&self, model: &Model) -> Result<()> {
        if self.steps == 0 {
            return Err(Error::invalid("observations: there are no steps"));
        }
        match &self.observations {
            Observations::Discrete(outcomes) => self.check_discrete(model, outcomes)?,
            Observations::Soft(modalities) => self.check_soft(model, modalities)?,
        }
        match &self.actions {
            Some(actions) => self.check_actions(model, actions),
            None => Ok(()),
        }
    }

    fn check_discrete(&self, model: &Model, outcomes: &[i32]) -> Result<()> {
        if model.arguments.categorical_obs {
            return Err(Error::invalid(
                "observations: are discrete, but agent.categorical_obs asks for soft ones, \
                 observations.0 and so on",
            ));
        }
        let modalities = model.modalities();
        expect_len("observations", outcomes.len(), self.steps, modalities)?;
        let num_obs = model.num_obs();
        for (place, &outcome) in outcomes.iter().enumerate() {
            let (step, modality) = (place / modalities, place % modalities);
            let most = num_obs[modality];
            if outcome == -1 && model.dialect == Dialect::Pymdp1 {
                continue;
            }
            if usize::try_from(outcome).is_ok_and(|outcome| outcome < most) {
                continue;
            }
            let missing = match (outcome, model.dialect) {
                (-1, Dialect::Pymdp0) => " (pymdp-0 knows no missing observations)",
                (_, Dialect::Pymdp0) => "",
                (_, Dialect::Pymdp1) => ", and is not -1 (missing)",
            };
            return Err(Error::invalid(format!(
                "observations: ({step}, {modality}) is {outcome}, out of range of the {most} \
                 outcomes of A.{modality}{missing}"
            )));
        }
        Ok(())
    }

    fn check_soft(&self, model: &Model, modalities: &[Vec<f64>]) -> Result<()> {
        if !model.arguments.categorical_obs {
            return Err(Error::invalid(
                "observations.0: is soft, but agent.categorical_obs is false",
            ));
        }
        if modalities.len() != model.modalities() {
            return Err(Error::invalid(format!(
                "observations: there are soft ones of {} modalities, but {} modalities",
                modalities.len(),
                model.modalities()
            )));
        }
        for (modality, values) in modalities.iter().enumerate() {
            let name = format!("observations.{modality}");
            let outcomes = model.a[modality].rows();
            expect_len(&name, values.len(), self.steps, outcomes)?;
            for (step, row) in values.chunks_exact(outcomes).enumerate() {
                if let Some(outcome) = row.iter().position(|p| !(p.is_finite() && *p >= 0.0)) {
                    return Err(Error::invalid(format!(
                        "{name}: ({step}, {outcome}) is {}, not a probability",
                        row[outcome]
                    )));
                }
                // Single precision is allowed in files.
                let sum: f64 = row.iter().sum();
                if sum != 0.0 && (sum - 1.0).abs() > 1e-4 {
                    return Err(Error::invalid(format!(
                        "{name}: step {step} sums to {sum}, not 1 (±1e-4), nor 0 (missing)"
                    )));
                }
            }
        }
        Ok(())
    }

    fn check_actions(&self, model: &Model, actions: &[u32]) -> Result<()> {
        let factors = model.factors();
        expect_len("actions", actions.len(), self.steps, factors)?;
        for (place, &action) in actions.iter().enumerate() {
            let (step, factor) = (place / factors, place % factors);
            let most = model.actions_of(factor);
            if action as usize >= most {
                return Err(Error::invalid(format!(
                    "actions: ({step}, {factor}) is {action}, but factor {factor} has {most} \
                     actions"
                )));
            }
        }
        Ok(())
    }
}

impl ModelFile {
    pub(super) fn read_recording(&mut self, model: &Model) -> Result<Option<Recording>> {
        let soft = self
            .header
            .tensors
            .iter()
            .filter(|entry| matches!(Name::parse(&entry.name), Ok(Name::Observations(Some(_)))))
            .count();
        let (steps, observations) = match self.header.find("observations").cloned() {
            Some(_) if soft > 0 => {
                return Err(Error::invalid("observations: are there twice, discrete and soft"));
            }
            Some(entry) => {
                let steps = matrix(&entry.name, &entry.shape, model.modalities())?;
                (steps, Observations::Discrete(self.numbers(&entry)?))
            }
            None if soft > 0 => self.read_soft(model, soft)?,
            None if self.header.find("actions").is_some() => {
                return Err(Error::invalid("actions: are there without observations"));
            }
            None => return Ok(None),
        };
        let actions = match self.header.find("actions").cloned() {
            Some(entry) => {
                let recorded = matrix(&entry.name, &entry.shape, model.factors())?;
                if recorded != steps {
                    return Err(Error::invalid(format!(
                        "actions: there are {recorded} steps, but {steps} of observations"
                    )));
                }
                let mut actions = Vec::new();
                for (place, action) in self.numbers::<i32>(&entry)?.into_iter().enumerate() {
                    actions.push(u32::try_from(action).map_err(|_| {
                        let (step, factor) = (place / model.factors(), place % model.factors());
                        Error::invalid(format!("actions: ({step}, {factor}) is {action}, below 0"))
                    })?);
                }
                Some(actions)
            }
            None => None,
        };
        let recording = Recording { steps, observations, actions };
        recording.check(model)?;
        Ok(Some(recording))
    }

    fn read_soft(&mut self, model: &Model, count: usize) -> Result<(usize, Observations)> {
        let mut all = Vec::with_capacity(model.modalities());
        let mut steps = None;
        for modality in 0..count.max(model.modalities()) {
            let name = format!("observations.{modality}");
            let Some(entry) = self.header.find(&name).cloned() else {
                return Err(Error::invalid(format!("{name}: is missing")));
            };
            let Some(likelihood) = model.a.get(modality) else {
                return Err(Error::invalid(format!(
                    "{name}: is one too many, there are {} modalities",
                    model.modalities()
                )));
            };
            let these = matrix(&name, &entry.shape, likelihood.rows())?;
            let steps = *steps.get_or_insert(these);
            if these != steps {
                return Err(Error::invalid(format!(
                    "{name}: there are {these} steps, but {steps} of observations.0"
                )));
            }
            all.push(self.reals(&entry)?.iter().collect());
        }
        Ok((steps.unwrap_or(0), Observations::Soft(all)))
    }
}

/// The steps of a tensor that must be (steps, `width`).
fn matrix(name: &str, shape: &[usize], width: usize) -> Result<usize> {
    match shape {
        &[steps, have] if have == width => Ok(steps),
        _ => {
            Err(Error::invalid(format!("{name}: shape is {}, not (steps, {width})", tuple(shape))))
        }
    }
}

fn expect_len(name: &str, len: usize, steps: usize, width: usize) -> Result<()> {
    if Some(len) == steps.checked_mul(width) {
        return Ok(());
    }
    Err(Error::invalid(format!("{name}: {len} values are not {steps} steps of {width}")))
}
