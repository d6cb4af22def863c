"""Measures Populace beside pymdp: the same model files, the same machine, the same session.

    python3 benches/compare_pymdp.py [--quick] [--readme] [--record] [--json FILE] [CASE…]

The first run installs inferactively-pymdp 1.0.4 (JAX) and 0.0.7.1 (NumPy) from PyPI, each into an
environment of its own under target/pymdp; nothing else is needed. The three take turns, a few seconds
each, several times round, so that whatever else the machine does meets all of them; a figure is the
median over the steps (pymdp) or runs (`populace run`) of all turns. All use every core they know to
use. How pymdp steps is in pymdp_worker.py; how many agents each steps at once is in CASES: about as
many as make it fastest and as its memory allows.

A rate of ours is of whole runs from the first tick on, as `populace run --json` states it, the time
of the world and of drawing observations included; theirs is of the agent's calls alone, and so is
that of ours from Python (population_worker.py), which steps a thousand agents a call.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# What is installed, one call of pip after another. 0.0.7.1 asks for all that its documentation is built
# with, and for any NumPy, but fails with 2: it gets what it imports.
VERSIONS = {"pymdp 1.0.4": (("inferactively-pymdp==1.0.4", "safetensors"),),
            "pymdp 0.0.7.1": (("numpy<2", "scipy", "pandas", "matplotlib", "seaborn", "safetensors"),
                              ("--no-deps", "inferactively-pymdp==0.0.7.1"))}
# Ours, from Python: the row's name, and how many agents a call steps.
PACKAGE, BATCH = "Populace, from Python", 1000
ROUNDS, TURN_SECONDS = 5, 3.0
QUICK_ROUNDS, QUICK_TURN_SECONDS = 2, 1.0
# A library that is not ready or does not answer for so long is stopped, and its rows say so.
PATIENCE_SECONDS = 120.0
BEGIN, END = "<!-- compare_pymdp.py writes this -->", "<!-- up to here -->"


@dataclass(frozen=True)
class Case:
    """A model, and how many agents of it each library steps."""

    title: str
    ours: tuple[int, int]  # agents, ticks of a run
    theirs: dict[str, int]
    file: str | None = None  # in the repository; None is what `populace bench --models` writes


CASES = {
    "tmaze": Case("T-maze, 25 policies of two steps", (200_000, 20),
                  {"pymdp 1.0.4": 1000, "pymdp 0.0.7.1": 20}, "tests/golden/pymdp-1/tmaze.safetensors"),
    "grid-sparse": Case("grid 20 × 20, 5 policies", (100_000, 100),
                        {"pymdp 1.0.4": 50, "pymdp 0.0.7.1": 50}),
    "grid-slip": Case("the same, actions slip", (20_000, 100), {"pymdp 1.0.4": 50, "pymdp 0.0.7.1": 50}),
    "dense888": Case("dense 8 × 8 × 8, 27 policies", (20_000, 10),
                     {"pymdp 1.0.4": 50, "pymdp 0.0.7.1": 2}, "benches/dense888.safetensors"),
    "learning": Case("T-maze, learning A and B", (20_000, 50),
                     {"pymdp 1.0.4": 200, "pymdp 0.0.7.1": 20}, "benches/tmaze-learning.safetensors"),
    "sophisticated": Case("T-maze, searched three steps deep", (20_000, 20),
                          {"pymdp 1.0.4": 4}, "benches/tmaze-sophisticated.safetensors"),
    "mmp-0": Case("T-maze, messages over 3 + 2 steps by each of 25 policies", (20_000, 20),
                  {"pymdp 0.0.7.1": 5}, "benches/tmaze-mmp-0.safetensors"),
}


class Populace:
    """Ours: a turn is one run."""

    name = "Populace"
    array_bytes = 0.0

    def __init__(self, binary: Path, model: Path, agents: int, steps: int) -> None:
        self.agents, self.microseconds, self.bytes_per_agent = agents, [], 0.0
        self.command = [str(binary), "run", "--model", str(model), "--agents", str(agents),
                        "--steps", str(steps), "--budget", "4GiB", "--json"]

    def turn(self, _seconds: float) -> None:
        report = json.loads(answer(self.command))
        self.microseconds.append(1e6 / report["agent_steps_per_second"])
        self.bytes_per_agent = report["bytes_per_agent"]

    def close(self) -> None:
        pass


class Worker:
    """A process that takes steps when asked to: theirs, or ours from Python."""

    def __init__(self, name: str, python: Path, script: str, model: Path, agents: int) -> None:
        self.name, self.agents, self.microseconds, self.bytes_per_agent = name, agents, [], 0.0
        self.array_bytes = 0.0
        worker = [str(python), str(ROOT / "benches" / script), str(model), str(agents)]
        self.process = subprocess.Popen(worker, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._answer()

    def turn(self, seconds: float) -> None:
        if self.process.poll() is None:
            print(seconds, file=self.process.stdin, flush=True)
            report = self._answer()
            self.microseconds += report.get("microseconds", [])
            self.bytes_per_agent = report.get("bytes_per_agent", self.bytes_per_agent)
            self.array_bytes = report.get("array_bytes", self.array_bytes)

    def _answer(self) -> dict[str, Any]:
        impatience = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        impatience.start()
        line = self.process.stdout.readline()
        impatience.cancel()
        return json.loads(line) if line else {}

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def answer(command: list[str]) -> str:
    """What a command prints; a failure is shown and ends the script."""
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}")
    return done.stdout.strip()


def environment(folder: Path, name: str) -> Path:
    """The Python of an environment with that version of pymdp, made if it is not there."""
    place = folder / name.split()[1]
    python, ready = place / "bin/python", place / "ready"
    if not ready.exists():
        print(f"installing {name} into {place}", file=sys.stderr)
        venv.create(place, with_pip=True, clear=True)
        for packages in VERSIONS[name]:
            answer([str(python), "-m", "pip", "install", "--quiet", *packages])
        ready.touch()
    return python


def package(folder: Path) -> Path:
    """The Python of an environment with the package, built from here."""
    place = folder / "populace"
    python = place / "bin/python"
    if not python.exists():
        venv.create(place, with_pip=True)
    print(f"installing the package into {place}", file=sys.stderr)
    answer([str(python), "-m", "pip", "install", "--quiet", str(ROOT)])
    return python


def machine() -> dict[str, Any]:
    """What these numbers hold for."""
    with open("/proc/cpuinfo") as table:
        names = [line.split(":", 1)[1].strip() for line in table if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": names[0] if names else platform.processor(), "cores": len(os.sched_getaffinity(0)),
            "memory_bytes": memory, "os": platform.system().lower(), "arch": platform.machine()}


def measure(case: Case, model: Path, binary: Path, pythons: dict[str, Path], quick: bool) -> list[dict]:
    """The rows of a case, ours first."""
    runners = [Populace(binary, model, *case.ours)]
    runners.append(Worker(PACKAGE, pythons[PACKAGE], "population_worker.py", model, BATCH))
    runners += [Worker(name, pythons[name], "pymdp_worker.py", model, agents)
                for name, agents in case.theirs.items()]
    rounds, seconds = (QUICK_ROUNDS, QUICK_TURN_SECONDS) if quick else (ROUNDS, TURN_SECONDS)
    for turn in range(rounds):
        for runner in runners if turn % 2 == 0 else reversed(runners):
            runner.turn(seconds)
    rows = []
    for runner in runners:
        runner.close()
        median = statistics.median(runner.microseconds) if runner.microseconds else None
        rows.append({"case": case.title, "library": runner.name, "agents": runner.agents,
                     "microseconds_per_agent_step": median, "bytes_per_agent": runner.bytes_per_agent,
                     "array_bytes": runner.array_bytes,
                     "ratio": median and median / rows[0]["microseconds_per_agent_step"] if rows else 1.0,
                     "measured": len(runner.microseconds)})
    return rows


def table(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = ["| case | library | agents | µs an agent-step | memory an agent | time, ours = 1 |",
             "|---|---|--:|--:|--:|--:|"]
    before = None
    for row in record["rows"]:
        median = row["microseconds_per_agent_step"]
        cells = [row["case"] if row["case"] != before else "", row["library"], f"{row['agents']:,}",
                 significant(median) if median else "no answer", memory(row["bytes_per_agent"]),
                 significant(row["ratio"]) if median else ""]
        lines.append("| " + " | ".join(cells) + " |")
        before = row["case"]
    lines += ["", *beside(record["rows"])]
    m = record["machine"]
    lines += ["", f"{m['cpu']}, {m['cores']} cores, {m['memory_bytes'] / 2**30:.0f} GiB; commit {record['commit']}"
              + (" and changes" if record["changed"] else "") + "; medians, taken in turns."]
    return "\n".join(lines)


def beside(rows: list[dict[str, Any]]) -> list[str]:
    """Ours from Python beside the faster of the two pymdps, and beside an agent's arrays of the smaller."""
    lines = [f"| from Python, {BATCH:,} agents a call | the faster pymdp | times faster | an agent's arrays there "
             "| times fewer bytes |", "|---|---|--:|--:|--:|"]
    for title in dict.fromkeys(row["case"] for row in rows):
        case = [row for row in rows if row["case"] == title and row["microseconds_per_agent_step"]]
        ours = next((row for row in case if row["library"] == PACKAGE), None)
        theirs = [row for row in case if row["library"] in VERSIONS]
        if ours is None or not theirs:
            continue
        fastest = min(theirs, key=lambda row: row["microseconds_per_agent_step"])
        faster = fastest["microseconds_per_agent_step"] / ours["microseconds_per_agent_step"]
        arrays = min(row["array_bytes"] for row in theirs)
        lines.append(f"| {title} | {fastest['library']} | {significant(faster)} | {memory(arrays)} "
                     f"| {significant(arrays / max(ours['bytes_per_agent'], 1.0))} |")
    return lines


