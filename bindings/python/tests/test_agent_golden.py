"""pymdp 1.x's own loop, run by the stand-in: every number that pymdp recorded."""

from pathlib import Path

import numpy as np
import pytest
from reference import Recording, recordings

import populace as pp

#: Searched by a function beside pymdp's agent; a population does that.
PATHS = [path for path in recordings("pymdp-1") if not path.stem.startswith("sophisticated")]
EXACT = {"rtol": 1e-9, "atol": 1e-12}


def made(case: Recording) -> pp.Agent:
    """The agent of a recording."""
    plain = {
        name: value
        for name, value in case.arguments.items()
        if not name.startswith("lr_") and name != "learn_D"
    }
    tensors = {name: case.family(name) for name in ("A", "B", "C", "D", "pA", "pB", "H")}
    shared = ("A_dependencies", "B_dependencies", "B_action_dependencies", "num_controls")
    return pp.Agent(
        **tensors,
        E=case.tensors.get("E"),
        policies=case.tensors.get("policies"),
        **{name: case.metadata[name] for name in shared if name in case.metadata},
        **plain,
    )


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert np.asarray(ours).shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, **EXACT)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_loop_answers_what_pymdp_recorded(path: Path) -> None:
    case = Recording(path)
    agent = made(case)
    window = agent.inference_algo in ("mmp", "vmp")
    rates = {f"lr_{name}": case.arguments.get(f"lr_{name}", 1.0) for name in ("pA", "pB")}
    prior, before, updates = agent.D, None, 0
    for step in range(case.steps):
        if window:
            steps = range(step + 1)
            seen = [np.stack(o, axis=1) for o in zip(*(case.observed(t) for t in steps), strict=True)]
            past = case.actions[np.newaxis, :step]
            qs = agent.infer_states(seen, prior, past_actions=past if step else None)
            qs = [q[:, -1:] for q in qs]
        else:
            qs = agent.infer_states(case.observed(step), prior)
        for factor, q in enumerate(qs):
            close(q[0, -1], case.tensors[f"expect.qs.{factor}"][step])
        q_pi, neg_efe = agent.infer_policies(qs)
        close(q_pi[0], case.tensors["expect.q_pi"][step])
        close(neg_efe[0], case.tensors["expect.neg_efe"][step])
        taken = case.actions[step][np.newaxis]
        if before is not None and (agent.learn_A or agent.learn_B):
            beliefs = [np.concatenate(pair, axis=1) for pair in zip(before, qs, strict=True)]
            agent = agent.infer_parameters(
                qs,
                [o[:, np.newaxis] for o in case.observed(step)],
                case.actions[step - 1][np.newaxis],
                beliefs_B=beliefs if agent.learn_B else None,
                **rates,
            )
            for name, counts in (("pA", agent.pA), ("pB", agent.pB)):
                for index in range(len(counts or [])):
                    recorded = case.tensors.get(f"expect.{name}_after.{index}")
                    if recorded is not None:
                        close(np.reshape(counts[index][0], recorded[updates].shape), recorded[updates])
            updates += 1
        action = agent.sample_action(q_pi)[0]
        best = case.tensors["expect.action"][step]
        weights = np.sort(q_pi[0])
        tie = len(weights) > 1 and weights[-1] - weights[-2] < 1e-6
        assert tie or agent.sampling_mode == "marginal" or np.array_equal(action, best)
        prior, before = agent.update_empirical_prior(taken, qs), qs
    assert updates > 0 or not (agent.learn_A or agent.learn_B)
