//! Any model, dense or sparse, in either precision, comes back from disk as it was.
#![allow(clippy::unwrap_used)]

use populace_agent::{Dialect, InferenceAlgorithm, Model, Observations, Reals, Recording, Tensor};
use proptest::prelude::*;

/// A tensor of distributions with zeros in it, from weights.
fn distributions(shape: Vec<usize>) -> impl Strategy<Value = Tensor> {
    let len = shape.iter().product::<usize>();
    let weight = prop_oneof![Just(0_u32), 1..1000_u32];
    (prop::collection::vec(weight, len), any::<bool>(), any::<bool>()).prop_map(
        move |(weights, single, sparse)| {
            let columns = len / shape[0];
            let mut weights: Vec<f64> = weights.iter().map(|&weight| f64::from(weight)).collect();
            for column in 0..columns {
                let total: f64 = weights[column..].iter().step_by(columns).sum();
                // A column of zeros is made certain of row 0.
                weights[column] += f64::from(u8::from(total == 0.0));
                let total: f64 = weights[column..].iter().step_by(columns).sum();
                weights[column..].iter_mut().step_by(columns).for_each(|weight| *weight /= total);
            }
            let values = match single {
                true => Reals::F32(weights.iter().map(|&weight| weight as f32).collect()),
                false => Reals::F64(weights),
            };
            let dense = Tensor::dense(shape.clone(), values).unwrap();
            if sparse { dense.to_sparse() } else { dense }
        },
    )
}

fn models() -> impl Strategy<Value = Model> {
    (1..6_usize, 1..5_usize, 1..4_usize, 1..4_usize).prop_flat_map(
        |(outcomes, states, others, actions)| {
            (
                distributions(vec![outcomes, states, others]),
                distributions(vec![states, others, states, actions]),
                distributions(vec![others, others, 1]),
                -1e9..1e9_f64,
            )
                .prop_map(|(a, b, c, gamma)| {
                    let mut model = Model::new(Dialect::Pymdp1, vec![a], vec![b, c]);
                    model.b_dependencies[0] = vec![1, 0];
                    model.arguments.gamma = gamma;
                    model.arguments.inference_horizon = Some(3);
                    if gamma > 0.0 {
                        // What pymdp does not have.
                        model.p_e = vec![0.25; model.policy_count().unwrap_or_default()];
                        let agent = &mut model.arguments;
                        agent.inference_algo = InferenceAlgorithm::ExactJoint;
                        (agent.learn_e, agent.keep_zeros) = (true, true);
                        (agent.lr_pe, agent.fr_pe) = (0.5, 0.75);
                    }
                    model.reference = Some("a \"quoted\"\n\u{1F600} text".into());
                    model
                })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn models_come_back(model in models(), outcome in -1..1_i32) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        let recording = Recording {
            steps: 2,
            observations: Observations::Discrete(vec![outcome, 0]),
            actions: Some(vec![0; 4]),
        };
        model.save_with(&path, &recording).unwrap();
        let mut file = populace_agent::ModelFile::open(&path).unwrap();
        let back = file.model().unwrap();
        prop_assert_eq!(&back, &model);
        prop_assert_eq!(file.recording(&back).unwrap().unwrap(), recording);
    }
}
