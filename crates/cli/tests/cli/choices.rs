//! What an agent had to choose from at a step, and how close the choice was.

use crate::tensors::File;

/// The first actions of a model's policies.
pub(crate) struct Choices {
    /// (P, F): one flat action a state factor.
    first: Vec<Vec<i32>>,
    marginal: bool,
}

impl Choices {
    pub(crate) fn of(file: &File) -> Self {
        let metadata = &file.metadata;
        let controls: Vec<i32> = serde_json::from_value(metadata["num_controls"].clone()).unwrap();
        let agent = &metadata["agent"];
        let acting: Option<Vec<Vec<usize>>> =
            serde_json::from_value(metadata["B_action_dependencies"].clone()).unwrap();
        let first = if file.tensors.contains_key("policies") {
            let shape = &file.raw("policies").shape;
            let (steps, factors) = (shape[1], shape[2]);
            let actions = file.integers("policies");
            actions.chunks(steps * factors).map(|policy| policy[..factors].to_vec()).collect()
        } else {
            // Policies count like an odometer, the first step's actions slowest.
            let len = agent["policy_len"].as_u64().unwrap_or(1) as u32;
            let first_steps = product(&controls);
            let repeats = first_steps.len().pow(len - 1);
            let flat = first_steps.iter().map(|step| match &acting {
                None => step.clone(),
                Some(acting) => flattened(step, &controls, acting),
            });
            flat.flat_map(|step| std::iter::repeat_n(step, repeats)).collect()
        };
        Self { first, marginal: agent["sampling_mode"] == "marginal" && acting.is_none() }
    }

    /// Where the best two choices of a step are further apart than `gap`, the action must be the
    /// reference's; answers the factors for which that is so.
    pub(crate) fn decided(&self, q_pi: &[f64], gap: f64) -> Vec<bool> {
        let factors = self.first[0].len();
        if self.marginal {
            return (0..factors)
                .map(|f| self.clear(q_pi, gap, |first| vec![first[f]], Sum))
                .collect();
        }
        vec![self.clear(q_pi, gap, <[i32]>::to_vec, Max); factors]
    }

    fn clear(&self, q_pi: &[f64], gap: f64, key: impl Fn(&[i32]) -> Vec<i32>, of: Score) -> bool {
        let mut scores = std::collections::BTreeMap::<Vec<i32>, f64>::new();
        for (first, &probability) in self.first.iter().zip(q_pi) {
            let score = scores.entry(key(first)).or_insert(0.0);
            *score = match of {
                Sum => *score + probability,
                Max => score.max(probability),
            };
        }
        let mut scores: Vec<f64> = scores.into_values().collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.len() < 2 || scores[0] - scores[1] > gap
    }
}

use Score::{Max, Sum};

/// What the policies that begin alike amount to.
#[derive(Clone, Copy)]
enum Score {
    Sum,
    Max,
}

/// Every combination of `0..sizes[i]`, the last fastest.
fn product(sizes: &[i32]) -> Vec<Vec<i32>> {
    sizes.iter().fold(vec![vec![]], |all, &size| {
        all.iter()
            .flat_map(|head| (0..size).map(|last| [head.as_slice(), &[last]].concat()))
            .collect()
    })
}

/// Actions of controls as one flat action a state factor, row-major over the controls on it.
fn flattened(step: &[i32], controls: &[i32], acting: &[Vec<usize>]) -> Vec<i32> {
    acting
        .iter()
        .map(|on| on.iter().fold(0, |flat, &control| flat * controls[control] + step[control]))
        .collect()
}
