"""Populations through pymdp's recordings, the actions recorded there taken: every number."""

from pathlib import Path

import numpy as np
import pytest
from reference import Recording, recordings

import populace as pp

EXACT = {"rtol": 1e-9, "atol": 1e-12}
PATHS = [*recordings("pymdp-1"), *recordings("pymdp-0")]
AGENTS = 3


def population(path: Path) -> pp.Population | None:
    """Agents of a recording; None, where the engine refuses by name to step them."""
    try:
        return pp.Population(pp.Model.load(path), AGENTS, budget="512MiB", precision="f64")
    except NotImplementedError as refusal:
        asks = Recording(path).arguments
        # A window of all steps is of no size that a budget could hold.
        assert asks["inference_algo"].lower() in ("mmp", "vmp"), refusal
        return None


def observed(case: Recording, step: int, soft: bool):
    rows = [np.repeat(modality, AGENTS, axis=0) for modality in case.observed(step)]
    return rows if soft else np.stack(rows, axis=1)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_population_answers_what_pymdp_recorded(path: Path) -> None:
    case = Recording(path)
    crowd = population(path)
    if crowd is None:
        return
    # Searched beliefs and values are in single precision.
    close = {"rtol": 1e-4, "atol": 1e-5} if path.stem.startswith("sophisticated") else EXACT
    updates = {"pA": 0, "pB": 0, "pD": 0}
    for step in range(case.steps):
        taken = None if step == 0 else np.repeat(case.actions[step - 1 : step], AGENTS, axis=0)
        chosen = crowd.step(observed(case, step, crowd.model.categorical_obs), taken)
        assert (chosen == chosen[0]).all()
        for factor, q in enumerate(crowd.beliefs([2, 0])):
            recorded = case.tensors.get(f"expect.qs.{factor}")
            if recorded is not None:
                np.testing.assert_allclose(q, [recorded[step]] * 2, **close)
        if not any(case.arguments.get(f"learn_{name}") for name in "ABD"):
            try:
                q_pi, neg_efe = crowd.infer_policies([1])
            except NotImplementedError as refusal:
                assert "MMP" in str(refusal)
                continue
            np.testing.assert_allclose(q_pi[0], case.tensors["expect.q_pi"][step], **close)
            if "expect.neg_efe" in case.tensors:
                np.testing.assert_allclose(neg_efe[0], case.tensors["expect.neg_efe"][step], **close)
            else:
                assert neg_efe.shape == (1, 0)
            continue
        learnt = crowd.parameters([1])
        for name in updates:
            first = {"pA": 0 if case.metadata["dialect"] == "pymdp-0" else 1, "pB": 1, "pD": 0}[name]
            for index, counts in enumerate(learnt.get(name, [])):
                recorded = case.tensors[f"expect.{name}_after.{index}"]
                if first <= step < first + len(recorded):
                    np.testing.assert_allclose(counts[0], recorded[step - first], **EXACT)


def test_policies_of_learners_are_weighed_by_what_they_have_learnt() -> None:
    rng = np.random.default_rng(0)
    A = [rng.dirichlet(np.ones(3), 2).T]
    B = [rng.dirichlet(np.ones(2), (2, 2)).transpose(2, 0, 1)]
    counts = {"pA": [4 * A[0]], "pB": [3 * B[0]]}
    C = [rng.normal(size=3)]
    model = pp.Model(A, B, C, **counts, learn_A=True, learn_B=True, policy_len=2)
    crowd = pp.Population(model, 4, budget="8MiB", precision="f64")
    q_pi, _ = crowd.infer_policies()
    for _ in range(5):
        crowd.step(rng.integers(0, 3, 4))
    learnt, beliefs = crowd.parameters(), crowd.beliefs()[0]
    assert learnt["A"][0].shape == (4, 3, 2) and learnt["B"][0].shape == (4, 2, 2, 2)
    again, _ = crowd.infer_policies()
    assert not np.allclose(again, q_pi)
    for row in range(4):
        agent = pp.Agent([learnt["A"][0][row]], [learnt["B"][0][row]], C, policy_len=2)
        alone, _ = agent.infer_policies([beliefs[row][np.newaxis, np.newaxis]])
        np.testing.assert_allclose(alone[0], again[row], rtol=1e-9)
    assert crowd.parameters([])["pA"][0].shape == (0, 3, 2)


def test_distributions_are_asked_for_by_name() -> None:
    two = [np.eye(2)], [np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)]
    soft = pp.Population(pp.Model(*two, categorical_obs=True), 2, budget="8MiB", precision="f64")
    assert soft.step([[[0.5, 0.5], [0.0, 0.0]]]).shape == (2, 1)
    np.testing.assert_allclose(soft.beliefs()[0], 0.5)
    for wrong, message in (
        ([[[0.5, 0.5]]], "has 2 values, and 2 agents with 2 outcomes need 4"),
        ([[[0.5, np.nan], [0.0, 0.0]]], r"observations\[0, 1\]: is NaN, no probability"),
        ([[[0.5], [0.5]]], r"observations\[0\]: has shape \(2, 1\), not \(agents, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            soft.step(wrong)
    assert soft.ticks == 1
    with pytest.raises(ValueError, match="learn nothing"):
        soft.parameters()
