"""Models: every way in, and what is refused."""

import re

import numpy as np
import pytest
import scipy.sparse as sp

import populace as pp


def two() -> dict[str, list[np.ndarray]]:
    """A light that a switch toggles, seen through a noisy eye."""
    return {
        "A": [np.array([[0.9, 0.2], [0.1, 0.8]])],
        "B": [np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)],
        "C": [np.array([0.0, 2.0])],
    }


def test_arrays_keep_their_numbers() -> None:
    model = pp.Model(**two(), policy_len=3)
    assert (model.num_states, model.num_obs, model.num_controls) == ([2], [2], [2])
    assert model.num_policies == 8
    assert np.array_equal(model.A[0], two()["A"][0])
    assert np.array_equal(model.B[0], two()["B"][0])
    assert model.D[0].tolist() == [0.5, 0.5]
    assert model.policies.shape == (8, 3, 1)


def test_single_precision_stays() -> None:
    model = pp.Model(**{name: [t[0].astype(np.float32)] for name, t in two().items()})
    assert model.A[0].dtype == np.float32


def test_sparse_matrices_are_the_same_model() -> None:
    dense = two()
    flat = dense["B"][0].reshape(2, 4)
    for make in (sp.csc_matrix, sp.csr_matrix, sp.coo_array):
        model = pp.Model(
            [make(dense["A"][0])], [(make(flat), (2, 2, 2))], dense["C"], num_controls=[2]
        )
        assert np.array_equal(model.B[0], dense["B"][0])
        crowd = pp.Population(model, 3, budget="8MiB", precision="f64")
        other = pp.Population(pp.Model(**dense), 3, budget="8MiB", precision="f64")
        assert np.array_equal(crowd.step([[0], [1], [-1]]), other.step([[0], [1], [-1]]))
        assert np.allclose(crowd.beliefs()[0], other.beliefs()[0], rtol=1e-12, atol=0)


class Distribution:
    """What is asked of pymdp's own."""

    def __init__(self, event: dict, batch: dict, data: np.ndarray) -> None:
        self.event, self.batch, self.data = event, batch, data


def test_distributions_name_what_they_depend_on() -> None:
    rng = np.random.default_rng(0)

    def columns(*shape: int) -> np.ndarray:
        tensor = rng.random(shape)
        return tensor / tensor.sum(0)

    side, light, moves = ["left", "right"], ["red", "amber", "green"], ["stay", "go"]
    A = [
        Distribution({"seen": side}, {"light": light}, columns(2, 3)),
        Distribution({"heard": side}, {"light": light, "side": side}, columns(2, 3, 2)),
    ]
    B = [
        Distribution({"side": side}, {"light": light, "side": side, "move": moves}, columns(2, 3, 2, 2)),
        Distribution({"light": light}, {"light": light, "wait": moves[:1]}, columns(3, 3, 1)),
    ]
    dependencies = {"A_dependencies": [[1], [1, 0]], "B_dependencies": [[1, 0], [1]]}
    agent = pp.Agent(A, B)
    assert agent.A_dependencies == dependencies["A_dependencies"]
    assert agent.B_dependencies == dependencies["B_dependencies"]
    model = pp.Model(A, B)
    assert model.num_states == [2, 3] and model.num_controls == [2, 1]
    plain = pp.Model([a.data for a in A], [b.data for b in B], **dependencies)
    for ours, theirs in zip(model.B, plain.B, strict=True):
        assert np.array_equal(ours, theirs)


def test_files_round_trip(tmp_path) -> None:
    path = tmp_path / "two.safetensors"
    pp.Model(**two(), gamma=4.0).save(path)
    again = pp.Model.load(path)
    assert np.array_equal(again.B[0], two()["B"][0])
    assert again.C[0].tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"A": [np.array([[0.9, 0.2], [0.03, 0.8]])]}, r"Model: A\.0: column \(0,\) sums to 0\.93"),
        ({"A": [np.array([[np.nan, 0.2], [0.1, 0.8]])]}, r"A\.0.*NaN"),
        ({"A": [np.array([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])]}, r"A\.0"),
        ({"gama": 3.0}, r"gama.*did you mean.*gamma"),
        ({"policy_len": -1}, r"policy_len"),
        ({"A_dependencies": [[3]]}, r"A_dependencies"),
        ({"A": [np.array([["x"]])]}, r"A\.0: has dtype"),
    ],
)
def test_what_is_wrong_is_named(changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        pp.Model(**{**two(), **changes})


def test_files_that_are_not_there_or_no_models(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "none.safetensors"))):
        pp.Model.load(tmp_path / "none.safetensors")
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"bad\.safetensors: not a safetensors file"):
        pp.Model.load(bad)


def test_what_the_engine_lacks_is_named() -> None:
    arrays = two()
    for name, model in {
        "learn_A": pp.Model(**arrays, pA=[arrays["A"][0] * 10], learn_A=True),
        "pymdp-0": pp.Model(**arrays, dialect="pymdp-0"),
    }.items():
        try:
            crowd = pp.Population(model, 1, budget="8MiB")
        except NotImplementedError as error:
            assert name in str(error)
        else:
            # What the engine has learnt to do meanwhile, it does.
            assert crowd.step([[0]]).shape == (1, 1)
