//! Whether every dependency may be used: licences, bans and sources, by the rules of `deny.toml`.
//!
//! The rules stand in cargo-deny's own file, and `cargo deny check bans licenses sources` answers
//! the same; but building cargo-deny takes some 250 crates from the network and 80 to 170 seconds
//! of a processor in every fresh clone, where the three rules kept here need nothing beyond
//! `cargo metadata`.

use serde_json::Value;

use crate::spdx;
use crate::step::{Outcome, cargo};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The rules, as `deny.toml` has them.
struct Rules {
    allowed_licences: Vec<String>,
    banned_crates: Vec<String>,
}

/// Checks every package.
pub(crate) fn check() -> Outcome {
    let rules = Rules::read()?;
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let wrong: Vec<String> = packages.iter().filter_map(|it| rules.broken_by(it)).collect();
    println!("{} packages by the rules of deny.toml", packages.len() - wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

impl Rules {
    fn read() -> Result<Self, String> {
        let path = crate::root().join("deny.toml");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let table: toml::Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
        let list = |section: &str, key: &str| {
            table
                .get(section)
                .and_then(|section| section.get(key))
                .and_then(toml::Value::as_array)
                .ok_or_else(|| format!("deny.toml: [{section}] {key} is missing"))
        };
        let text = |value: &toml::Value| value.as_str().map(str::to_owned);
        Ok(Self {
            allowed_licences: list("licenses", "allow")?.iter().filter_map(text).collect(),
            banned_crates: list("bans", "deny")?
                .iter()
                .filter_map(|entry| entry.get("crate").and_then(text))
                .collect(),
        })
    }

    /// The rule that a package breaks, in words.
    fn broken_by(&self, package: &Value) -> Option<String> {
        let name = package["name"].as_str().unwrap_or("(nameless)");
        let source = package["source"].as_str();
        if source.is_some_and(|source| source != CRATES_IO) {
            return Some(format!("{name}: comes from {}, not crates.io", source.unwrap_or("?")));
        }
        if self.banned_crates.iter().any(|banned| banned == name) {
            return Some(format!("{name}: is banned"));
        }
        let Some(licence) = package["license"].as_str() else {
            return Some(format!("{name}: states no licence"));
        };
        match spdx::satisfied(licence, &|id| self.allowed_licences.iter().any(|it| it == id)) {
            Ok(true) => None,
            Ok(false) => Some(format!("{name}: its licence `{licence}` is not allowed")),
            Err(error) => Some(format!("{name}: its licence cannot be read: {error}")),
        }
    }
}

/// What cargo knows of every package that a build here takes; other platforms' would have to be
/// fetched for nothing else.
fn metadata() -> Result<Value, String> {
    let mut cargo = cargo(&["metadata", "--locked", "--format-version", "1"]);
    cargo.args(["--filter-platform", "host-tuple"]);
    let output = cargo.output().map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}