def significant(number: float) -> str:
    """Three digits."""
    digits = 0 if number >= 100 else 1 if number >= 10 else 2 if number >= 1 else 3
    return f"{number:,.{digits}f}"


def memory(count: float) -> str:
    for unit, size in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{significant(count / size)} {unit}"
    return f"{count:.0f} B"


def write_readme(text: str) -> None:
    """Puts the table between its markers."""
    path = ROOT / "README.md"
    readme = path.read_text()
    if BEGIN not in readme or END not in readme.split(BEGIN)[1]:
        raise SystemExit(f"README.md has no {BEGIN} … {END}")
    head, rest = readme.split(BEGIN, 1)
    path.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)} [default: all]")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record to a file")
    parser.add_argument("--record", action="store_true", help="keep the record in benches/record")
    parser.add_argument("--environments", type=Path, default=ROOT / "target/pymdp", metavar="DIR",
                        help="where the two pymdp are installed [default: target/pymdp]")
    parser.add_argument("--populace", type=Path, metavar="FILE", help="a binary [default: built from here]")
    parser.add_argument("--python", type=Path, metavar="FILE",
                        help="a Python with the package [default: an environment made and built from here]")
    options = parser.parse_args()
    unknown = sorted(set(options.cases) - set(CASES))
    if unknown:
        parser.error(f"unknown case {unknown[0]}: one of {', '.join(CASES)}")

    binary = options.populace
    if binary is None:
        answer(["cargo", "build", "--quiet", "--locked", "--release"])
        binary = ROOT / "target/release/populace"
    binary = binary.resolve()
    pythons = {name: environment(options.environments, name) for name in VERSIONS}
    pythons[PACKAGE] = options.python or package(options.environments)
    models = ROOT / "target/pymdp-models"
    chosen = [name for name in CASES if name in options.cases or not options.cases]
    made = [name for name in chosen if CASES[name].file is None]
    if made:
        answer([str(binary), "bench", *made, "--models", str(models)])

    rows = []
    for name in chosen:
        case = CASES[name]
        print(f"{name}: {case.title}", file=sys.stderr)
        model = ROOT / case.file if case.file else models / f"{name}.safetensors"
        rows += measure(case, model, binary, pythons, options.quick)
    record = {"version": 1, "machine": machine(), "commit": answer(["git", "rev-parse", "--short", "HEAD"]),
              "changed": bool(answer(["git", "status", "--porcelain", "--", "crates", "benches/*.py"])),
              "libraries": {name: sum(calls, ()) for name, calls in VERSIONS.items()}, "rows": rows}
    files = [options.json] if options.json else []
    if options.record:
        date = answer(["git", "log", "-1", "--format=%cs"])
        files.append(ROOT / f"benches/record/{date}-{record['commit']}-pymdp.json")
    for file in files:
        file.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    text = table(record)
    if options.readme:
        write_readme(text)
    print(text)


if __name__ == "__main__":
    main()
