//! A scenario: what `populace run` simulates, as a TOML file.
//!
//! Every key is optional; what is left out is as in the default run. Flags go before the file.

mod history;
mod lifecycle;
mod model;

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use populace_agent::nearest;
use serde::Deserialize;

use crate::byte_size::ByteSize;
use crate::failure::{Failure, Outcome};
use crate::flags::{Belief, Demote};

pub(crate) use history::History;
use lifecycle::Lifecycle;
use model::Model;

/// A scenario as it stands in its file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) model: Model,
    pub(crate) environment: Environment,
    pub(crate) population: Population,
    pub(crate) memory: Memory,
    pub(crate) history: History,
    pub(crate) run: Run,
    pub(crate) lifecycle: Option<Lifecycle>,
}

/// `[environment]`: what answers the agents' actions.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Environment {
    pub(crate) kind: Option<EnvironmentKind>,
    pub(crate) process: Option<PathBuf>,
}

/// The kinds of environment: one so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EnvironmentKind {
    Generative,
}

/// `[population]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Population {
    pub(crate) agents: Option<u64>,
    /// Its part of the run's budget.
    pub(crate) budget: Option<ByteSize>,
    pub(crate) agent_budget: Option<ByteSize>,
}

/// `[memory]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Memory {
    pub(crate) budget: Option<ByteSize>,
    pub(crate) belief: Option<Belief>,
    pub(crate) mass: Option<f64>,
    pub(crate) tolerance: Option<f64>,
    pub(crate) demote: Option<Demote>,
}

/// `[run]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Run {
    pub(crate) steps: Option<u64>,
    pub(crate) seed: Option<u64>,
}

/// A scenario is a page of text; a larger file is something else.
const LARGEST_BYTES: u64 = 1 << 20;

impl Scenario {
    /// Reads a scenario; paths in it are relative to the file's own directory.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let mut text = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LARGEST_BYTES + 1).read_to_end(&mut text))
            .map_err(|error| Failure::unreadable(path, &error))?;
        let wrong = |what: &str| Failure::input(format!("{}: {what}", path.display()));
        if text.len() as u64 > LARGEST_BYTES {
            return Err(wrong("more than a megabyte, so no scenario"));
        }
        let text = String::from_utf8(text).map_err(|_| wrong("not text, so no scenario"))?;
        let mut scenario: Self = toml::from_str(&text).map_err(|error| {
            Failure::input(format!(
                "{}:{}: {}",
                path.display(),
                error.span().map_or(1, |span| line(&text, &span)),
                with_suggestion(&in_words(error.message()))
            ))
        })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let store = scenario.lifecycle.as_mut().map(|lifecycle| &mut lifecycle.store);
        let mut none = None;
        let store = store.unwrap_or(&mut none);
        let files = [&mut scenario.model.path, &mut scenario.environment.process, store];
        files.into_iter().flatten().for_each(|file| *file = directory.join(&file));
        Ok(scenario)
    }
}

/// The line that a span begins on, from 1.
fn line(text: &str, span: &Range<usize>) -> usize {
    let before = &text.as_bytes()[..span.start.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// What serde says, without Rust's names of types.
fn in_words(message: &str) -> String {
    let words = [
        ("expected u64", "expected a whole number from 0 on"),
        ("expected usize", "expected a whole number from 0 on"),
        ("expected f64", "expected a number"),
        ("expected path string", "expected a path"),
        (" as i128", ""),
    ];
    words.iter().fold(message.to_owned(), |text, (rust, plain)| text.replace(rust, plain))
}

/// Appends the nearest of the names that serde offers.
///
/// serde knows the names only in its message: "unknown field `a`, expected one of `b`, `c`". Names
/// kept a second time beside the types above would drift from them.
fn with_suggestion(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| message.starts_with("unknown "));
    match unknown.and_then(|unknown| nearest(unknown, names)) {
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Scenario, line, with_suggestion};

    #[test]
    fn an_empty_scenario_is_the_default_run() {
        let scenario: Scenario = toml::from_str("").unwrap();
        assert!(scenario.model.builtin.is_none() && scenario.population.agents.is_none());
    }

    #[test]
    fn the_near_key_is_suggested() {
        let error = toml::from_str::<Scenario>("[population]\nagnets = 3\n").unwrap_err();
        let message = with_suggestion(error.message());
        assert!(message.ends_with("did you mean `agents`?"), "{message}");
        assert_eq!(line("[population]\nagnets = 3\n", &error.span().unwrap()), 2);
    }

    #[test]
    fn the_near_section_and_the_near_value_are_suggested() {
        for (text, near) in [
            ("[populaton]\nagents = 3", "population"),
            ("[memory]\nbelief = \"spars\"", "sparse"),
            ("[model]\nsdie = 3", "side"),
        ] {
            let error = toml::from_str::<Scenario>(text).unwrap_err();
            let message = with_suggestion(error.message());
            assert!(message.ends_with(&format!("did you mean `{near}`?")), "{message}");
        }
    }
}
