//! A graph of rooms and hallways, and an object that lies in one of them or nowhere.
//!
//! Factors: the agent's node, and the object's (the last state is "not here"; it does not move).
//! Action u goes to node u where an edge leads there, and stays otherwise. Modalities: the agent's
//! node; whether the object is seen (no, yes), which it is where it lies at the agent's node.
//!
//! Arrays are those of `pymdp.envs.GraphEnv` (inferactively-pymdp 1.0.4), in double precision, for
//! nodes numbered in the order in which they were added. The preference 1 for seeing the object and
//! plans of two steps are Populace's choice.

use super::{certain_or_uniform, place};
use crate::{Dialect, Error, Model, Result, Tensor};

/// Which graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphOptions {
    /// How many nodes there are.
    pub nodes: usize,
    /// Which are joined, both ways.
    pub edges: Vec<(usize, usize)>,
    /// The object's node, where it is known; `nodes` for "not here".
    pub object_location: Option<usize>,
    /// The agent's first node.
    pub agent_location: usize,
}

impl GraphOptions {
    /// `connections` clusters of `cluster_size` rooms, each around a hallway, chained: pymdp's
    /// `generate_connected_clusters`.
    pub fn connected_clusters(cluster_size: usize, connections: usize) -> Self {
        let mut edges = Vec::new();
        let mut hub = 0;
        while hub < connections * cluster_size {
            edges.extend((hub + 1..=hub + cluster_size).map(|room| (hub, room)));
            hub = edges.len();
        }
        Self { nodes: edges.len() + 1, edges, object_location: None, agent_location: 0 }
    }
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self::connected_clusters(2, 2)
    }
}

/// The most nodes: there is an action for each, and a column for each pair.
const MOST_NODES: usize = 1 << 12;

/// A graph world as a model.
///
/// ```
/// use populace_agent::models::{GraphOptions, graph};
///
/// let model = graph(&GraphOptions::default())?;
/// assert_eq!((model.num_states(), model.num_controls), (vec![5, 6], vec![5, 1]));
/// # Ok::<(), populace_agent::Error>(())
/// ```
///
/// # Errors
///
/// A node is out of range, or there are too many.
pub fn graph(options: &GraphOptions) -> Result<Model> {
    let nodes = options.nodes;
    if !(1..=MOST_NODES).contains(&nodes) {
        return Err(Error::invalid(format!("nodes: is {nodes}, not between 1 and {MOST_NODES}")));
    }
    place("agent_location", options.agent_location, nodes)?;
    place("object_location", options.object_location.unwrap_or(0), nodes + 1)?;
    let mut joined = vec![false; nodes * nodes];
    for &(one, other) in &options.edges {
        place("edges", one.max(other), nodes)?;
        joined[one * nodes + other] = true;
        joined[other * nodes + one] = true;
    }
    let places = nodes + 1;
    let a = vec![
        Tensor::certain([nodes, nodes], |node| node as u32)?,
        Tensor::certain([2, nodes, places], |column| {
            u32::from(column / places == column % places)
        })?,
    ];
    let b = vec![
        Tensor::certain([nodes, nodes, nodes], |column| {
            let (from, to) = (column / nodes, column % nodes);
            (if joined[column] { to } else { from }) as u32
        })?,
        Tensor::certain([places, places, 1], |object| object as u32)?,
    ];
    let mut model = Model::new(Dialect::Pymdp1, a, b);
    model.a_dependencies = vec![vec![0], vec![0, 1]];
    model.c = vec![Tensor::vector(vec![0.0; nodes]), Tensor::vector(vec![0.0, 1.0])];
    model.d = vec![
        Tensor::vector(certain_or_uniform(Some(options.agent_location), nodes)),
        Tensor::vector(certain_or_uniform(options.object_location, places)),
    ];
    model.arguments.policy_len = 2;
    Ok(model)
}
