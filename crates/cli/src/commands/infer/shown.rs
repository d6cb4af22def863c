//! The answers of `infer` for a person.

use populace_agent::{ModelFile, NamedTensor, Observations, Recording, Values};

use crate::failure::Outcome;
use crate::table::{Align, Table};

/// A row a step: what was observed, the likeliest state of each factor, the action chosen, and the
/// probability of the best policy.
pub(super) fn steps(recording: &Recording, answers: &[NamedTensor]) -> String {
    let mut table = Table::new([Align::Right, Align::Left, Align::Left, Align::Left, Align::Left]);
    table.row(["step", "observed", "believed", "chosen", "best policy"]);
    let beliefs = answers.iter().filter(|answer| answer.name.starts_with("qs."));
    let beliefs: Vec<Rows> = beliefs.map(Rows::of).collect();
    let named = |name| answers.iter().find(|answer| answer.name == name).map(Rows::of);
    let (actions, policies) = (named("action"), named("q_pi"));
    for step in 0..recording.steps {
        let believed: Vec<String> = beliefs
            .iter()
            .map(|rows| {
                let (state, probability) = likeliest(rows.at(step));
                format!("{state} ({probability:.3})")
            })
            .collect();
        let chosen = actions.as_ref().map_or(String::new(), |rows| list(rows.at(step)));
        let best = policies.as_ref().map_or(String::new(), |rows| {
            let (policy, probability) = likeliest(rows.at(step));
            format!("{policy} ({probability:.3})")
        });
        table.row([step.to_string(), observed(recording, step), believed.join("  "), chosen, best]);
    }
    table.render()
}

/// How far the answers are from the `expect.…` tensors of a file, if it has any.
pub(super) fn against_reference(file: &mut ModelFile, answers: &[NamedTensor]) -> Outcome<String> {
    let mut lines = Table::new([Align::Left, Align::Left]);
    for answer in answers {
        let expected = file.tensor(&format!("expect.{}", answer.name))?;
        let Some(expected) = expected.filter(|it| it.shape == answer.shape) else { continue };
        let (got, expected) = (answer.values.to_f64(), expected.values.to_f64());
        let pairs = || got.iter().zip(&expected);
        let verdict = if matches!(answer.values, Values::I32(_)) {
            format!("{} of {} equal", pairs().filter(|(a, b)| a == b).count(), got.len())
        } else {
            let furthest = pairs().map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            if furthest == 0.0 { "equal".to_owned() } else { format!("within {furthest:.1e}") }
        };
        lines.row([answer.name.clone(), verdict]);
    }
    let lines = lines.render();
    if lines.is_empty() {
        return Ok(lines);
    }
    Ok(format!("\n  against the file's reference\n\n{lines}"))
}

/// A tensor as a row a step.
struct Rows {
    values: Vec<f64>,
    width: usize,
}

impl Rows {
    fn of(tensor: &NamedTensor) -> Self {
        Self { values: tensor.values.to_f64(), width: tensor.shape.iter().skip(1).product() }
    }

    fn at(&self, step: usize) -> &[f64] {
        self.values.get(step * self.width..(step + 1) * self.width).unwrap_or_default()
    }
}

fn observed(recording: &Recording, step: usize) -> String {
    match &recording.observations {
        Observations::Soft(_) => "soft".to_owned(),
        Observations::Discrete(outcomes) => {
            let modalities = outcomes.len() / recording.steps.max(1);
            let row = outcomes.iter().skip(step * modalities).take(modalities);
            let words = row.map(|&outcome| match outcome {
                -1 => "-".to_owned(),
                outcome => outcome.to_string(),
            });
            words.collect::<Vec<_>>().join(" ")
        }
    }
}

/// The first of the largest, and what it is.
fn likeliest(row: &[f64]) -> (usize, f64) {
    row.iter().enumerate().fold((0, f64::NEG_INFINITY), |best, (index, &probability)| {
        if probability > best.1 { (index, probability) } else { best }
    })
}

fn list(row: &[f64]) -> String {
    row.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
}
