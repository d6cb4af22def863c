"""Reading pymdp's own objects, of either version, without importing it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from populace.model import Model


@runtime_checkable
class HasModel(Protocol):
    """A stand-in, which knows its model."""

    def model_of(self, index: int = 0, **arguments: Any) -> Model:
        """The model of one of the batch."""


def read(agent: Any, index: int = 0) -> dict[str, Any]:
    """The keywords of :class:`populace.Model` for a pymdp agent."""
    if hasattr(agent, "edge_handling_params"):
        return _read_0(agent)
    for name in ("A", "B", "C", "D", "E", "policies", "A_dependencies"):
        if not hasattr(agent, name):
            raise TypeError(f"{type(agent).__name__} is no pymdp agent: it has no {name}")
    return _read_1(agent, index)


def dependencies(A: Sequence[Any], B: Sequence[Any]) -> tuple[list[list[int]], list[list[int]]] | None:
    """The dependencies that pymdp ``Distribution``s name; None where these are none."""
    if not all(hasattr(tensor, "event") and hasattr(tensor, "batch") for tensor in [*A, *B]):
        return None
    factors = [next(iter(transition.event)) for transition in B]

    def named(tensor: Any) -> list[int]:
        return [factors.index(name) for name in tensor.batch if name in factors]

    return [named(likelihood) for likelihood in A], [named(transition) for transition in B]


def _read_1(agent: Any, index: int) -> dict[str, Any]:
    """pymdp 1.x: every tensor has a batch axis first."""
    if agent.use_inductive and agent.H is None:
        raise ValueError("the agent has I but not the H that it was made of; set agent.H")
    if agent.preprocess_fn is not None:
        raise NotImplementedError("preprocess_fn: Populace takes observations as they are")

    def one(name: str) -> list[NDArray[Any]] | None:
        family = getattr(agent, name)
        return None if family is None else [np.asarray(tensor)[index] for tensor in family]

    def scalar(name: str) -> float:
        return float(np.asarray(getattr(agent, name))[index])

    b, p_b = one("B") or [], one("pB")
    num_controls = [int(n) for n in agent.num_controls]
    controls = None
    if agent.action_maps is not None:
        # pymdp flattened the controls of each factor into one axis; a model has an axis for each.
        num_controls = [int(n) for n in agent.num_controls_multi]
        controls = [list(c) for c in agent.B_action_dependencies]
        dims = [tuple(action_map["multi_dims"]) for action_map in agent.action_maps]
        b = [t.reshape(t.shape[:-1] + d) for t, d in zip(b, dims, strict=True)]
        p_b = p_b and [t.reshape(t.shape[:-1] + d) for t, d in zip(p_b, dims, strict=True)]
    policies = np.asarray(agent.policies.policy_arr)
    plain = (
        "num_iter", "action_selection", "sampling_mode", "inference_algo", "inference_horizon",
        "use_utility", "use_states_info_gain", "use_param_info_gain", "use_inductive",
        "inductive_depth", "categorical_obs", "learn_A", "learn_B",
    )  # fmt: skip
    scalars = ("gamma", "alpha", "inductive_threshold", "inductive_epsilon")
    return {
        "dialect": "pymdp-1",
        "A": one("A"), "B": b, "C": one("C"), "D": one("D"),
        "pA": one("pA"), "pB": p_b, "H": one("H"),
        "A_dependencies": [list(d) for d in agent.A_dependencies],
        "B_dependencies": [list(d) for d in agent.B_dependencies],
        "B_action_dependencies": controls,
        "num_controls": num_controls,
        "policy_len": policies.shape[1],
        **{name: getattr(agent, name) for name in plain},
        **{name: scalar(name) for name in scalars},
        **_plans(policies, np.asarray(agent.E)[index], num_controls, controls),
    }  # fmt: skip


def _read_0(agent: Any) -> dict[str, Any]:
    """pymdp 0.0.7: object arrays of arrays."""
    if agent.edge_handling_params["policy_sep_prior"]:
        raise NotImplementedError("policy_sep_prior: Populace does not do it")
    default: dict[str, Any] = {
        "VANILLA": {"dF": 1.0, "dF_tol": 0.001},
        "MMP": {"grad_descent": True, "tau": 0.25},
    }
    inference = dict(agent.inference_params)
    num_iter = inference.pop("num_iter")
    if inference != default[agent.inference_algo]:
        raise NotImplementedError(
            f"inference_params: {inference}; Populace does only the default ones"
        )

    def family(name: str) -> list[NDArray[Any]] | None:
        tensors = getattr(agent, name)
        return None if tensors is None else [np.asarray(t, dtype=np.float64) for t in tensors]

    factors = len(agent.B)
    num_controls = [int(n) for n in agent.num_controls]
    plain = (
        "action_selection", "sampling_mode", "inference_algo", "inference_horizon", "use_utility",
        "use_states_info_gain", "use_param_info_gain", "lr_pA", "lr_pB", "lr_pD",
        "modalities_to_learn", "factors_to_learn",
    )  # fmt: skip
    return {
        "dialect": "pymdp-0",
        **{name: family(name) for name in ("A", "B", "C", "D", "pA", "pB", "pD")},
        "A_dependencies": [list(range(factors))] * len(agent.A),
        "B_dependencies": [[factor] for factor in range(factors)],
        "num_controls": num_controls,
        "policy_len": len(agent.policies[0]),
        "gamma": float(agent.gamma),
        "alpha": float(agent.alpha),
        "num_iter": num_iter,
        "use_BMA": agent.edge_handling_params["use_BMA"],
        **{name: getattr(agent, name) for name in plain},
        **_plans(np.stack(agent.policies), np.asarray(agent.E), num_controls, None),
    }


def _plans(
    policies: NDArray[Any],
    prior: NDArray[Any],
    num_controls: list[int],
    controls: list[list[int]] | None,
) -> dict[str, Any]:
    """The policies and their prior, left out where they are what Populace takes anyway."""
    count, steps, _ = policies.shape
    found: dict[str, Any] = {}
    if count != math.prod(num_controls) ** steps or not np.array_equal(
        policies, all_policies(num_controls, steps, controls)
    ):
        found["policies"] = policies
    if not np.allclose(prior, 1 / count, rtol=1e-6, atol=0):
        found["E"] = prior
    return found


def all_policies(
    num_controls: list[int], steps: int, controls: list[list[int]] | None
) -> NDArray[np.intp]:
    """All policies in order, (P, T, F): one flat action a state factor."""
    plans = itertools.product(*(range(n) for n in num_controls * steps))
    listed = np.array(list(plans), dtype=np.intp).reshape(-1, steps, len(num_controls))
    if controls is None:
        return listed
    flat = np.zeros((*listed.shape[:2], len(controls)), dtype=np.intp)
    for factor, own in enumerate(controls):
        for control in own:
            flat[..., factor] = flat[..., factor] * num_controls[control] + listed[..., control]
    return flat
