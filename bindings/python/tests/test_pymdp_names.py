"""Every public name of pymdp's agents, as recorded of both versions: it is there, or refuses by name."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

import populace as pp
from populace.legacy import utils

NAMES = json.loads((Path(__file__).parent / "recorded" / "pymdp-names.json").read_text())


def arrays() -> dict[str, list[np.ndarray]]:
    return {"A": [np.eye(2)], "B": [np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)]}


def new(**arguments) -> pp.Agent:
    return pp.Agent(**arrays(), **arguments)


def old(**arguments) -> pp.legacy.Agent:
    families = {name: utils.obj_array_from_list(family) for name, family in arrays().items()}
    return pp.legacy.Agent(**families, **arguments)


AGENTS = {"1.0.4": new, "0.0.7.1": old}
SEEN = [np.array([[0]])]
#: What takes an argument and refuses a value of it: (version, name, call).
REFUSED = [
    ("1.0.4", "learn_C", lambda: new(learn_C=True)),
    ("1.0.4", "learn_D", lambda: new(learn_D=True)),
    ("1.0.4", "learn_E", lambda: new(learn_E=True)),
    ("1.0.4", "I", lambda: new(I=[np.eye(2)])),
    ("1.0.4", "I", lambda: new(use_inductive=True, H=[np.array([0.0, 1.0])]).I),
    ("1.0.4", "mask", lambda: new().infer_states(SEEN, new().D, mask=[0.5])),
    ("1.0.4", "return_info", lambda: new().infer_states(SEEN, new().D, return_info=True)),
    ("0.0.7.1", "policy_sep_prior", lambda: old(policy_sep_prior=True)),
    ("0.0.7.1", "use_BMA", lambda: old(inference_algo="MMP", use_BMA=False)),
    ("0.0.7.1", "distributions", lambda: old().infer_states(np.array([0.5, 0.5]), distr_obs=True)),
    ("0.0.7.1", "set_latest_beliefs", lambda: old().set_latest_beliefs()),
]


@pytest.mark.parametrize("version", NAMES)
def test_methods_take_what_pymdps_do(version) -> None:
    agent = AGENTS[version]()
    for name, theirs in NAMES[version]["methods"].items():
        ours = inspect.signature(getattr(agent, name)).parameters
        named = [one for one, it in ours.items() if it.kind is not inspect.Parameter.VAR_KEYWORD]
        assert named[: len(theirs)] == theirs, f"{name} of pymdp {version}"


@pytest.mark.parametrize("version", NAMES)
def test_attributes_are_pymdps(version) -> None:
    agent = AGENTS[version]()
    missing = [name for name in NAMES[version]["attributes"] if not hasattr(agent, name)]
    assert not missing


@pytest.mark.parametrize(("version", "name", "call"), REFUSED)
def test_what_is_not_done_is_refused_by_name(version, name, call) -> None:
    with pytest.raises(NotImplementedError, match=name):
        call()


def test_the_names_are_those_of_the_installed_pymdp() -> None:
    agent = pytest.importorskip(
        "pymdp.agent", reason="skipped: inferactively-pymdp is not installed"
    ).Agent
    import importlib.metadata

    recorded = NAMES[importlib.metadata.version("inferactively-pymdp")]
    for name, method in inspect.getmembers(agent, inspect.isfunction):
        if name == "__init__" or not name.startswith("_"):
            parameters = inspect.signature(method).parameters.values()
            named = [it.name for it in parameters if it.kind is not it.VAR_KEYWORD]
            assert named == ["self", *recorded["methods"].pop(name)], name
    assert not recorded["methods"]


@pytest.mark.parametrize("categorical", [False, True])
def test_a_masked_modality_is_as_if_nothing_was_observed(categorical) -> None:
    rng = np.random.default_rng(3)
    A = [rng.dirichlet(np.ones(n), 2).T for n in (3, 4)]
    agent = pp.Agent(A, arrays()["B"], batch_size=2, categorical_obs=categorical)
    seen = [np.array([[0], [2]]), np.array([[3], [1]])]
    none = [seen[0], np.array([[3], [-1]])]
    if categorical:
        seen, none = agent.make_categorical(seen), agent.make_categorical(none)
    (masked,) = agent.infer_states(seen, agent.D, mask=[1, np.array([1.0, 0.0])])
    (missing,) = agent.infer_states(none, agent.D)
    assert np.array_equal(masked, missing)
    (whole,) = agent.infer_states(seen, agent.D, mask=[1, 1])
    assert np.array_equal(whole, agent.infer_states(seen, agent.D)[0])
    assert not np.array_equal(whole[1], masked[1])
