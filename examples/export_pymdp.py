"""Write a pymdp agent as a Populace model file, with NumPy and safetensors alone.

    from export_pymdp import export

    export(agent, "model.safetensors")

`agent` is a `pymdp.agent.Agent` of inferactively-pymdp 1.x (JAX) or 0.0.7 (NumPy). What the agent
holds as attributes is read from it; what pymdp takes as arguments of single calls is given here by
name: `learn_A`, `learn_B`, `learn_D`, `lr_pA`, `lr_pB`, `lr_pD`.

Run as a program, it writes the agent of a small example world with whichever pymdp is installed:

    python export_pymdp.py model.safetensors && populace infer model.safetensors
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file


def export(agent: Any, path: str | Path, *, index: int = 0, observations: Any = None,
           reference: str | None = None, **arguments: Any) -> None:
    """Write `agent` to `path`.

    `index` picks one agent of a batch (pymdp 1.x). `observations`, (steps, modalities) integers with
    -1 for a missing one, are stored beside the model. `arguments` are put among the agent's own,
    over what was read from it.
    """
    old = hasattr(agent, "edge_handling_params")
    tensors, metadata = _read_0(agent) if old else _read_1(agent, index)
    metadata["agent"].update(arguments)
    if reference is not None:
        metadata["reference"] = reference
    if observations is not None:
        tensors["observations"] = np.asarray(observations, dtype=np.int32)
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_file(tensors, path, metadata={"populace": json.dumps(metadata)})


def _read_1(agent: Any, index: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """pymdp 1.x: every tensor has a batch axis first."""
    if agent.use_inductive and agent.H is None:
        raise ValueError("the agent has I but not the H that it was made of; set agent.H")

    def one(name: str) -> list[np.ndarray] | None:
        """The chosen agent's tensors."""
        family = getattr(agent, name)
        return None if family is None else [np.asarray(tensor)[index] for tensor in family]

    def scalar(name: str) -> float:
        return float(np.asarray(getattr(agent, name))[index])

    b, p_b = one("B"), one("pB")
    num_controls = [int(n) for n in agent.num_controls]
    several = agent.action_maps is not None
    if several:
        # pymdp flattened the controls of each factor into one axis; the file has an axis for each.
        num_controls = [int(n) for n in agent.num_controls_multi]
        dims = [tuple(action_map["multi_dims"]) for action_map in agent.action_maps]
        b = [t.reshape(t.shape[:-1] + d) for t, d in zip(b, dims)]
        p_b = p_b and [t.reshape(t.shape[:-1] + d) for t, d in zip(p_b, dims)]
    controls = [list(c) for c in agent.B_action_dependencies] if several else None
    policies = np.asarray(agent.policies.policy_arr)

    tensors = _named(A=one("A"), B=b, C=one("C"), D=one("D"), pA=one("pA"), pB=p_b, H=one("H"))
    tensors |= _plans(policies, np.asarray(agent.E)[index], num_controls, controls)
    metadata = {
        "format": 1,
        "dialect": "pymdp-1",
        "A_dependencies": [list(d) for d in agent.A_dependencies],
        "B_dependencies": [list(d) for d in agent.B_dependencies],
        "num_controls": num_controls,
        "agent": {
            "policy_len": policies.shape[1],
            "gamma": scalar("gamma"),
            "alpha": scalar("alpha"),
            "inductive_threshold": scalar("inductive_threshold"),
            "inductive_epsilon": scalar("inductive_epsilon"),
            **{name: getattr(agent, name) for name in (
                "num_iter", "action_selection", "sampling_mode", "inference_algo",
                "inference_horizon", "use_utility", "use_states_info_gain", "use_param_info_gain",
                "use_inductive", "inductive_depth", "categorical_obs", "learn_A", "learn_B")},
        },
    }
    if several:
        metadata["B_action_dependencies"] = controls
    return tensors, metadata


