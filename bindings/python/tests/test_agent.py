"""The stand-in for pymdp 1.x: shapes, batches, and the answers of a population."""

import numpy as np
import pytest

import populace as pp


def factored(rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Two factors, two modalities, all dense."""

    def columns(*shape: int) -> np.ndarray:
        tensor = rng.random(shape)
        return tensor / tensor.sum(0)

    return {
        "A": [columns(3, 2, 3), columns(2, 2, 3)],
        "B": [columns(2, 2, 2), columns(3, 3, 3)],
        "C": [rng.normal(size=3), rng.normal(size=2)],
        "D": [columns(2), columns(3)],
    }


def test_a_loop_is_what_a_population_does() -> None:
    rng = np.random.default_rng(1)
    model = factored(rng)
    agent = pp.Agent(**model, policy_len=2, batch_size=4)
    crowd = pp.Population(pp.Model.from_agent(agent), 4, budget="8MiB", precision="f64")
    prior = agent.D
    for _ in range(6):
        observed = np.stack([rng.integers(-1, 3, 4), rng.integers(-1, 2, 4)], axis=1)
        qs = agent.infer_states([observed[:, 0], observed[:, 1, np.newaxis]], prior)
        q_pi, neg_efe = agent.infer_policies(qs)
        action = agent.sample_action(q_pi)
        prior = agent.update_empirical_prior(action, qs)
        assert np.array_equal(crowd.step(observed), action)
        for ours, theirs in zip(crowd.beliefs(), qs, strict=True):
            assert np.allclose(ours, theirs[:, -1], rtol=1e-12, atol=1e-14)
        again, values = crowd.infer_policies()
        assert np.allclose(again, q_pi, rtol=1e-11) and np.allclose(values, neg_efe, rtol=1e-11)


def test_batches_of_different_models() -> None:
    rng = np.random.default_rng(2)
    one, two = factored(rng), factored(rng)
    stacked = {name: [np.stack(pair) for pair in zip(one[name], two[name], strict=True)] for name in one}
    both = pp.Agent(**stacked, batch_size=2)
    qs = both.infer_states([np.array([1, 1]), np.array([0, 0])], both.D)
    for row, own in enumerate((one, two)):
        agent = pp.Agent(**own)
        alone = agent.infer_states([np.array([1]), np.array([0])], agent.D)
        for ours, theirs in zip(qs, alone, strict=True):
            assert np.array_equal(ours[row], theirs[0])


def test_soft_observations_and_one_hot_ones_agree() -> None:
    model = factored(np.random.default_rng(3))
    sharp, soft = pp.Agent(**model), pp.Agent(**model, categorical_obs=True)
    outcomes = [np.array([2]), np.array([1])]
    qs = sharp.infer_states(outcomes, sharp.D)
    again = soft.infer_states(soft.make_categorical(outcomes), soft.D)
    for ours, theirs in zip(qs, again, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-10)


def test_history_goes_before() -> None:
    agent = pp.Agent(**factored(np.random.default_rng(4)))
    first = agent.infer_states([np.array([0]), np.array([0])], agent.D)
    both = agent.infer_states([np.array([1]), np.array([1])], agent.D, qs_hist=first)
    assert [q.shape for q in both] == [(1, 2, 2), (1, 2, 3)]
    assert np.array_equal(both[0][:, 0], first[0][:, 0])


def test_several_controls_on_one_factor() -> None:
    rng = np.random.default_rng(5)
    b = rng.random((2, 2, 2, 3))
    agent = pp.Agent(
        [np.eye(2)], [b / b.sum(0)], B_action_dependencies=[[0, 1]], num_controls=[2, 3]
    )
    assert agent.B[0].shape == (1, 2, 2, 6) and agent.num_controls == [6]
    assert agent.decode_multi_actions([[5]]).tolist() == [[1, 2]]
    assert agent.encode_multi_actions([[1, 2]]).tolist() == [[5]]
    assert agent.policies.policy_arr[:, 0, 0].tolist() == list(range(6))


def test_drawn_actions_follow_the_posterior() -> None:
    model = factored(np.random.default_rng(6))
    agent = pp.Agent(**model, batch_size=4000, action_selection="stochastic", alpha=1.0)
    qs = agent.infer_states([np.zeros(4000, int), np.zeros(4000, int)], agent.D)
    q_pi, _ = agent.infer_policies(qs)
    actions = agent.sample_action(q_pi, rng_key=np.random.default_rng(0))
    first = agent.policies.policy_arr[:, 0]
    counts = np.array([(actions == row).all(1).mean() for row in first])
    assert np.abs(counts - q_pi[0]).max() < 0.04
    assert np.array_equal(agent.sample_action(q_pi, rng_key=5), agent.sample_action(q_pi, rng_key=5))
    with pytest.raises(ValueError, match="random number generator key"):
        agent.sample_action(q_pi)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"learn_C": True}, "learn_C"),
        ({"learn_D": True}, "learn_D"),
        ({"learn_E": True}, "learn_E"),
        ({"I": [np.eye(2), np.eye(3)], "use_inductive": True}, "I: "),
        ({"pA": [np.ones((3, 2, 3)), None]}, r"pA\[1\] is None"),
    ],
)
def test_what_is_not_there_is_named(arguments, name) -> None:
    with pytest.raises(NotImplementedError, match=name):
        pp.Agent(**factored(np.random.default_rng(7)), **arguments)


def test_policies_are_over_all_controls_whichever_are_named() -> None:
    agent = pp.Agent(**factored(np.random.default_rng(7)), control_fac_idx=[1], policy_len=2)
    assert agent.control_fac_idx == [1]
    assert len(agent.policies.policy_arr) == np.prod(agent.num_controls) ** 2


def learner(rng: np.random.Generator, batch_size: int, **arguments) -> pp.Agent:
    model = factored(rng)
    counts = {"pA": [10 * a for a in model["A"]], "pB": [5 * b for b in model["B"]]}
    return pp.Agent(
        **model, **counts, learn_A=True, learn_B=True, batch_size=batch_size, **arguments
    )


def test_several_steps_teach_what_they_teach_one_by_one() -> None:
    rng = np.random.default_rng(9)
    agent = learner(rng, 3)
    steps = 4
    qs = [rng.dirichlet(np.ones(n), (3, steps)) for n in agent.num_states]
    seen = [rng.integers(-1, n, (3, steps)) for n in agent.num_obs]
    taken = np.stack([rng.integers(0, n, (3, steps - 1)) for n in agent.num_controls], axis=-1)
    at_once = agent.infer_parameters(qs, seen, taken, lr_pA=0.5)
    one = agent
    for step in range(steps):
        now = [q[:, step : step + 1] for q in qs]
        before = None if step == 0 else [q[:, step - 1 : step + 1] for q in qs]
        one = one.infer_parameters(
            now,
            [o[:, step : step + 1] for o in seen],
            None if step == 0 else taken[:, step - 1],
            beliefs_B=before,
            lr_pA=0.5,
        )
    for name in ("A", "B", "pA", "pB"):
        for ours, theirs in zip(getattr(at_once, name), getattr(one, name), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert np.array_equal(agent.pA[0][0], 10 * agent.A[0][0])
    for name in ("A", "B"):
        for array in getattr(one, name):
            np.testing.assert_allclose(array.sum(1), 1, rtol=1e-12)


def test_what_a_batch_learns_is_what_each_would_alone_and_a_model_has_it() -> None:
    agent = learner(np.random.default_rng(10), 2, use_param_info_gain=True)
    rng = np.random.default_rng(11)
    seen = [rng.integers(0, n, (2, 1)) for n in agent.num_obs]
    qs = agent.infer_states(seen, agent.D)
    taken = np.array([[0, 2], [-1, -1]])
    both = [np.concatenate([d[:, np.newaxis], q], axis=1) for d, q in zip(agent.D, qs, strict=True)]
    taught = agent.infer_parameters(qs, seen, taken, beliefs_B=both)
    assert np.array_equal(taught.pB[1][1], agent.pB[1][1])
    assert not np.array_equal(taught.pB[1][0], agent.pB[1][0])
    q_pi, neg_efe = taught.infer_policies(qs)
    for row in range(2):
        # An agent made of what this one has learnt plans as it does.
        model = pp.Model.from_agent(taught, index=row, learn_A=False, learn_B=False)
        assert np.array_equal(model.B[1], taught.B[1][row])
        made = pp.Agent(
            model.A, model.B, model.C, model.D, use_param_info_gain=True,
            pA=[p[row] for p in taught.pA], pB=[p[row] for p in taught.pB],
        )  # fmt: skip
        alone, values = made.infer_policies([q[row : row + 1] for q in qs])
        np.testing.assert_allclose(alone[0], q_pi[row], rtol=1e-9)
        np.testing.assert_allclose(values[0], neg_efe[row], rtol=1e-9)


@pytest.mark.parametrize("algorithm", ["mmp", "vmp"])
def test_padded_windows_answer_as_windows_without(algorithm) -> None:
    rng = np.random.default_rng(12)
    agent = pp.Agent(**factored(rng), inference_algo=algorithm, batch_size=3)
    seen = [rng.integers(0, n, (3, 5)) for n in agent.num_obs]
    taken = np.stack([rng.integers(0, n, (3, 4)) for n in agent.num_controls], axis=-1)
    taken[1, :2] = -1
    qs = agent.infer_states(seen, agent.D, past_actions=taken, valid_steps=np.array([5, 3, 1]))
    for row, steps in enumerate((5, 3, 1)):
        alone = pp.Agent(
            *[[t[row] for t in family] for family in (agent.A, agent.B, agent.C, agent.D)],
            inference_algo=algorithm,
        )
        short = alone.infer_states(
            [o[row : row + 1, 5 - steps :] for o in seen],
            alone.D,
            past_actions=taken[row : row + 1, 5 - steps :],
        )
        for q, own, d in zip(qs, short, agent.D, strict=True):
            assert q.shape[1] == 5 and own.shape[1] == steps
            assert np.array_equal(q[row, 5 - steps :], own[0])
            assert (q[row, : 5 - steps] == d[row]).all()
    with pytest.raises(NotImplementedError, match=r"past_actions=\) with -1"):
        agent.infer_states(seen, agent.D, past_actions=taken)
    with pytest.raises(NotImplementedError, match=r"empirical_prior=\) other than D"):
        agent.infer_states(seen, [d * 0.5 for d in agent.D], past_actions=abs(taken))


def test_shapes_that_do_not_fit_are_named() -> None:
    agent = pp.Agent(**factored(np.random.default_rng(8)))
    with pytest.raises(ValueError, match="empirical_prior` has 1 factor"):
        agent.infer_states([np.array([0]), np.array([0])], agent.D[:1])
    with pytest.raises(ValueError, match=r"empirical_prior\[0\]: has shape \(2,\)"):
        agent.infer_states([np.array([0]), np.array([0])], [d[0] for d in agent.D])
    with pytest.raises(ValueError, match=r"observations\[0\]: is 3"):
        agent.infer_states([np.array([3]), np.array([0])], agent.D)
    with pytest.raises(ValueError, match=r"Batch size 3 does not match"):
        a = np.stack([np.eye(2)] * 2)
        pp.Agent([a], [np.eye(2)[:, :, np.newaxis]], batch_size=3)
