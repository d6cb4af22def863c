"""Sets NumPy's times beside those of the tensor crate, case by case in turns, and prints the ratios.

    cargo build --release -p populace-tensor --example turns
    python benches/compare_numpy.py [matmul|dot|einsum|matvecs ...] [--threads 1 2] [--pairs 15]
                                    [--milliseconds 5] [--filter TEXT] [--quiet] [--json FILE] [--record]

Both sides write into a given output. NumPy runs with its best kernels: where the processor has
AVX-512, OPENBLAS_CORETYPE=SkylakeX. For each case the two take turns of a few milliseconds, and the
ratio is the median of the pairs' ratios, each of the fastest call of a turn: whatever disturbs a busy
machine for a while disturbs both sides of a pair alike. Beside it stands where the middle half of the pairs'
ratios lies. Threads that are not 1 must be as many as the machine has. With several, who else works on the machine
decides more than either side does: `--quiet` (on Linux) waits for a machine at rest before each pair, and measures a
pair again that others disturbed.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from compare_pymdp import answer, machine

ROOT = pathlib.Path(__file__).resolve().parent.parent
# OpenBLAS's threads look for work for some time after a call, and would take ours the processor: ours wait
# so long before their turn, in seconds.
OPENBLAS_LOOKS = 0.5
# Threads that have slept need some milliseconds to be on a processor each: with several, turns are so many
# times as long.
LONGER = 8
# How long a row waits for pairs that nobody disturbs, in seconds, before it takes those that somebody did.
PATIENCE = 60


def ramp(shape, index, dtype):
    import numpy as np

    return (((np.arange(np.prod(shape, dtype=int)) * 7 + index * 3) % 11) / 8 - 0.625).astype(dtype).reshape(shape)


def numpy_call(row):
    """What NumPy does for a case: a function without arguments."""
    import numpy as np

    dtype = {"f64": np.float64, "f32": np.float32}[row["dtype"]]
    arrays = [ramp(shape, index, dtype) for index, shape in enumerate(row["shapes"])]
    operation = row["operation"]
    if operation == "matmul":
        out = np.matmul(*arrays)
        return lambda: np.matmul(*arrays, out=out)
    if operation == "dot":
        out = np.dot(*arrays)
        return lambda: np.dot(*arrays, out=out)
    if operation == "matvecs":
        # One matrix, many vectors: NumPy's batched matmul of (n, n) and (batch, n, 1).
        matrix, vectors = arrays[0], arrays[1][..., None]
        out = np.matmul(matrix, vectors)
        return lambda: np.matmul(matrix, vectors, out=out)
    text = operation["einsum"]
    out = np.array(np.einsum(text, *arrays, optimize=True))
    return lambda: np.einsum(text, *arrays, optimize=True, out=out)


def numpy_worker():
    """Answers as the other side does: `case ROW` makes a case ready, `time MILLISECONDS` measures it."""
    call, calls = None, 1
    for line in sys.stdin:
        word, argument = line.split(maxsplit=1)
        if word == "case":
            call, calls = numpy_call(json.loads(argument)), 1
            call()
            print("ready", flush=True)
            continue
        seconds = int(argument) / 1000
        fastest, begin = float("inf"), time.perf_counter()
        while time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            for _ in range(calls):
                call()
            elapsed = time.perf_counter() - start
            fastest = min(fastest, elapsed / calls)
            if elapsed < seconds / 20:
                calls *= 2
        print(fastest, flush=True)


def has_avx512():
    try:
        return "avx512f" in pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def processor_seconds(processes):
    """What all processors have worked since the machine was started, and what these processes have of it."""
    ticks = os.sysconf("SC_CLK_TCK")
    user, nice, system, _, _, *interrupts = map(int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    own = 0
    for process in processes:
        fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        own += int(fields[11]) + int(fields[12])
    return (user + nice + system + sum(interrupts)) / ticks, own / ticks


class Others:
    """Whether somebody else worked since it was made: more than a tenth of one processor."""

    def __init__(self, sides):
        self.processes = [side.process for side in sides]
        self.start, self.worked = time.monotonic(), processor_seconds(self.processes)

    def worked_much(self):
        all_of_them, own = (a - b for a, b in zip(processor_seconds(self.processes), self.worked))
        # The counts have steps of 1/100 s.
        return all_of_them - own > 0.1 * (time.monotonic() - self.start) + 0.011


def wait_for_rest(sides):
    """Waits until nobody works, for a while."""
    begin = time.monotonic()
    while time.monotonic() - begin < PATIENCE:
        others = Others(sides)
        time.sleep(0.2)
        if not others.worked_much():
            return


class Side:
    """A process that measures when it is asked."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.process.args[0]} ended")
        return json.loads(answer) if answer != "ready\n" else None


