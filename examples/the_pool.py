"""The pool: matrices that are reused, operations into them, and buffers that are counted.

    python the_pool.py
"""

import time

import numpy as np

from populace import pool


def nanoseconds(work, turns: int = 2_000) -> float:
    """The fastest of a few rounds, by turn."""
    rounds = []
    for _ in range(5):
        started = time.perf_counter_ns()
        for _ in range(turns):
            work()
        rounds.append((time.perf_counter_ns() - started) / turns)
    return min(rounds)


def pooled() -> None:
    with pool.pooled_matrix((100, 100), np.float32) as m:
        m[0, 0] = 1


def fresh() -> None:
    m = np.empty((100, 100), np.float32)
    m[0, 0] = 1


print(f"pooled_matrix  {nanoseconds(pooled):7.0f} ns")
print(f"np.empty       {nanoseconds(fresh):7.0f} ns")

a, b = np.random.default_rng(0).random((2, 100, 100), dtype=np.float32)
out = np.empty_like(a)
print(f"pooled_dot     {nanoseconds(lambda: pool.pooled_dot(a, b, out=out)):7.0f} ns")
print(f"np.dot         {nanoseconds(lambda: np.dot(a, b, out=out)):7.0f} ns")
assert np.allclose(pool.pooled_einsum("ij,jk->ik", a, b), a @ b, rtol=1e-4)

numbers = pool.get_statistics()["pools"][(100, 100), "float32"]
print(f"hits           {numbers['hit_rate']:7.2%}")

own = pool.Pool(max_bytes="1MiB")
with pool.autorelease() as scope:
    buffers = [scope.add(own.get_buffer(10_000)) for _ in range(10)]
    print("in the scope  ", own.get_statistics()["in_use"], "buffers")
print("after it      ", own.get_statistics()["in_use"], "buffers")
