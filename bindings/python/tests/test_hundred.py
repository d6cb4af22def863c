"""A population does what a hundred pymdp agents did that were stepped one by one."""

import numpy as np
import pytest
from hundred import AGENTS, CASES, STEPS, agent_of, file_of, learnt, live, pymdp_version

import populace as pp

RECORDED = ("1.0.4", "0.0.7.1")


def same(model: pp.Model, observations: np.ndarray, actions: np.ndarray) -> None:
    crowd = pp.Population(model, AGENTS, budget="64MiB", precision="f64")
    for step in range(STEPS):
        assert np.array_equal(crowd.step(observations[step]), actions[step]), step
    # Agents did act, and not all alike.
    assert (actions != actions[:, :1]).any()


@pytest.mark.parametrize("version", RECORDED)
@pytest.mark.parametrize("case", CASES)
def test_the_recorded_hundred(case, version) -> None:
    path = file_of(case, version)
    lives = np.load(path)
    same(pp.Model.load(path.with_suffix(".safetensors")), lives["observations"], lives["actions"])


@pytest.mark.skipif(pymdp_version() is None, reason="skipped: inferactively-pymdp is not installed")
@pytest.mark.parametrize("case", CASES)
def test_a_hundred_stepped_now(case, monkeypatch) -> None:
    if str(pymdp_version()).startswith("1."):
        import jax

        jax.config.update("jax_enable_x64", True)
    lives = live(case)
    same(pp.Model.from_agent(agent_of(case), **learnt(case)), lives.observations, lives.actions)
