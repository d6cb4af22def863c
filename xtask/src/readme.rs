//! The README's examples are run, and what it shows is what they print.
//!
//! In a `console` block, a line `$ populace …` is a command and the lines below it, up to the next
//! command, are its output; a command without any must succeed. All run in one scratch directory,
//! in which the repository's `tests`, `examples` and `benches` can be named. A `toml` block that
//! opens with `# NAME.toml` is written to that file first.
//!
//! Numbers, units and bars differ from machine to machine, so they are masked where README and
//! reality are compared: the words, their order and the lines must agree.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::root;
use crate::step::{Outcome, cargo, command};

/// What the README says instead of an installed `populace`.
const FROM_SOURCE: &str = "cargo run --release --";

/// Checks that the README shows what its examples print.
pub(crate) fn check() -> Outcome {
    let readme = read()?;
    let real = Scratch::build()?.refreshed(&readme)?;
    let differs = |pair: &(&str, &str)| masked(pair.0) != masked(pair.1);
    match readme.lines().zip(real.lines()).find(differs) {
        Some((shown, printed)) => Err(format!(
            "README.md shows\n{shown}\nwhere the program prints\n{printed}\n\
             `cargo xtask readme` writes what is printed into it"
        )),
        None if readme.lines().count() != real.lines().count() => {
            Err("README.md shows another number of lines than are printed".into())
        }
        None => Ok(()),
    }
}

/// Writes what the examples print into the README.
pub(crate) fn refresh() -> Outcome {
    let real = Scratch::build()?.refreshed(&read()?)?;
    fs::write(root().join("README.md"), real).map_err(|error| format!("README.md: {error}"))
}

fn read() -> Result<String, String> {
    fs::read_to_string(root().join("README.md")).map_err(|error| format!("README.md: {error}"))
}

/// A fresh directory that the examples run in, and the release binary.
struct Scratch {
    path: PathBuf,
    populace: PathBuf,
}

impl Scratch {
    fn build() -> Result<Self, String> {
        command(&mut cargo(&["build", "--locked", "--release"]))?;
        Self::new().map_err(|error| format!("scratch directory: {error}"))
    }

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

    /// The README with the output that its examples have here.
    fn refreshed(&self, readme: &str) -> Result<String, String> {
        let mut real = String::new();
        let mut lines = readme.lines().peekable();
        while let Some(line) = lines.next() {
            real.extend([line, "\n"]);
            let Some(language) = line.strip_prefix("```").filter(|it| !it.is_empty()) else {
                continue;
            };
            let mut block = Vec::new();
            while let Some(line) = lines.next_if(|line| *line != "```") {
                block.push(line);
            }
            match language {
                "console" => real.push_str(&self.console(&block)?),
                _ => {
                    let text = block.join("\n") + "\n";
                    if language == "toml"
                        && let Some(name) = block.first().and_then(|line| line.strip_prefix("# "))
                    {
                        fs::write(self.path.join(name), &text)
                            .map_err(|error| error.to_string())?;
                    }
                    real.push_str(&text);
                }
            }
            real.extend(lines.next().map(|fence| format!("{fence}\n")));
        }
        Ok(real)
    }

    /// A `console` block with real output.
    fn console(&self, block: &[&str]) -> Result<String, String> {
        let mut real = String::new();
        for example in block.chunk_by(|_, next| !next.starts_with("$ ")) {
            let Some(line) = example[0].strip_prefix("$ ") else {
                return Err(format!("`{}` is the output of no command", example[0]));
            };
            println!("{}", example[0]);
            real.extend([example[0], "\n"]);
            let (printed, succeeded) = self.run(line)?;
            match example.len() {
                1 if !succeeded => return Err(format!("`{line}` fails:\n{printed}")),
                1 => {}
                _ => real.extend([printed.trim_end(), "\n"]),
            }
        }
        Ok(real)
    }

    /// What a command prints, and whether it succeeds.
    fn run(&self, line: &str) -> Result<(String, bool), String> {
        let arguments = line
            .strip_prefix(FROM_SOURCE)
            .or_else(|| line.strip_prefix("populace"))
            .ok_or_else(|| format!("`{line}`: neither populace nor {FROM_SOURCE}"))?;
        let output = Command::new(&self.populace)
            .args(arguments.split_whitespace())
            .current_dir(&self.path)
            .output()
            .map_err(|error| format!("{}: {error}", self.populace.display()))?;
        let text = [output.stdout, output.stderr].concat();
        Ok((String::from_utf8_lossy(&text).into_owned(), output.status.success()))
    }
}

/// A line without what differs from machine to machine.
fn masked(line: &str) -> String {
    let words = line.split_whitespace().filter(|word| !is_unit(word) && !is_bar(word));
    let number = |word: &str| word.contains(|c: char| c.is_ascii_digit());
    words.map(|word| if number(word) { "#" } else { word }).collect::<Vec<_>>().join(" ")
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
    use super::masked;

    #[test]
    fn numbers_units_and_bars_are_masked() {
        assert_eq!(
            masked("  agents   9.2 MiB  ███▏ 3.6 %"),
            masked("  agents   980 KiB  ▏ 12.25 %")
        );
        assert_ne!(masked("agents 9.2 MiB"), masked("shared 9.2 MiB"));
    }
}
