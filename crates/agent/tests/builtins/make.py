"""Writes the arrays of pymdp's own worlds as model files: what the built-in models are held against.

    python make.py

Needs inferactively-pymdp==1.0.4 and safetensors. Preferences are no part of a world; the test compares
the other arrays and the dependencies. The default T-maze and cue chaining are golden runs already.
"""

import json
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np  # noqa: E402
from pymdp.envs.cue_chaining import CueChainingEnv  # noqa: E402
from pymdp.envs.graph_worlds import GraphEnv, generate_connected_clusters  # noqa: E402
from pymdp.envs.tmaze import SimplifiedTMaze, TMaze  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

HERE = Path(__file__).parent


def write(name, world):
    tensors = {}
    for prefix, arrays in (("A", world.A), ("B", world.B), ("D", world.D)):
        for index, array in enumerate(arrays):
            tensors[f"{prefix}.{index}"] = np.array(array)
    # Some worlds come as a batch of one.
    if tensors["D.0"].ndim == 2:
        tensors = {key: array[0] for key, array in tensors.items()}
    metadata = {
        "reference": "inferactively-pymdp 1.0.4",
        "A_dependencies": world.A_dependencies,
        "B_dependencies": world.B_dependencies,
    }
    tensors = {key: np.ascontiguousarray(array) for key, array in tensors.items()}
    save_file(tensors, HERE / f"{name}.safetensors", {"populace": json.dumps(metadata)})


def main():
    chances = {"reward_probability": 0.8, "punishment_probability": 0.7, "cue_validity": 0.9}
    write("tmaze", TMaze(**chances))
    write("tmaze_dependent", TMaze(dependent_outcomes=True, reward_condition=1, **chances))
    write("tmaze_simplified", SimplifiedTMaze())
    write(
        "tmaze_simplified_dependent",
        SimplifiedTMaze(dependent_outcomes=True, reward_condition=0, **chances),
    )
    write(
        "cue_chaining",
        CueChainingEnv(
            grid_shape=(3, 4),
            start_location=(1, 1),
            cue1_location=(2, 3),
            cue2_locations=((0, 0), (0, 3), (2, 0)),
            reward_locations=((1, 3), (1, 0)),
            reward_condition=1,
        ),
    )
    graph, _ = generate_connected_clusters(cluster_size=3, connections=2)
    write("graph", GraphEnv(graph, object_location=4, agent_location=2))
    graph, _ = generate_connected_clusters()
    write("graph_nowhere", GraphEnv(graph, object_location=len(graph.nodes), agent_location=0))


main()