def _read_0(agent: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """pymdp 0.0.7: object arrays of arrays."""
    for name, only in [("modalities_to_learn", "all"), ("factors_to_learn", "all")]:
        if getattr(agent, name) != only:
            raise ValueError(f"{name} is {getattr(agent, name)}; Populace does only {only!r}")
    if agent.edge_handling_params["policy_sep_prior"]:
        raise ValueError("policy_sep_prior is set; Populace does not do it")
    default = {"VANILLA": {"dF": 1.0, "dF_tol": 0.001}, "MMP": {"grad_descent": True, "tau": 0.25}}
    params = dict(agent.inference_params)
    num_iter = params.pop("num_iter")
    if params != default[agent.inference_algo]:
        raise ValueError(f"inference_params are {params}; Populace does only the default ones")

    factors = len(agent.B)
    tensors = _named(A=agent.A, B=agent.B, C=agent.C, D=agent.D,
                     pA=agent.pA, pB=agent.pB, pD=agent.pD)
    num_controls = [int(n) for n in agent.num_controls]
    tensors |= _plans(np.stack(agent.policies), np.asarray(agent.E), num_controls, None)
    metadata = {
        "format": 1,
        "dialect": "pymdp-0",
        "A_dependencies": [list(range(factors))] * len(agent.A),
        "B_dependencies": [[factor] for factor in range(factors)],
        "num_controls": num_controls,
        "agent": {
            "policy_len": len(agent.policies[0]),
            "gamma": float(agent.gamma),
            "alpha": float(agent.alpha),
            "num_iter": num_iter,
            "use_BMA": agent.edge_handling_params["use_BMA"],
            **{name: getattr(agent, name) for name in (
                "action_selection", "sampling_mode", "inference_algo", "inference_horizon",
                "use_utility", "use_states_info_gain", "use_param_info_gain",
                "lr_pA", "lr_pB", "lr_pD")},
        },
    }
    return tensors, metadata


def _named(**families: Any) -> dict[str, np.ndarray]:
    """`A=[x, y]` as `{"A.0": x, "A.1": y}`; floats keep their precision, other dtypes become
    double."""
    tensors = {}
    for prefix, family in families.items():
        for index, tensor in enumerate(family if family is not None else ()):
            if tensor is None:
                raise ValueError(f"{prefix}[{index}] is None; give all of {prefix} or none")
            tensor = np.asarray(tensor)
            if tensor.dtype not in (np.float32, np.float64):
                tensor = tensor.astype(np.float64)
            tensors[f"{prefix}.{index}"] = tensor
    return tensors


def _plans(policies: np.ndarray, prior: np.ndarray, num_controls: list[int],
           controls: list[list[int]] | None) -> dict[str, np.ndarray]:
    """The policies and their prior, left out where they are what Populace takes anyway."""
    tensors = {}
    count, steps, _ = policies.shape
    if count != math.prod(num_controls) ** steps or not np.array_equal(
        policies, _all_policies(num_controls, steps, controls)
    ):
        tensors["policies"] = policies.astype(np.int32)
    if not np.allclose(prior, 1 / count, rtol=1e-6, atol=0):
        tensors["E"] = prior
    return tensors


def _all_policies(num_controls: list[int], steps: int,
                  controls: list[list[int]] | None) -> np.ndarray:
    """All policies in order, (P, T, F): one flat action a state factor."""
    plans = itertools.product(*(range(n) for n in num_controls * steps))
    plans = np.array(list(plans)).reshape(-1, steps, len(num_controls))
    if controls is None:
        return plans
    flat = np.zeros((*plans.shape[:2], len(controls)), dtype=plans.dtype)
    for factor, own in enumerate(controls):
        for control in own:
            flat[..., factor] = flat[..., factor] * num_controls[control] + plans[..., control]
    return flat


def _example() -> Any:
    """A light that a switch toggles, seen through a noisy eye."""
    a = np.array([[0.9, 0.2], [0.1, 0.8]])
    b = np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)
    c = np.array([0.0, 2.0])
    d = np.array([0.5, 0.5])
    try:
        from pymdp import utils
        from pymdp.agent import Agent

        box = utils.to_obj_array  # only pymdp 0.0.7 has it
    except AttributeError:
        import jax.numpy as jnp

        return Agent(A=[jnp.array(a)], B=[jnp.array(b)], C=[jnp.array(c)], D=[jnp.array(d)],
                     policy_len=2)
    return Agent(A=box(a), B=box(b), C=box(c), D=box(d), policy_len=2)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} MODEL.safetensors")
    export(_example(), sys.argv[1], observations=[[0], [1], [1], [0]])
