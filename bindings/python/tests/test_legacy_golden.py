"""pymdp 0.0.7's own loop, run by the stand-in: every number that pymdp recorded."""

from pathlib import Path

import numpy as np
import pytest
from reference import Recording, recordings

from populace.legacy import Agent, utils

EXACT = {"rtol": 1e-9, "atol": 1e-12}
#: Taken from the recording's arguments as they are.
PLAIN = (
    "policy_len", "gamma", "alpha", "use_utility", "use_states_info_gain", "use_param_info_gain",
    "action_selection", "sampling_mode", "inference_algo", "inference_horizon", "lr_pA", "lr_pB",
    "lr_pD", "use_BMA", "modalities_to_learn", "factors_to_learn",
)  # fmt: skip


def made(case: Recording) -> Agent:
    """The agent of a recording."""
    tensors = {}
    for name in ("A", "B", "C", "D", "pA", "pB", "pD"):
        family = case.family(name)
        tensors[name] = None if family is None else utils.obj_array_from_list(family)
    plain = {name: case.arguments[name] for name in PLAIN if name in case.arguments}
    policies = case.tensors.get("policies")
    return Agent(
        **tensors,
        E=case.tensors.get("E"),
        policies=None if policies is None else list(policies),
        num_controls=case.metadata["num_controls"],
        **plain,
    )


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert np.shape(ours) == theirs.shape
    np.testing.assert_allclose(ours, theirs, **EXACT)


@pytest.mark.parametrize("path", recordings("pymdp-0"), ids=lambda path: path.stem)
def test_the_loop_answers_what_pymdp_recorded(path: Path) -> None:
    case = Recording(path)
    agent = made(case)
    windows = agent.inference_algo == "MMP"
    learns = {name: case.arguments.get(f"learn_{name}", False) for name in "ABD"}
    before = None
    for step in range(case.steps):
        seen = [int(outcome[0]) for outcome in case.observed(step)]
        qs = agent.infer_states(seen)
        if windows:
            close(agent.F, case.tensors["expect.free_energy"][step])
        for factor, q in enumerate(() if windows else qs):
            close(q, case.tensors[f"expect.qs.{factor}"][step])
        q_pi, G = agent.infer_policies()
        close(q_pi, case.tensors["expect.q_pi"][step])
        close(G, case.tensors["expect.neg_efe"][step])
        updates = {}
        if learns["A"]:
            updates["pA"] = agent.update_A(seen), step
        if learns["B"] and before is not None:
            updates["pB"] = agent.update_B(before), step - 1
        if learns["D"] and step == 0:
            updates["pD"] = agent.update_D(qs), 0
        for name, (counts, update) in updates.items():
            for index, array in enumerate(counts):
                close(array, case.tensors[f"expect.{name}_after.{index}"][update])
        assert agent.sample_action().shape == (agent.num_factors,)
        agent.action = case.actions[step].astype(float)
        assert agent.prev_actions is not None
        agent.prev_actions[-1] = agent.action
        before = qs
    if windows:
        for factor in range(agent.num_factors):
            last = case.tensors[f"expect.qs_policy.{factor}"]
            for policy, window in zip(agent.qs, last, strict=True):
                for belief, expected in zip(policy, window, strict=True):
                    close(belief[factor], expected)
