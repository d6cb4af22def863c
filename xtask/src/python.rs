//! `cargo xtask python`: the Python package, from a wheel in a clean environment.
//!
//! The environment is made once, under `target/python`. What it needs comes from PyPI; where that
//! cannot be reached and nothing is there yet, the step says so and is skipped, unless
//! `REQUIRE_PYTHON=1`. The long form also does what README says, `pip install .`, in an environment that
//! has nothing else, and runs beside both versions of pymdp, each in an environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;
use crate::step::{Outcome, command};

/// What builds, tests and checks the package.
const TOOLS: [&str; 6] = ["gymnasium", "maturin>=1.16,<2", "mypy", "numpy", "pytest>=8", "scipy"];

/// The versions of pymdp that are run beside, and what else that takes.
const PYMDP: [&str; 2] = ["1.0.4", "0.0.7.1"];
const BESIDE: [&str; 2] = ["pytest>=8", "scipy"];

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
    let Some(environment) = ready("target/python", &TOOLS)? else { return Ok(()) };
    let built = environment.build(wheel)?;
    environment.install(&built)?;
    environment.run("python", &["-m", "pytest", "-q", "bindings/python/tests"])?;
    environment.run_documented()?;
    let stubs = ["populace._native", "--ignore-disjoint-bases", "--ignore-unused-allowlist"];
    environment.run(
        "stubtest",
        &[&stubs[..], &["--allowlist", "bindings/python/stubtest.txt"]].concat(),
    )?;
    environment.run("mypy", &["-p", "populace"])?;
    environment.run_examples()?;
    if wheel == Wheel::Release {
        as_readme_says()?;
        beside_pymdp(&built)?;
    }
    Ok(())
}

/// `pip install .` in an environment that has nothing, then every example of README, the pages and the
/// docstrings, and the scripts.
fn as_readme_says() -> Outcome {
    let Some(environment) = ready("target/python-clean", &[])? else { return Ok(()) };
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "."];
    environment.run("python", &pip)?;
    environment.run_documented()?;
    environment.run_examples()
}

/// The tests that step pymdp's own agents, with each of its versions.
fn beside_pymdp(wheel: &str) -> Outcome {
    for version in PYMDP {
        let pymdp = format!("inferactively-pymdp=={version}");
        let tools = [&[pymdp.as_str()], &BESIDE[..]].concat();
        let Some(environment) = ready(&format!("target/pymdp-{version}"), &tools)? else {
            continue;
        };
        environment.install(wheel)?;
        // Warnings are pymdp's and JAX's own there.
        let tests = ["test_pymdp.py", "test_pymdp_names.py", "test_hundred.py"]
            .map(|name| format!("bindings/python/tests/{name}"));
        let tests = tests.each_ref().map(String::as_str);
        environment
            .run("python", &[&["-m", "pytest", "-q", "-W", "default"], &tests[..]].concat())?;
    }
    Ok(())
}

/// An environment with these tools; none, where it cannot be made and need not be.
fn ready(path: &str, tools: &[&str]) -> Result<Option<Environment>, String> {
    match Environment::new(path, tools) {
        Ok(environment) => Ok(Some(environment)),
        Err(reason) if std::env::var_os("REQUIRE_PYTHON").is_none() => {
            println!("skipped: {reason}");
            Ok(None)
        }
        Err(reason) => Err(reason),
    }
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
    fn new(path: &str, tools: &[&str]) -> Result<Self, String> {
        let root = root().canonicalize().map_err(|error| error.to_string())?;
        let environment = Self { path: root.join(path), root };
        let ready = environment.path.join("ready");
        let wanted = tools.join("\n");
        // What asks for no tools is to be as new.
        let made = |found: String| found == wanted && !tools.is_empty();
        if fs::read_to_string(&ready).is_ok_and(made) {
            return Ok(environment);
        }
        let mut venv = Command::new("python3");
        command(venv.args(["-m", "venv", "--clear"]).arg(&environment.path))?;
        let mut pip = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        pip.extend(tools);
        if !tools.is_empty() {
            environment.run("python", &pip)?;
        }
        fs::write(&ready, wanted).map_err(|error| format!("{}: {error}", ready.display()))?;
        Ok(environment)
    }

    /// Builds the wheel; answers where it is.
    fn build(&self, wheel: Wheel) -> Result<String, String> {
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
        Ok(built.path().to_string_lossy().into_owned())
    }

    /// Installs a wheel in place of an older one.
    fn install(&self, wheel: &str) -> Outcome {
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        self.run("python", &[&pip[..], &["--force-reinstall", "--no-deps", wheel]].concat())
    }

    /// Runs the examples of the docstrings, README and the pages.
    fn run_documented(&self) -> Outcome {
        self.run("python", &["bindings/python/tests/doctests.py", "README.md", "docs"])
    }

    /// Runs the scripts of `examples`.
    fn run_examples(&self) -> Outcome {
        let examples = fs::read_dir(root().join("examples")).map_err(|error| error.to_string())?;
        let mut examples: Vec<PathBuf> = examples.flatten().map(|entry| entry.path()).collect();
        examples.retain(|path| path.extension().is_some_and(|it| it == "py") && !exports(path));
        examples.sort();
        examples.iter().try_for_each(|path| self.run("python", &[&path.to_string_lossy()]))
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
