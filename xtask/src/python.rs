//! `cargo xtask python`: the Python package, from a wheel in a clean environment.
//!
//! The environment is made once, under `target/python`. What it needs comes from PyPI; where that
//! cannot be reached and nothing is there yet, the step says so and is skipped, unless
//! `REQUIRE_PYTHON=1`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;
use crate::step::{Outcome, command};

/// What builds, tests and checks the package.
const TOOLS: [&str; 6] =
    ["gymnasium", "maturin>=1.16,<2", "mypy", "numpy", "pytest>=8", "scipy"];

/// How the wheel is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wheel {
    /// As the tests are: what is compiled already is compiled once.
    Dev,
    /// As users get it.
    Release,
}

/// Builds the wheel, installs it, and runs all that is Python.
pub(crate) fn check(wheel: Wheel) -> Outcome {
    let environment = match Environment::new() {
        Ok(environment) => environment,
        Err(reason) if std::env::var_os("REQUIRE_PYTHON").is_none() => {
            println!("skipped: {reason}");
            return Ok(());
        }
        Err(reason) => return Err(reason),
    };
    environment.install(wheel)?;
    environment.run("python", &["-m", "pytest", "-q", "bindings/python/tests"])?;
    environment.run("python", &["bindings/python/tests/doctests.py", "README.md", "docs"])?;
    let stubs = ["populace._native", "--ignore-disjoint-bases", "--ignore-unused-allowlist"];
    environment.run(
        "stubtest",
        &[&stubs[..], &["--allowlist", "bindings/python/stubtest.txt"]].concat(),
    )?;
    environment.run("mypy", &["-p", "populace"])?;
    let examples = fs::read_dir(root().join("examples")).map_err(|error| error.to_string())?;
    let mut examples: Vec<PathBuf> = examples.flatten().map(|entry| entry.path()).collect();
    examples.retain(|path| path.extension().is_some_and(|it| it == "py") && !exports(path));
    examples.sort();
    for example in examples {
        environment.run("python", &[&example.to_string_lossy()])?;
    }
    Ok(())
}

/// Whether an example needs pymdp, which is not installed here.
fn exports(example: &Path) -> bool {
    example.file_name().is_some_and(|name| name == "export_pymdp.py")
}

/// A virtual environment of the project's own.
struct Environment {
    path: PathBuf,
    root: PathBuf,
}

impl Environment {
    fn new() -> Result<Self, String> {
        let root = root().canonicalize().map_err(|error| error.to_string())?;
        let environment = Self { path: root.join("target/python"), root };
        let ready = environment.path.join("ready");
        let wanted = TOOLS.join("\n");
        if fs::read_to_string(&ready).is_ok_and(|found| found == wanted) {
            return Ok(environment);
        }
        let mut venv = Command::new("python3");
        command(venv.args(["-m", "venv", "--clear"]).arg(&environment.path))?;
        let mut pip = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        pip.extend(TOOLS);
        environment.run("python", &pip)?;
        fs::write(&ready, wanted).map_err(|error| format!("{}: {error}", ready.display()))?;
        Ok(environment)
    }

    /// Builds the wheel and installs it in place of an older one.
    fn install(&self, wheel: Wheel) -> Outcome {
        let wheels = self.path.join("wheels");
        if wheels.exists() {
            fs::remove_dir_all(&wheels).map_err(|error| error.to_string())?;
        }
        let out = wheels.to_string_lossy();
        let profile = if wheel == Wheel::Release { "release" } else { "dev" };
        self.run("maturin", &["build", "--locked", "--profile", profile, "--out", &out])?;
        let built = fs::read_dir(&wheels).map_err(|error| error.to_string())?;
        let Some(built) = built.flatten().next() else {
            return Err(format!("{out}: maturin built no wheel"));
        };
        let built = built.path();
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let mut arguments = pip.to_vec();
        let built = built.to_string_lossy();
        arguments.extend(["--force-reinstall", "--no-deps", &built]);
        self.run("python", &arguments)
    }

    /// Runs a program of the environment in the root of the repository.
    fn run(&self, program: &str, arguments: &[&str]) -> Outcome {
        let mut run = Command::new(self.path.join("bin").join(program));
        run.current_dir(&self.root).args(arguments);
        // The environment's own interpreter builds and runs, whatever is active around it.
        run.env("VIRTUAL_ENV", &self.path).env_remove("PYTHONPATH").env_remove("CONDA_PREFIX");
        command(&mut run)
    }
}
