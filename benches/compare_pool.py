"""Sets the Python package beside NumPy, in one run, and prints ratios; and says what Python adds to a step.

    pip install . && OPENBLAS_NUM_THREADS=1 python benches/compare_pool.py [--rounds 15] [--json FILE]

Both sides of a row take turns, round by round; a row's time is the median round's, and its ratio the
median of the rounds' ratios, so that a busy machine disturbs both sides alike. Answers are checked before
they are timed. NumPy runs with its best kernels: where the processor has AVX-512,
OPENBLAS_CORETYPE=SkylakeX.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

if "avx512f" in Path("/proc/cpuinfo").read_text() and "OPENBLAS_CORETYPE" not in os.environ:
    os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
    os.execv(sys.executable, [sys.executable, *sys.argv])

import numpy as np

import populace as pp
from populace import pool

Call = Callable[[], Any]
ROUND_SECONDS = 0.02


def compare(ours: Call, theirs: Call, rounds: int) -> tuple[float, float, float]:
    """Seconds of a call of each, in turns, and the ratio of the two."""
    turns = [max(1, int(ROUND_SECONDS / max(once(call), 1e-9))) for call in (ours, theirs)]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for side, call in enumerate((ours, theirs)):
            started = time.perf_counter()
            for _ in range(turns[side]):
                call()
            times[side].append((time.perf_counter() - started) / turns[side])
    ratios = [first / second for first, second in zip(*times, strict=True)]
    return median(times[0]), median(times[1]), median(ratios)


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


def pooled(shape: tuple[int, int], write: bool) -> Call:
    def call() -> None:
        with pool.pooled_matrix(shape, np.float32) as m:
            if write:
                m.fill(1.0)

    return call


def memory() -> list[tuple[str, str, Call, Call]]:
    """Taking and giving back."""
    small = (100, 100)
    rows = [
        ("pooled_matrix 100 × 100", "np.empty", pooled(small, False), lambda: np.empty(small, np.float32)),
        ("pooled_matrix 100 × 100", "np.zeros", pooled(small, False), lambda: np.zeros(small, np.float32)),
    ]
    for mebibytes in (1, 4, 16):
        shape = (mebibytes * 256, 1024)
        name = f"pooled_matrix {mebibytes} MiB, written"
        rows += [(name, f"np.{make.__name__}, written", pooled(shape, True), written(shape, make))
                 for make in (np.zeros, np.empty)]
    return rows


def operations() -> list[tuple[str, str, Call, Call]]:
    """Products of square matrices."""
    rows = []
    random = np.random.default_rng(0)
    for n in (10, 100, 1000):
        a, b = random.random((2, n, n), dtype=np.float32)
        out, other = np.empty_like(a), np.empty_like(a)
        pool.pooled_dot(a, b, out=out)
        assert np.allclose(out, a @ b, rtol=1e-4)
        assert np.allclose(pool.pooled_einsum("ij,jk->ik", a, b), a @ b, rtol=1e-4)
        rows.append((f"pooled_dot {n}", "np.dot(out=)", lambda a=a, b=b, o=out: pool.pooled_dot(a, b, out=o),
                     lambda a=a, b=b, o=other: np.dot(a, b, out=o)))
        rows.append((f"pooled_einsum {n}", "np.einsum(optimize=True)",
                     lambda a=a, b=b: pool.pooled_einsum("ij,jk->ik", a, b),
                     lambda a=a, b=b: np.einsum("ij,jk->ik", a, b, optimize=True)))
    return rows


def steps() -> tuple[str, str, Call, Call]:
    """A step of one agent is what Python adds to a step of many."""
    model = pp.Model.grid(side=20)
    one = pp.Population(model, 1, budget="64MiB", threads=1)
    many = pp.Population(model, 100_000, budget="256MiB", threads=1)
    world = pp.World(model, 100_000)
    many.run(world, 10)
    seen, alone = world.step(np.zeros((100_000, 1), np.int32)), np.zeros((1, 1), np.int32)
    return ("step of 1 agent", "step of 100,000 agents", lambda: one.step(alone), lambda: many.step(seen))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    record = []
    print(f"{'ours':<30} {'ns':>12}  {'beside':<26} {'ns':>12}  ours ÷ theirs")
    for name, other, ours, theirs in [*memory(), *operations(), steps()]:
        first, second, ratio = compare(ours, theirs, options.rounds)
        record.append({"ours": name, "theirs": other, "seconds": [first, second], "ratio": ratio})
        print(f"{name:<30} {first * 1e9:12,.0f}  {other:<26} {second * 1e9:12,.0f}  {ratio:.3f}")
    shelf = pool.get_statistics()["pools"][(100, 100), "float32"]
    print(f"\nhits of 100 × 100: {shelf['hit_rate']:.4%}")
    if options.json:
        options.json.write_text(json.dumps({"version": 1, "rows": record}, indent=2) + "\n")


if __name__ == "__main__":
    main()
