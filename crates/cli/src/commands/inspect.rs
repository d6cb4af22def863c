//! `populace inspect`: what a model file holds, and what its zeros are worth.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use populace_agent::{Dialect, Model, Precision, Tensor};
use populace_pool::Bytes;
use populace_population::{Belief, Settings, most_bytes_per_agent};
use serde::Serialize;

use crate::failure::Outcome;
use crate::figures::{grouped, percent};
use crate::flags::BELIEFS;
use crate::output::{print, print_json};
use crate::table::{Align, Table};

/// Show a model's shapes, types and sparsity
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A model file
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What there is to say about a model.
#[derive(Debug, Serialize)]
struct Report {
    version: u32,
    dialect: &'static str,
    factors: Vec<usize>,
    modalities: Vec<usize>,
    num_controls: Vec<usize>,
    /// None: more than can be enumerated.
    policies: Option<usize>,
    policy_len: usize,
    tensors: Vec<Row>,
    bytes: u64,
    bytes_smallest: u64,
    /// The most bytes that an agent has of its own, by how beliefs are stored.
    agent_bytes: BTreeMap<&'static str, u64>,
}

/// One tensor.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    shape: Vec<usize>,
    dtype: &'static str,
    form: &'static str,
    nonzeros: u64,
    values: u64,
    bytes_dense: u64,
    /// In compressed columns; only likelihoods and transitions can be.
    bytes_sparse: Option<u64>,
    bytes: u64,
}

impl Inspect {
    pub(crate) fn execute(&self) -> Outcome {
        let model = Model::load(&self.model)?;
        let report = Report::new(&model)?;
        if self.json {
            return print_json(&report);
        }
        print(&format!("{}\n\n{}", self.model.display(), report.text()))
    }
}

impl Report {
    fn new(model: &Model) -> Outcome<Self> {
        let named = [
            ("A", &model.a),
            ("B", &model.b),
            ("C", &model.c),
            ("D", &model.d),
            ("pA", &model.p_a),
            ("pB", &model.p_b),
            ("pD", &model.p_d),
            ("H", &model.h),
        ];
        let tensors: Vec<Row> = named
            .iter()
            .flat_map(|(name, tensors)| {
                tensors.iter().enumerate().map(move |(i, it)| Row::new(format!("{name}.{i}"), it))
            })
            .collect();
        Ok(Self {
            version: 1,
            dialect: match model.dialect {
                Dialect::Pymdp1 => "pymdp-1",
                Dialect::Pymdp0 => "pymdp-0",
            },
            factors: model.num_states(),
            modalities: model.num_obs(),
            num_controls: model.num_controls.clone(),
            policies: model.policy_count().ok(),
            policy_len: model.arguments.policy_len,
            bytes: tensors.iter().map(|row| row.bytes).sum(),
            bytes_smallest: tensors.iter().map(Row::bytes_smallest).sum(),
            agent_bytes: agent_bytes(model),
            tensors,
        })
    }

    fn text(&self) -> String {
        let mut facts = Table::new([Align::Left, Align::Left]);
        facts.row(["dialect", self.dialect]);
        facts.row(["states", &list(&self.factors, ", ")]);
        facts.row(["outcomes", &list(&self.modalities, ", ")]);
        facts.row(["actions", &list(&self.num_controls, ", ")]);
        facts.row([
            "policies",
            &match self.policies {
                Some(count) => format!("{} of {} steps", grouped(count as u64), self.policy_len),
                None => format!("of {} steps, too many to enumerate", self.policy_len),
            },
        ]);
        let mut tensors = Table::numbers_after(4);
        tensors.row(["", "shape", "dtype", "form", "non-zero", "dense", "sparse"]);
        for row in &self.tensors {
            tensors.row([
                row.name.clone(),
                list(&row.shape, " × "),
                row.dtype.to_owned(),
                row.form.to_owned(),
                percent(row.nonzeros, row.values),
                Bytes(row.bytes_dense).to_string(),
                row.bytes_sparse.map_or(String::new(), |bytes| Bytes(bytes).to_string()),
            ]);
        }
        let mut text = format!(
            "{}\n{}\n  {} as it is, {} with each tensor in its smaller form\n",
            facts.render(),
            tensors.render(),
            Bytes(self.bytes),
            Bytes(self.bytes_smallest),
        );
        if !self.agent_bytes.is_empty() {
            let mut agents = Table::numbers_after(1);
            agents.row(["beliefs", "an agent, at most"]);
            for (belief, &bytes) in &self.agent_bytes {
                agents.row([(*belief).to_owned(), Bytes(bytes).to_string()]);
            }
            text.push_str(&format!("\n{}", agents.render()));
        }
        text
    }
}

/// What an agent has of its own at most, for each way of storing beliefs.
///
/// Nothing for a model that asks for what the engine cannot do: it can be looked at nevertheless.
fn agent_bytes(model: &Model) -> BTreeMap<&'static str, u64> {
    let bytes = |&(name, belief): &(&'static str, Belief)| {
        let settings = Settings { belief, ..Settings::default() };
        most_bytes_per_agent(model, &settings).ok().map(|bytes| (name, bytes))
    };
    BELIEFS.iter().filter_map(bytes).collect()
}

impl Row {
    fn new(name: String, tensor: &Tensor) -> Self {
        let (dtype, width) = match tensor.precision() {
            Precision::F32 => ("f32", 4),
            Precision::F64 => ("f64", 8),
        };
        let (nonzeros, values) = (tensor.nonzeros() as u64, tensor.len() as u64);
        let bytes_dense = values * width;
        // Compressed columns: a u64 a column and one more, a u32 and a value an entry.
        let compressed = |entries: u64| (tensor.columns() as u64 + 1) * 8 + entries * (4 + width);
        let may_be_sparse = tensor.shape().len() > 1 && !name.starts_with('C');
        Self {
            name,
            shape: tensor.shape().to_vec(),
            dtype,
            form: if tensor.is_sparse() { "sparse" } else { "dense" },
            nonzeros,
            values,
            bytes_dense,
            bytes_sparse: may_be_sparse.then(|| compressed(nonzeros)),
            bytes: if tensor.is_sparse() {
                compressed(tensor.values().len() as u64)
            } else {
                bytes_dense
            },
        }
    }
}

impl Row {
    fn bytes_smallest(&self) -> u64 {
        self.bytes_sparse.map_or(self.bytes_dense, |sparse| sparse.min(self.bytes_dense))
    }
}

fn list(sizes: &[usize], between: &str) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(between)
}
