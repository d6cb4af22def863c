"""Sets NumPy's times beside those of `populace bench tensor`, in one run, and prints the ratios.

    cargo build --release
    python benches/compare_numpy.py [matmul|dot|einsum|matvecs ...] [--threads 1 2] [--rounds 3]
                                    [--milliseconds 50] [--filter TEXT] [--json FILE]

Both sides write into a given output. NumPy runs with its best kernels: where the processor has
AVX-512, OPENBLAS_CORETYPE=SkylakeX. The two take turns, round by round; the fastest call of all
rounds counts on both sides, so that a busy machine disturbs both alike. Threads that are not 1
must be as many as the machine has.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def numpy_worker(milliseconds):
    """Reads a row a line, answers the seconds of a call a line."""
    import numpy as np

    def best(call):
        call()
        fastest, calls, begin = float("inf"), 1, time.perf_counter()
        while time.perf_counter() - begin < milliseconds / 1000:
            start = time.perf_counter()
            for _ in range(calls):
                call()
            elapsed = time.perf_counter() - start
            fastest = min(fastest, elapsed / calls)
            if elapsed < milliseconds / 20000:
                calls *= 2
        return fastest

    for line in sys.stdin:
        row = json.loads(line)
        dtype = {"f64": np.float64, "f32": np.float32}[row["dtype"]]
        arrays = []
        for index, shape in enumerate(row["shapes"]):
            count = int(np.prod(shape))
            arrays.append((((np.arange(count) * 7 + index * 3) % 11) / 8 - 0.625).astype(dtype).reshape(shape))
        operation = row["operation"]
        if operation == "matmul":
            out = np.matmul(*arrays)
            seconds = best(lambda: np.matmul(*arrays, out=out))
        elif operation == "dot":
            out = np.dot(*arrays)
            seconds = best(lambda: np.dot(*arrays, out=out))
        elif operation == "matvecs":
            # One matrix, many vectors: NumPy's batched matmul of (n, n) and (batch, n, 1).
            matrix, vectors = arrays[0], arrays[1][..., None]
            out = np.matmul(matrix, vectors)
            seconds = best(lambda: np.matmul(matrix, vectors, out=out))
        else:
            text = operation["einsum"]
            out = np.array(np.einsum(text, *arrays, optimize=True))
            seconds = best(lambda: np.einsum(text, *arrays, optimize=True, out=out))
        print(seconds, flush=True)


def has_avx512():
    try:
        return "avx512f" in pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def numpy_on(threads, milliseconds):
    """A process that measures NumPy; whatever the caller's environment says of its libraries is set aside."""
    theirs = ("OPENBLAS_", "OMP_", "GOTO_", "MKL_", "BLIS_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(theirs)}
    environment["OPENBLAS_NUM_THREADS"] = str(threads)
    if has_avx512():
        environment["OPENBLAS_CORETYPE"] = "SkylakeX"
    return subprocess.Popen(
        [sys.executable, __file__, "--worker", str(milliseconds)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--milliseconds", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--filter", default="")
    parser.add_argument("--json")
    parser.add_argument("--binary", default=str(ROOT / "target/release/populace"))
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return numpy_worker(options.worker)

    fastest = {}
    workers = {threads: numpy_on(threads, options.milliseconds) for threads in options.threads}
    for _ in range(options.rounds):
        command = [options.binary, "bench", "tensor", "--json", *options.workloads]
        rows = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["benches"]
        for row in rows:
            if row["threads"] not in workers or options.filter not in row["name"]:
                continue
            worker = workers[row["threads"]]
            worker.stdin.write(json.dumps(row) + "\n")
            worker.stdin.flush()
            theirs = float(worker.stdout.readline())
            known = fastest.setdefault((row["threads"], row["name"]), [row, row["seconds"], theirs])
            known[1:] = min(known[1], row["seconds"]), min(known[2], theirs)
    for worker in workers.values():
        worker.stdin.close()
    results = []
    for (threads, name), (row, own, theirs) in sorted(fastest.items(), key=lambda entry: entry[0][0]):
        rate = 2e-9 * row["multiply_adds"] / own
        print(f"{threads} threads  {own * 1e6:10.2f} us  numpy {theirs * 1e6:10.2f} us  ratio {own / theirs:6.3f}"
              f"  {rate:6.1f} Gflop/s  {name}{'' if own <= theirs else '   SLOWER'}")
        results.append({"threads": threads, "name": name, "seconds": own, "numpy_seconds": theirs})
    slower = [entry for entry in results if entry["seconds"] > entry["numpy_seconds"]]
    print(f"{len(slower)} of {len(results)} slower than NumPy")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
