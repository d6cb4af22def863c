"""Beside pymdp itself, where it is installed: the same loops, the import changed."""

import importlib.metadata

import numpy as np
import pytest

import populace as pp

pymdp_agent = pytest.importorskip(
    "pymdp.agent", reason="skipped: inferactively-pymdp is not installed"
)
VERSION = importlib.metadata.version("inferactively-pymdp")
one = pytest.mark.skipif(
    not VERSION.startswith("1."), reason=f"skipped: pymdp {VERSION} is not pymdp 1"
)

#: The reference computes in single precision.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def tmaze():
    from pymdp.envs import TMaze

    env = TMaze()
    arrays = {name: [np.asarray(t) for t in getattr(env, name)] for name in ("A", "B", "D")}
    C = [np.zeros(a.shape[0]) for a in arrays["A"]]
    C[1] = np.array([0.0, 2.0, -3.0])
    return arrays | {
        "C": C,
        "A_dependencies": env.A_dependencies,
        "B_dependencies": env.B_dependencies,
        "policy_len": 2,
    }


def grid(rng=np.random.default_rng(0)):
    side, moves = 4, ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
    B = np.zeros((side * side, side * side, len(moves)))
    for cell in range(side * side):
        for action, (down, right) in enumerate(moves):
            row = min(max(cell // side + down, 0), side - 1)
            column = min(max(cell % side + right, 0), side - 1)
            B[row * side + column, cell, action] = 1.0
    A = 0.8 * np.eye(side * side) + 0.2 / side**2
    C = np.zeros(side * side)
    C[-1] = 3.0
    return {"A": [A], "B": [B], "C": [C], "D": [np.full(side * side, 1 / side**2)], "policy_len": 2}


def converted(arguments, array):
    return {
        name: [array(t) for t in value] if name in "ABCD" else value
        for name, value in arguments.items()
    }


def live(agent, observations, array):
    """pymdp's own loop."""
    prior = agent.D
    for row in observations:
        qs = agent.infer_states([array([[o]]) for o in row], empirical_prior=prior)
        q_pi, neg_efe = agent.infer_policies(qs)
        action = agent.sample_action(q_pi)
        prior = agent.update_empirical_prior(action, qs)
        yield [np.asarray(q) for q in qs], np.asarray(q_pi), np.asarray(neg_efe), np.asarray(action)


@one
@pytest.mark.parametrize("world", [tmaze, grid])
def test_the_loop_with_the_import_changed(world) -> None:
    import jax.numpy as jnp

    arguments = world()
    theirs = pymdp_agent.Agent(**converted(arguments, jnp.asarray))
    ours = pp.Agent(**converted(arguments, np.asarray))
    rng = np.random.default_rng(3)
    observations = [[int(rng.integers(n)) for n in ours.num_obs] for _ in range(8)]
    pairs = zip(
        live(ours, observations, np.array), live(theirs, observations, jnp.array), strict=True
    )
    for (qs, q_pi, neg_efe, action), (qs_1, q_pi_1, neg_efe_1, action_1) in pairs:
        for q, q_1 in zip(qs, qs_1, strict=True):
            assert q.shape == q_1.shape and np.allclose(q, q_1, **CLOSE)
        assert np.allclose(q_pi, q_pi_1, **CLOSE) and np.allclose(neg_efe, neg_efe_1, **CLOSE)
        assert action.shape == action_1.shape
        gap = np.diff(np.sort(q_pi_1[0])[-2:])[0]
        if gap < 1e-4:
            # A tie of the reference's, which rounding decides: both go on from the same action.
            break
        assert np.array_equal(action, action_1)


@one
@pytest.mark.parametrize("world", [tmaze, grid])
def test_from_agent_makes_the_same_population(world) -> None:
    import jax.numpy as jnp

    theirs = pymdp_agent.Agent(**converted(world(), jnp.asarray))
    model = pp.Model.from_agent(theirs)
    crowd = pp.Population(model, 10, budget="16MiB", precision="f64")
    stand_in = pp.Agent(**converted(world(), np.asarray))
    rng = np.random.default_rng(4)
    observations = np.array([[int(rng.integers(n)) for n in model.num_obs] for _ in range(10)])
    crowd.step(observations)
    for row in range(10):
        qs = theirs.infer_states([jnp.array([[int(o)]]) for o in observations[row]], theirs.D)
        for ours, q in zip(crowd.beliefs([row]), qs, strict=True):
            assert np.allclose(ours[0], np.asarray(q)[0, -1], **CLOSE)
    assert stand_in.num_states == model.num_states
