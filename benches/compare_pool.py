"""Sets the Python package beside NumPy, in one run, and prints ratios; and says what Python adds to a step.

    pip install . && python benches/compare_pool.py [--rounds 101] [--json FILE]

The two sides of a row take turns, a millisecond each, round by round: the ratio is the median over
the rounds of ours ÷ theirs, so that whatever else a machine does meets both; the times are the fastest
rounds'. Answers are checked before they are timed. NumPy runs with its best kernels: where the processor
has AVX-512, OPENBLAS_CORETYPE=SkylakeX. Both take all processors there are: `taskset -c 0` gives them
one. What is aimed at stands in the last column; nothing is asserted of a time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if "avx512f" in Path("/proc/cpuinfo").read_text() and "OPENBLAS_CORETYPE" not in os.environ:
    os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
    os.execv(sys.executable, [sys.executable, *sys.argv])

import numpy as np

import populace as pp
from populace import pool

Call = Callable[[], Any]
ROUND_SECONDS = 0.001


@dataclass(frozen=True)
class Row:
    """Ours beside theirs."""

    name: str
    other: str
    ours: Call
    theirs: Call
    #: The most that the ratio, or ours in nanoseconds, is to be.
    ratio: float | None = None
    nanoseconds: float | None = None

    def aim(self) -> str:
        if self.nanoseconds is not None:
            return f"≤ {self.nanoseconds:.0f} ns"
        return "" if self.ratio is None else f"≤ {self.ratio:.2f}"


def compare(row: Row, rounds: int) -> tuple[float, float, float]:
    """Seconds of a call of each in their fastest rounds, and the median of the rounds' ratios."""
    calls = (row.ours, row.theirs)
    turns = [max(1, int(ROUND_SECONDS / max(once(call), 1e-9))) for call in calls]
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            call = calls[side]
            started = time.perf_counter()
            for _ in range(turns[side]):
                call()
            taken[side].append((time.perf_counter() - started) / turns[side])
    ratios = [ours / theirs for ours, theirs in zip(*taken)]
    return min(taken[0]), min(taken[1]), statistics.median(ratios)


def once(call: Call) -> float:
    """About how long a call takes."""
    call()
    started = time.perf_counter()
    for _ in range(5):
        call()
    return (time.perf_counter() - started) / 5


def written(shape: tuple[int, int], make: Callable[..., Any]) -> Call:
    """Takes an array, writes all of it, lets go."""

    def call() -> None:
        make(shape, np.float32).fill(1.0)

    return call


def pooled(shape: tuple[int, int]) -> Call:
    """The same of the pool."""

    def call() -> None:
        with pool.pooled_matrix(shape, np.float32) as m:
            m.fill(1.0)

    return call


def loop() -> Row:
    """The loop itself, with nothing around it: a call more would be counted, too."""

    def ours() -> None:
        for _ in range(1000):
            with pool.pooled_matrix((100, 100), np.float32) as m:  # noqa: F841
                pass

    def theirs() -> None:
        for _ in range(1000):
            m = np.empty((100, 100), np.float32)  # noqa: F841

    return Row("1,000 × pooled_matrix 100 × 100", "1,000 × np.empty", ours, theirs, nanoseconds=300e3)


def memory() -> list[Row]:
    """Taking, writing and giving back."""
    rows = [loop()]
    for mebibytes in (1, 2, 4, 8, 16):
        shape = (mebibytes * 256, 1024)
        name = f"pooled_matrix {mebibytes} MiB, written"
        rows += [Row(name, f"np.{make.__name__}, written", pooled(shape), written(shape, make), aim)
                 for make, aim in ((np.zeros, 1 / 1.3), (np.empty, 1.0))]
    return rows


def operations() -> list[Row]:
    """Products of square matrices."""
    rows = []
    random = np.random.default_rng(0)
    for n in (10, 100, 1000):
        a, b = random.random((2, n, n), dtype=np.float32)
        out, other = np.empty_like(a), np.empty_like(a)
        pool.pooled_dot(a, b, out=out)
        assert np.allclose(out, a @ b, rtol=1e-4)
        assert np.allclose(pool.pooled_einsum("ij,jk->ik", a, b), a @ b, rtol=1e-4)
        rows.append(Row(f"pooled_dot {n}", "np.dot(out=)", lambda a=a, b=b, o=out: pool.pooled_dot(a, b, out=o),
                        lambda a=a, b=b, o=other: np.dot(a, b, out=o), 1.05))
        rows.append(Row(f"pooled_einsum {n}", "np.einsum(optimize=True)",
                        lambda a=a, b=b: pool.pooled_einsum("ij,jk->ik", a, b),
                        lambda a=a, b=b: np.einsum("ij,jk->ik", a, b, optimize=True), 1 / 3 if n == 10 else 1.0))
    return rows


def steps() -> Row:
    """A step of one agent is more than what Python adds to a step of many: it wakes the threads, too."""
    model = pp.Model.grid(side=20)
    one = pp.Population(model, 1, budget="64MiB", threads=1)
    many = pp.Population(model, 100_000, budget="256MiB", threads=1)
    world = pp.World(model, 100_000)
    many.run(world, 10)
    seen, alone = world.step(np.zeros((100_000, 1), np.int32)), np.zeros((1, 1), np.int32)
    return Row("step of 1 agent", "step of 100,000 agents", lambda: one.step(alone), lambda: many.step(seen), 0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    record = []
    print(f"{'ours':<32} {'ns':>12}  {'beside':<25} {'ns':>12}  {'ours ÷ theirs':>13}  aim")
    for row in [*memory(), *operations(), steps()]:
        first, second, ratio = compare(row, options.rounds)
        record.append({"ours": row.name, "theirs": row.other, "seconds": [first, second], "ratio": ratio,
                       "aim": row.aim()})
        print(f"{row.name:<32} {first * 1e9:12,.0f}  {row.other:<25} {second * 1e9:12,.0f}  {ratio:13.3f}  {row.aim()}",
              flush=True)
    shelf = pool.get_statistics()["pools"][(100, 100), "float32"]
    print(f"\nhits of 100 × 100: {shelf['hit_rate']:.4%}, aim ≥ 99 %; NumPy {np.__version__}, "
          f"{len(os.sched_getaffinity(0))} processors")
    if options.json:
        options.json.write_text(json.dumps({"version": 2, "rows": record}, indent=2) + "\n")


if __name__ == "__main__":
    main()