def numpy_on(threads):
    """NumPy; whatever the caller's environment says of its libraries is set aside."""
    theirs = ("OPENBLAS_", "OMP_", "GOTO_", "MKL_", "BLIS_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(theirs)}
    environment["OPENBLAS_NUM_THREADS"] = str(threads)
    if has_avx512():
        environment["OPENBLAS_CORETYPE"] = "SkylakeX"
    return Side([sys.executable, __file__, "--worker"], environment)


def workload(row):
    return "einsum" if isinstance(row["operation"], dict) else row["operation"]


def compare(row, own, numpy, options):
    """The pairs' ratios, and each side's median time."""
    numpy.ask("case " + json.dumps(row))
    pairs, begin = [], time.monotonic()
    # The first pair warms up.
    number = -1
    while len(pairs) < options.pairs:
        number += 1
        late = time.monotonic() - begin > PATIENCE
        if options.quiet and not late:
            wait_for_rest([own, numpy])
            others = Others([own, numpy])
        times = {}
        for side in (own, numpy) if number % 2 else (numpy, own):
            if side is own and row["threads"] > 1:
                time.sleep(OPENBLAS_LOOKS)
            milliseconds = options.milliseconds * (LONGER if row["threads"] > 1 else 1)
            times[side] = side.ask(f"time {milliseconds}")
        if number > 0 and not (options.quiet and not late and others.worked_much()):
            pairs.append((times[own], times[numpy]))
    ours, theirs = zip(*pairs)
    return sorted(a / b for a, b in pairs), statistics.median(ours), statistics.median(theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--milliseconds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--filter", default="")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--record", action="store_true", help="keep the results in benches/record")
    parser.add_argument("--binary", default=str(ROOT / "target/release/examples/turns"))
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return numpy_worker()

    own, results = Side([options.binary]), []
    for threads in options.threads:
        numpy, number = numpy_on(threads), 0
        while (row := own.ask(f"case {number} {threads}")) is not None:
            number += 1
            if options.filter not in row["name"] or workload(row) not in (options.workloads or [workload(row)]):
                continue
            if not row["checked"]:
                sys.exit(f"{row['name']}: the answer is not the expected one")
            ratios, ours, theirs = compare(row, own, numpy, options)
            ratio = statistics.median(ratios)
            quartiles = statistics.quantiles(ratios, n=4)
            rate = 2e-9 * row["multiply_adds"] / ours
            print(f"{threads} threads  {ours * 1e6:10.2f} us  numpy {theirs * 1e6:10.2f} us  ratio {ratio:6.3f}"
                  f" ({quartiles[0]:.2f} to {quartiles[2]:.2f})  {rate:6.1f} Gflop/s  {row['name']}"
                  f"{'' if ratio <= 1 else '   SLOWER'}", flush=True)
            results.append({"threads": threads, "name": row["name"], "seconds": short(ours),
                            "numpy_seconds": short(theirs), "ratio": short(ratio),
                            "quartiles": [short(quartiles[0]), short(quartiles[2])]})
        numpy.process.stdin.close()
    slower = [entry for entry in results if entry["ratio"] > 1]
    print(f"{len(slower)} of {len(results)} slower than NumPy")
    if options.json:
        write(pathlib.Path(options.json), results)
    if options.record:
        day, commit = answer(["git", "log", "-1", "--format=%cs"]), answer(["git", "rev-parse", "--short", "HEAD"])
        write(ROOT / f"benches/record/{day}-{commit}-numpy.json", results)


def short(number):
    """Four digits of it."""
    return float(f"{number:.4g}")


def write(file, rows):
    """The results with what they hold for, a row a line."""
    from importlib.metadata import version

    head = {"version": 1, "machine": machine(), "commit": answer(["git", "rev-parse", "--short", "HEAD"]),
            "changed": bool(answer(["git", "status", "--porcelain", "--", "crates", "benches/*.py"])),
            "libraries": {"numpy": version("numpy")}}
    lines = ",\n".join("    " + json.dumps(row) for row in rows)
    file.write_text(json.dumps(head, indent=2)[:-2] + ',\n  "rows": [\n' + lines + "\n  ]\n}\n")


if __name__ == "__main__":
    main()
