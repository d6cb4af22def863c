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
        ({"learn_A": True}, "learn_A"),
        ({"use_inductive": True}, "use_inductive"),
        ({"inference_algo": "mmp"}, "mmp"),
        ({"learning_mode": "offline"}, "offline"),
        ({"control_fac_idx": [0]}, "control_fac_idx"),
    ],
)
def test_what_is_not_there_is_named(arguments, name) -> None:
    with pytest.raises(NotImplementedError, match=name):
        pp.Agent(**factored(np.random.default_rng(7)), **arguments)


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
