//! The README's examples are run, and what it shows is what they print.
//!
//! In a `console` block, a line `$ populace …` is a command and the lines below it are its output;
//! both run in one scratch directory, in which the repository's `tests`, `examples` and `benches`
//! can be named. A `toml` block that opens with `# NAME.toml` is written to that file first.
//!
//! Numbers, units and bars differ from machine to machine, so they are masked on both sides: the
//! words, their order and the lines must agree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;
use crate::step::{Outcome, cargo, command};

/// What cargo is asked for in the README instead of an installed `populace`.
const FROM_SOURCE: &str = "cargo run --release --";

/// Builds the release binary and runs every example with it.
pub(crate) fn check() -> Outcome {
    command(&mut cargo(&["build", "--locked", "--release"]))?;
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).map_err(|error| format!("README.md: {error}"))?;
    let scratch = Scratch::new().map_err(|error| format!("scratch directory: {error}"))?;
    let mut examples = 0;
    for block in blocks(&readme) {
        match block.language {
            "toml" => {
                if let Some(name) = block.lines.first().and_then(|line| line.strip_prefix("# ")) {
                    let text = block.lines.join("\n");
                    fs::write(scratch.path.join(name), text).map_err(|e| e.to_string())?;
                }
            }
            "console" => {
                for example in block.examples() {
                    println!("$ {}", example.command);
                    example.check(&scratch)?;
                    examples += 1;
                }
            }
            _ => {}
        }
    }
    println!("{examples} examples print what README.md shows");
    if examples == 0 { Err("README.md has no examples".into()) } else { Ok(()) }
}

/// A fresh directory that the examples run in.
struct Scratch {
    path: PathBuf,
    populace: PathBuf,
}

impl Scratch {
    fn new() -> io::Result<Self> {
        let root = root().canonicalize()?;
        let path = root.join("target/readme");
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path)?;
        for folder in ["tests", "examples", "benches"] {
            if root.join(folder).exists() {
                std::os::unix::fs::symlink(root.join(folder), path.join(folder))?;
            }
        }
        Ok(Self { path, populace: root.join("target/release/populace") })
    }
}

/// A fenced block of the README.
struct Block<'a> {
    language: &'a str,
    lines: Vec<&'a str>,
}

/// A command and what it is said to print.
#[derive(Debug, PartialEq)]
struct Example<'a> {
    command: &'a str,
    output: Vec<&'a str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let lines = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block { language, lines });
        }
    }
    blocks
}

impl<'a> Block<'a> {
    fn examples(&self) -> Vec<Example<'a>> {
        let mut examples: Vec<Example> = Vec::new();
        for line in &self.lines {
            if let Some(command) = line.strip_prefix("$ ") {
                examples.push(Example { command, output: Vec::new() });
            } else if let Some(example) = examples.last_mut() {
                example.output.push(line);
            }
        }
        examples
    }
}

impl Example<'_> {
    fn check(&self, scratch: &Scratch) -> Outcome {
        let arguments = self
            .command
            .strip_prefix(FROM_SOURCE)
            .or_else(|| self.command.strip_prefix("populace"))
            .ok_or_else(|| format!("`{}`: neither populace nor {FROM_SOURCE}", self.command))?;
        let output = Command::new(&scratch.populace)
            .args(arguments.split_whitespace())
            .current_dir::<&Path>(&scratch.path)
            .output()
            .map_err(|error| format!("{}: {error}", scratch.populace.display()))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let printed = format!("{stdout}{stderr}");
        if !output.status.success() && self.output.is_empty() {
            return Err(format!("`{}`: {}\n{printed}", self.command, output.status));
        }
        let shown = masked(self.output.iter().copied());
        if self.output.is_empty() || shown == masked(printed.lines()) {
            return Ok(());
        }
        Err(format!(
            "`{}` prints\n{printed}\nbut README.md shows\n{}",
            self.command,
            self.output.join("\n")
        ))
    }
}

/// Lines without what differs from machine to machine, blank ones left out.
fn masked<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    lines.map(masked_line).filter(|line| !line.is_empty()).collect()
}

fn masked_line(line: &str) -> String {
    let words = line.split_whitespace().filter(|word| !is_unit(word) && !is_bar(word));
    let masked: Vec<&str> = words
        .map(|word| if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word })
        .collect();
    masked.join(" ")
}

fn is_unit(word: &str) -> bool {
    let unit = word.trim_end_matches([',', ';', ':', '.']);
    matches!(unit, "B" | "KiB" | "MiB" | "GiB" | "s" | "ms" | "µs" | "ns" | "k" | "M" | "G")
}

fn is_bar(word: &str) -> bool {
    word.chars().all(|c| ('\u{2580}'..='\u{259f}').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::{Example, blocks, masked_line};

    #[test]
    fn numbers_units_and_bars_are_masked() {
        assert_eq!(
            masked_line("  agents   9.2 MiB  ███▏ 3.6 %"),
            masked_line("  agents   980 KiB  ▏ 12.25 %")
        );
        assert_ne!(masked_line("agents 9.2 MiB"), masked_line("shared 9.2 MiB"));
    }

    #[test]
    fn a_block_is_its_commands_with_their_output() {
        let text =
            "words\n```console\n$ populace run\none\ntwo\n$ populace --version\n```\nwords\n";
        let blocks = blocks(text);
        assert_eq!(
            blocks[0].examples(),
            [
                Example { command: "populace run", output: vec!["one", "two"] },
                Example { command: "populace --version", output: vec![] },
            ]
        );
    }
}
