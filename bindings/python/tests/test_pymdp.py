"""Beside pymdp itself, where it is installed: the same loops, the import changed."""

import importlib.metadata

import hundred
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
zero = pytest.mark.skipif(
    not VERSION.startswith("0."), reason=f"skipped: pymdp {VERSION} is not pymdp 0.0.7"
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


def taught(agent, observations, array, together):
    """pymdp's own loop with learning."""
    prior, before, action = agent.D, None, None
    for row in observations:
        seen = [array([[o]]) for o in row]
        qs = agent.infer_states(seen, empirical_prior=prior)
        q_pi, neg_efe = agent.infer_policies(qs)
        if before is not None:
            both = [together(pair) for pair in zip(before, qs, strict=True)]
            agent = agent.infer_parameters(qs, seen, action, beliefs_B=both, lr_pA=0.5)
        action = agent.sample_action(q_pi)
        prior, before = agent.update_empirical_prior(action, qs), qs
        yield [np.asarray(x) for x in (q_pi, neg_efe, *qs, *agent.pA, *agent.pB, *agent.A, *agent.B)]


@one
def test_learning_with_the_import_changed() -> None:
    import jax.numpy as jnp

    made = hundred.arguments("learner")
    flags = {"learn_A": True, "learn_B": True, "use_param_info_gain": True, "policy_len": 2}
    tensors = {name: made[name] for name in ("A", "B", "C", "D", "pA", "pB")}

    def of(agent, array):
        return agent(**{name: [array(t) for t in family] for name, family in tensors.items()}, **flags)

    ours, theirs = of(pp.Agent, np.asarray), of(pymdp_agent.Agent, jnp.asarray)
    rng = np.random.default_rng(5)
    observations = [[int(rng.integers(n)) for n in ours.num_obs] for _ in range(8)]
    pairs = zip(
        taught(ours, observations, np.array, lambda pair: np.concatenate(pair, axis=1)),
        taught(theirs, observations, jnp.array, lambda pair: jnp.concatenate(pair, axis=1)),
        strict=True,
    )
    for own, reference in pairs:
        for array, expected in zip(own, reference, strict=True):
            assert array.shape == expected.shape and np.allclose(array, expected, **CLOSE)


@one
@pytest.mark.parametrize("algorithm", ["mmp", "vmp", "ovf", "fpi"])
def test_windows_with_the_import_changed(algorithm) -> None:
    import jax.numpy as jnp

    made = hundred.arguments("learner")
    tensors = {name: made[name] for name in ("A", "B", "C", "D")}
    rng = np.random.default_rng(6)
    seen = [rng.integers(0, 2, (1, 5)) for _ in range(2)]
    taken = rng.integers(0, 2, (1, 4, 2))

    def answers(agent, array):
        family = {name: [array(t) for t in family] for name, family in tensors.items()}
        made = agent(**family, inference_algo=algorithm)
        return made.infer_states(
            [array(o) for o in seen], made.D, past_actions=array(taken), valid_steps=4
        )

    for own, reference in zip(
        answers(pp.Agent, np.asarray), answers(pymdp_agent.Agent, jnp.asarray), strict=True
    ):
        expected = np.asarray(reference)
        assert own.shape == expected.shape and np.allclose(own, expected, **CLOSE)


@zero
def test_the_old_tmaze_with_the_import_changed() -> None:
    from pymdp import utils
    from pymdp.envs import TMazeEnv

    world = TMazeEnv(reward_probs=[0.98, 0.02])
    A, B = world.get_likelihood_dist(), world.get_transition_dist()

    def demo(Agent):
        """pymdp's T-maze demonstration, learning from what it sees."""
        np.random.seed(4)
        agent = Agent(A=A, B=B, pA=utils.dirichlet_like(A, scale=3.0), control_fac_idx=[0], lr_pA=0.5)
        agent.D[0] = utils.onehot(0, agent.num_states[0])
        agent.C[1][1], agent.C[1][2] = 3.0, -3.0
        observation = world.reset()
        for _ in range(6):
            qs = agent.infer_states(observation)
            q_pi, G = agent.infer_policies()
            agent.update_A(observation)
            action = agent.sample_action()
            yield [*qs, q_pi, G, np.array(action), *agent.pA, *agent.A]
            observation = world.step(action)

    # To the end before the other begins: both draw from NumPy's global random numbers.
    for own, reference in zip(list(demo(pp.legacy.Agent)), list(demo(pymdp_agent.Agent)), strict=True):
        for array, expected in zip(own, reference, strict=True):
            assert array.shape == expected.shape
            np.testing.assert_allclose(array, expected, rtol=1e-9, atol=1e-12)


@zero
@pytest.mark.parametrize("case", hundred.CASES)
def test_the_old_loop_with_the_import_changed(case) -> None:
    def loop(Agent):
        made = hundred.arguments(case)
        family = {
            name: pp.legacy.utils.obj_array_from_list(made.pop(name))
            for name in ("A", "B", "C", "D", "pA", "pB")
            if name in made
        }
        agent = Agent(**family, **made, sampling_mode="full", save_belief_hist=True)
        world, before = hundred.World(hundred.arguments(case), 3), None
        for _ in range(6):
            seen = world.observe()
            qs = agent.infer_states(seen)
            q_pi, G = agent.infer_policies()
            if agent.pB is not None and before is not None:
                agent.update_B(before)
            before = qs
            action = agent.sample_action()
            world.act(action)
            yield [*qs, q_pi, G, action, *agent.B]
        assert len(agent.qs_hist) == 6

    for own, reference in zip(loop(pp.legacy.Agent), loop(pymdp_agent.Agent), strict=True):
        for array, expected in zip(own, reference, strict=True):
            np.testing.assert_allclose(array, expected, rtol=1e-9, atol=1e-12)


@one
def test_pymdps_distributions() -> None:
    from pymdp.distribution import Distribution, get_dependencies

    side, moves = ["left", "right"], ["stay", "go"]
    swap = np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)
    A = [Distribution({"seen": side}, {"side": side}, np.eye(2))]
    B = [Distribution({"side": side}, {"side": side, "move": moves}, swap)]
    model, agent = pp.Model(A, B), pp.Agent(A, B)
    assert np.array_equal(model.B[0], swap)
    assert (agent.A_dependencies, agent.B_dependencies) == get_dependencies(A, B)


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


@one
def test_a_masked_modality_as_pymdp_has_it() -> None:
    import jax.numpy as jnp

    arguments = tmaze()
    theirs = pymdp_agent.Agent(**converted(arguments, jnp.asarray))
    ours = pp.Agent(**converted(arguments, np.asarray))
    row = [0] * len(ours.num_obs)
    mask = [1.0] * (len(row) - 1) + [0.0]
    qs = ours.infer_states([np.array([[o]]) for o in row], ours.D, mask=mask)
    qs_1 = theirs.infer_states([jnp.array([[o]]) for o in row], theirs.D, mask=mask)
    for q, q_1 in zip(qs, qs_1, strict=True):
        assert q.shape == q_1.shape and np.allclose(q, q_1, **CLOSE)
