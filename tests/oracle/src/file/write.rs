//! Writing a problem as a model file, alone or with its recording.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value, json};

use super::Case;
use crate::array::Array;
use crate::problem::{Algorithm, Arguments, Dialect, Observation, Problem, Sophisticated};

/// How the numbers of a file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Rounded to f32: to compare with the engine, load the file again.
    F32,
    /// As they are.
    F64,
}

/// Writes a problem as a model file; `sparse` writes A and B in compressed columns.
///
/// # Errors
/// When the file cannot be written.
pub fn write_model_file(
    problem: &Problem,
    path: &Path,
    precision: Precision,
    sparse: bool,
) -> Result<(), String> {
    Writer::new(precision).write(problem, path, sparse)
}

/// Writes a model file with observations, actions and expectations beside the model: the form of
/// the golden runs.
///
/// # Errors
/// When the file cannot be written.
pub fn write_case(
    case: &Case,
    path: &Path,
    precision: Precision,
    sparse: bool,
) -> Result<(), String> {
    let mut writer = Writer::new(precision);
    let steps = case.observations.len();
    let modalities = case.problem.a.len();
    let mut outcomes = Vec::new();
    let mut soft = vec![Vec::new(); modalities];
    for observation in &case.observations {
        match observation {
            Observation::Outcomes(row) => outcomes.extend_from_slice(row),
            Observation::Soft(row) => {
                soft.iter_mut().zip(row).for_each(|(all, row)| all.extend_from_slice(row));
            }
        }
    }
    if !outcomes.is_empty() {
        writer.integers("observations", vec![steps, modalities], &outcomes);
    }
    for (m, all) in soft.into_iter().enumerate() {
        if !all.is_empty() {
            let array = Array::new(vec![steps, all.len() / steps], all);
            writer.numbers(&format!("observations.{m}"), &array);
        }
    }
    if let Some(actions) = &case.actions {
        writer.integers("actions", vec![steps, case.problem.b.len()], &actions.concat());
    }
    for (name, array) in &case.expect {
        let name = format!("expect.{name}");
        if name == "expect.action" {
            let data: Vec<i32> = array.data.iter().map(|&u| u as i32).collect();
            writer.integers(&name, array.shape.clone(), &data);
        } else {
            writer.numbers(&name, array);
        }
    }
    writer.write(&case.problem, path, sparse)
}

/// Tensors gathered for a file.
struct Writer {
    precision: Precision,
    tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
    sparse: Map<String, Value>,
}

impl Writer {
    fn new(precision: Precision) -> Self {
        Writer { precision, tensors: Vec::new(), sparse: Map::new() }
    }

    fn numbers(&mut self, name: &str, array: &Array) {
        let (dtype, bytes) = match self.precision {
            Precision::F64 => {
                (Dtype::F64, array.data.iter().flat_map(|x| x.to_le_bytes()).collect())
            }
            Precision::F32 => {
                let single = array.data.iter().map(|&x| x as f32);
                (Dtype::F32, single.flat_map(f32::to_le_bytes).collect())
            }
        };
        self.tensors.push((name.to_string(), dtype, array.shape.clone(), bytes));
    }

    fn integers(&mut self, name: &str, shape: Vec<usize>, data: &[i32]) {
        let bytes = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensors.push((name.to_string(), Dtype::I32, shape, bytes));
    }

    /// Compressed columns: where each begins, the row of every entry, its value.
    fn compressed(&mut self, name: &str, array: &Array) {
        let columns = array.data.len() / array.shape[0];
        let (mut indptr, mut indices, mut values) = (vec![0_u64], Vec::new(), Vec::new());
        for column in 0..columns {
            for row in 0..array.shape[0] {
                let value = array.data[row * columns + column];
                if value != 0.0 {
                    indices.push(row as u32);
                    values.push(value);
                }
            }
            indptr.push(indices.len() as u64);
        }
        let bytes = indptr.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensors.push((format!("{name}.indptr"), Dtype::U64, vec![indptr.len()], bytes));
        let bytes = indices.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensors.push((format!("{name}.indices"), Dtype::U32, vec![indices.len()], bytes));
        self.numbers(&format!("{name}.values"), &Array::vector(values));
        self.sparse.insert(name.to_string(), json!(array.shape));
    }

