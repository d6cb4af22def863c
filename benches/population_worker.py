"""Steps a `pp.Population` of a model file, on request: ours, from Python, in compare_pymdp.py.

    python population_worker.py MODEL.safetensors AGENTS

Runs in an environment with populace. The protocol is pymdp_worker.py's: a JSON line when the agents
are ready; then, for every line on standard input, a number of seconds, steps for about so long and a
JSON line: the microseconds an agent-step of each, and the bytes an agent. A step is `crowd.step`:
arrays in, arrays out. The world is the model's own, and is not timed.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

import populace as pp


def main(path: str, agents: int) -> None:
    model = pp.Model.load(path)
    crowd, world = pp.Population(model, agents, budget="4GiB"), pp.World(model, agents)
    observations = world.reset()
    print(json.dumps({"version": pp.__version__, "agents": agents}), flush=True)
    for line in sys.stdin:
        end, microseconds = time.perf_counter() + float(line), []
        while not microseconds or time.perf_counter() < end:
            start = time.perf_counter()
            actions = crowd.step(observations)
            microseconds.append((time.perf_counter() - start) / agents * 1e6)
            observations = world.step(actions)
        for beliefs in crowd.beliefs():
            assert np.allclose(beliefs.astype(float).sum(axis=-1), 1, atol=1e-4)
        print(json.dumps({"microseconds": microseconds, "bytes_per_agent": crowd.bytes_per_agent}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
