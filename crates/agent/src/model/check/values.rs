//! The numbers: distributions, preferences, priors, counts, and given policies.

use crate::model::{
    Model,
    arguments::{Dialect, InferenceAlgorithm},
    tensor::{Tensor, tuple},
};
use crate::{Error, Policies, Result};

impl Model {
    /// Policies: an action in range for every factor at every step, as many steps as planned.
    pub(super) fn check_policies(&self) -> Result<()> {
        if self.e.is_some() || !self.has_first_actions() {
            self.policy_count()?;
        }
        let Some(Policies { count, len, factors, actions }) = &self.policies else {
            return Ok(());
        };
        let wrong = |what: String| Err(Error::invalid(format!("policies: {what}")));
        if *factors != self.factors() {
            return wrong(format!("have {factors} actions a step, but {} factors", self.factors()));
        }
        if *count == 0 {
            return wrong("there are none; leave them out to have all".into());
        }
        if *len != self.arguments.policy_len {
            return wrong(format!(
                "have {len} steps, but agent.policy_len is {}",
                self.arguments.policy_len
            ));
        }
        if count.checked_mul(*len).and_then(|steps| steps.checked_mul(*factors))
            != Some(actions.len())
        {
            return wrong(format!(
                "shape {} does not hold {} actions",
                tuple(&[*count, *len, *factors]),
                actions.len()
            ));
        }
        for (position, &action) in actions.iter().enumerate() {
            let factor = position % factors;
            let most = self.actions_of(factor);
            if action as usize >= most {
                let index = [position / factors / len, position / factors % len, factor];
                return wrong(format!(
                    "{} is {action}, but factor {factor} has {most} actions",
                    tuple(&index)
                ));
            }
        }
        Ok(())
    }

    /// C: (O,), or timed as the dialect has it, with a preference for every planned step; finite.
    pub(super) fn check_preferences(&self) -> Result<()> {
        let planned = match self.arguments.inference_algo {
            // MMP plans over the present as well.
            InferenceAlgorithm::Mmp if self.dialect == Dialect::Pymdp0 => {
                self.arguments.policy_len.saturating_add(1)
            }
            _ => self.arguments.policy_len,
        };
        for (modality, preferences) in self.c.iter().enumerate() {
            let outcomes = self.a[modality].rows();
            let wrong = |what: String| Err(Error::invalid(format!("C.{modality}: {what}")));
            let (timed, have, steps) = match (self.dialect, preferences.shape()) {
                (_, &[have]) => (None, have, planned),
                (Dialect::Pymdp1, &[steps, have]) => (Some("(T, O)"), have, steps),
                (Dialect::Pymdp0, &[have, steps]) => (Some("(O, T)"), have, steps),
                (_, shape) => {
                    return wrong(format!("shape is {}, not (O,) or timed", tuple(shape)));
                }
            };
            if have != outcomes {
                return wrong(format!(
                    "shape is {}{}, but A.{modality} has {outcomes} outcomes",
                    tuple(preferences.shape()),
                    timed.map_or(String::new(), |order| format!(", read as {order}")),
                ));
            }
            if steps < planned {
                return wrong(format!(
                    "has preferences for {steps} steps, but {planned} are planned"
                ));
            }
            every(preferences, &format!("C.{modality}"), f64::is_finite, "a finite number")?;
        }
        Ok(())
    }

    pub(super) fn check_values(&self) -> Result<()> {
        for (prefix, family) in [("A", &self.a), ("B", &self.b), ("D", &self.d)] {
            for (index, tensor) in family.iter().enumerate() {
                distribution(tensor, &format!("{prefix}.{index}"))?;
            }
        }
        let amounts = [("pA", &self.p_a), ("pB", &self.p_b), ("pD", &self.p_d), ("H", &self.h)];
        for (prefix, family) in amounts {
            for (index, tensor) in family.iter().enumerate() {
                every(tensor, &format!("{prefix}.{index}"), amount, AMOUNT)?;
            }
        }
        let counts = Some(&self.p_e).filter(|counts| !counts.is_empty());
        for (name, values) in [("E", self.e.as_ref()), ("pE", counts)] {
            let Some(values) = values else { continue };
            let policies = self.policy_count()?;
            if values.len() != policies {
                return Err(Error::invalid(format!(
                    "{name}: has {} entries, but there are {policies} policies",
                    values.len()
                )));
            }
            if let Some(index) = values.iter().position(|&value| !amount(value)) {
                let value = values[index];
                return Err(Error::invalid(format!("{name}: [{index}] is {value}, not {AMOUNT}")));
            }
        }
        Ok(())
    }
}

const AMOUNT: &str = "a finite number of at least 0";

fn amount(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

/// Checks that every stored value meets a rule.
fn every(tensor: &Tensor, name: &str, rule: fn(f64) -> bool, what: &str) -> Result<()> {
    let Some(position) = tensor.values().iter().position(|value| !rule(value)) else {
        return Ok(());
    };
    Err(Error::invalid(format!(
        "{name}: {} is {}, not {what}",
        tuple(&index_of_stored(tensor, position)),
        tensor.values().get(position)
    )))
}

/// Checks that every column is a distribution.
fn distribution(tensor: &Tensor, name: &str) -> Result<()> {
    every(tensor, name, amount, "a probability")?;
    let tolerance = tensor.precision().tolerance();
    let sums = tensor.column_sums();
    let Some(column) = sums.iter().position(|sum| (sum - 1.0).abs() > tolerance) else {
        return Ok(());
    };
    let index = tensor.column_index(column);
    let place = if index.is_empty() { String::new() } else { format!("column {} ", tuple(&index)) };
    Err(Error::invalid(format!(
        "{name}: {place}sums to {}, not 1 (±{tolerance:e})",
        rounded(sums[column])
    )))
}

/// Where in the dense tensor a stored value stands.
fn index_of_stored(tensor: &Tensor, position: usize) -> Vec<usize> {
    let (row, column) = match tensor {
        Tensor::Dense { .. } => (position / tensor.columns(), position % tensor.columns()),
        Tensor::Sparse { indptr, indices, .. } => {
            let column = indptr.partition_point(|&start| start <= position as u64) - 1;
            (indices[position] as usize, column)
        }
    };
    [vec![row], tensor.column_index(column)].concat()
}

/// A sum to 7 decimals, as a person would write it: 0.93, not 0.9300000000000002.
fn rounded(value: f64) -> String {
    let fixed = format!("{value:.7}");
    fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
}