    fn write(mut self, problem: &Problem, path: &Path, sparse: bool) -> Result<(), String> {
        let b: Vec<Array> =
            (0..problem.b.len()).map(|f| split_actions(problem, f, &problem.b)).collect();
        for (prefix, series) in [("A", &problem.a), ("B", &b)] {
            for (i, array) in series.iter().enumerate() {
                let name = format!("{prefix}.{i}");
                if sparse { self.compressed(&name, array) } else { self.numbers(&name, array) }
            }
        }
        let p_b: Vec<Array> =
            (0..problem.p_b.len()).map(|f| split_actions(problem, f, &problem.p_b)).collect();
        let series = [
            ("C", &problem.c),
            ("D", &problem.d),
            ("pA", &problem.p_a),
            ("pB", &p_b),
            ("pD", &problem.p_d),
            ("H", &problem.h),
        ];
        for (prefix, series) in series {
            for (i, array) in series.iter().enumerate() {
                self.numbers(&format!("{prefix}.{i}"), array);
            }
        }
        if let Some(e) = &problem.e {
            self.numbers("E", &Array::vector(e.clone()));
        }
        if !problem.p_e.is_empty() {
            self.numbers("pE", &Array::vector(problem.p_e.clone()));
        }
        if let Some(policies) = &problem.policies {
            let shape = vec![policies.len(), policies[0].len(), policies[0][0].len()];
            let flat: Vec<i32> = policies.iter().flatten().flatten().map(|&u| u as i32).collect();
            self.integers("policies", shape, &flat);
        }
        let mut metadata = metadata(problem);
        if !self.sparse.is_empty() {
            metadata.insert("sparse".to_string(), Value::Object(self.sparse));
        }
        let metadata =
            HashMap::from([("populace".to_string(), Value::Object(metadata).to_string())]);
        let mut views = Vec::new();
        for (name, dtype, shape, bytes) in &self.tensors {
            let view = TensorView::new(*dtype, shape.clone(), bytes);
            views.push((name, view.map_err(|error| format!("{name}: {error}"))?));
        }
        safetensors::serialize_to_file(views, Some(metadata), path)
            .map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// An array over flat actions with one trailing axis a control that acts on the factor.
fn split_actions(problem: &Problem, factor: usize, series: &[Array]) -> Array {
    let array = &series[factor];
    let mut shape = array.shape[..array.shape.len() - 1].to_vec();
    shape.extend(problem.controls()[factor].iter().map(|&c| problem.num_controls[c]));
    Array::new(shape, array.data.clone())
}

fn metadata(problem: &Problem) -> Map<String, Value> {
    let mut json = Map::new();
    let mut put = |key: &str, value: Value| json.insert(key.to_string(), value);
    put("format", json!(1));
    put("dialect", json!(if problem.dialect == Dialect::Pymdp1 { "pymdp-1" } else { "pymdp-0" }));
    put("A_dependencies", json!(problem.a_dependencies));
    put("B_dependencies", json!(problem.b_dependencies));
    if let Some(dependencies) = &problem.b_action_dependencies {
        put("B_action_dependencies", json!(dependencies));
    }
    put("num_controls", json!(problem.num_controls));
    put("agent", Value::Object(agent(&problem.arguments, problem.dialect)));
    if let Some(search) = &problem.sophisticated {
        put("sophisticated", sophisticated(search));
    }
    json
}

/// The arguments that are not the dialect's defaults.
fn agent(arguments: &Arguments, dialect: Dialect) -> Map<String, Value> {
    let all = named(arguments, dialect);
    let defaults = named(&Arguments::new(dialect), dialect);
    let changed = all.into_iter().zip(defaults).filter(|(value, default)| value != default);
    changed.map(|((key, value), _)| (key.to_string(), value)).collect()
}

fn named(arguments: &Arguments, dialect: Dialect) -> Vec<(&'static str, Value)> {
    let algorithm = match arguments.inference_algo {
        Algorithm::Fpi => "fpi",
        Algorithm::Exact => "exact",
        Algorithm::ExactJoint => "exact-joint",
        Algorithm::Ovf => "ovf",
        Algorithm::Mmp if dialect == Dialect::Pymdp0 => "MMP",
        Algorithm::Mmp => "mmp",
        Algorithm::Vmp => "vmp",
        Algorithm::Vanilla => "VANILLA",
    };
    vec![
        ("policy_len", json!(arguments.policy_len)),
        ("gamma", json!(arguments.gamma)),
        ("alpha", json!(arguments.alpha)),
        ("num_iter", json!(arguments.num_iter)),
        (
            "action_selection",
            json!(if arguments.stochastic { "stochastic" } else { "deterministic" }),
        ),
        ("sampling_mode", json!(if arguments.marginal { "marginal" } else { "full" })),
        ("inference_algo", json!(algorithm)),
        ("inference_horizon", json!(arguments.inference_horizon)),
        ("use_utility", json!(arguments.use_utility)),
        ("use_states_info_gain", json!(arguments.use_states_info_gain)),
        ("use_param_info_gain", json!(arguments.use_param_info_gain)),
        ("use_inductive", json!(arguments.use_inductive)),
        ("inductive_depth", json!(arguments.inductive_depth)),
        ("inductive_threshold", json!(arguments.inductive_threshold)),
        ("inductive_epsilon", json!(arguments.inductive_epsilon)),
        ("categorical_obs", json!(arguments.categorical_obs)),
        ("use_BMA", json!(arguments.use_bma)),
        ("learn_A", json!(arguments.learn_a)),
        ("learn_B", json!(arguments.learn_b)),
        ("learn_D", json!(arguments.learn_d)),
        ("modalities_to_learn", chosen(&arguments.modalities_to_learn)),
        ("factors_to_learn", chosen(&arguments.factors_to_learn)),
        ("lr_pA", json!(arguments.lr_pa)),
        ("lr_pB", json!(arguments.lr_pb)),
        ("lr_pD", json!(arguments.lr_pd)),
        ("learn_E", json!(arguments.learn_e)),
        ("lr_pE", json!(arguments.lr_pe)),
        ("fr_pA", json!(arguments.fr_pa)),
        ("fr_pB", json!(arguments.fr_pb)),
        ("fr_pD", json!(arguments.fr_pd)),
        ("fr_pE", json!(arguments.fr_pe)),
        ("keep_zeros", json!(arguments.keep_zeros)),
        ("planning_interval", json!(arguments.planning_interval)),
    ]
}

/// Those that are chosen, or that all are.
fn chosen(list: &Option<Vec<usize>>) -> Value {
    list.as_ref().map_or(json!("all"), |list| json!(list))
}

fn sophisticated(search: &Sophisticated) -> Value {
    json!({
        "horizon": search.horizon,
        "max_nodes": search.max_nodes,
        "max_branching": search.max_branching,
        "policy_prune_threshold": search.policy_prune_threshold,
        "observation_prune_threshold": search.observation_prune_threshold,
        "entropy_stop_threshold": search.entropy_stop_threshold,
        "prune_penalty": search.prune_penalty,
        "gamma": search.gamma,
    })
}
