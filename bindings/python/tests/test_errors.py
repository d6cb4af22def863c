"""What users do wrong: the right kind of exception, in the words of the command line."""

import re

import numpy as np
import pytest

import populace as pp


def light() -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [np.eye(2)], [np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "light.safetensors"
    pp.Model(*light()).save(path)
    return path


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (lambda raw: b"\x89PNG\r\n\x1a\n" + bytes(100), "not a safetensors file, or cut short"),
        (lambda raw: b"", "the file is empty"),
        (lambda raw: raw[:-8], "D.0: its data are bytes 112 to 128, but the file has 120 (cut short?)"),
        (lambda raw: raw[:20], "not a safetensors file, or cut short: its header claims"),
        (
            lambda raw: (2**60).to_bytes(8, "little") + raw[8:],
            "its header claims 1152921504606846976 bytes",
        ),
    ],
)
def test_files_that_are_no_models(file, spoilt, message) -> None:
    file.write_bytes(spoilt(file.read_bytes()))
    with pytest.raises(ValueError, match=re.escape(f"{file}: ") + ".*" + re.escape(message)):
        pp.Model.load(file)


def test_files_that_cannot_be_read_or_written(tmp_path) -> None:
    missing = tmp_path / "none.safetensors"
    with pytest.raises(FileNotFoundError, match=re.escape(f"{missing}: cannot be read")):
        pp.Model.load(missing)
    for nowhere in (tmp_path / "none" / "x.safetensors", tmp_path):
        with pytest.raises(OSError, match=re.escape(f"{nowhere}: cannot be written")):
            pp.Model(*light()).save(nowhere)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: pp.Model([np.array([[0.9, 0.2], [0.03, 0.8]])], light()[1]),
            ValueError,
            "Model: A.0: column (0,) sums to 0.93, not 1 (±1e-6)",
        ),
        (
            lambda: pp.Model(*light(), C=[np.array([0.0, np.nan])]),
            ValueError,
            "Model: C.0: (1,) is NaN, not a finite number",
        ),
        (
            lambda: pp.Model(*light(), A_dependencies=[[3]], B_dependencies=[[0]]),
            ValueError,
            "Model: A_dependencies[0]: 3 is out of range, there are 1 factors",
        ),
        (
            lambda: pp.Model(*light(), gama=1.0),
            ValueError,
            "Model: agent.gama: there is no such argument (did you mean gamma?)",
        ),
        (
            lambda: pp.Model.builtin("gird"),
            ValueError,
            'there is no built-in model "gird", only grid, tmaze, cue-chaining, graph '
            "(did you mean grid?)",
        ),
        (lambda: pp.Model.grid(side=0), ValueError, "side: is 0, not between 4 and 4096"),
        (lambda: pp.Model.grid(side=-1), ValueError, "side: is -1, not between 0"),
        (lambda: people(1, budget="12 potatoes"), ValueError, "budget: '12 potatoes' is no size"),
        (lambda: people(-1), ValueError, "agents: is -1, not between 0"),
        (lambda: people(2**70), ValueError, "agents: is 1180591620717411303424, not between 0"),
        (lambda: people(10**12), pp.BudgetError, "1000000000000 agents need "),
        (lambda: people(1, chunk=0), ValueError, "chunk: 0 agents are nothing to step"),
        (lambda: people(1, threads=10**6), ValueError, "threads: 1000000 are more than 1024"),
        (lambda: people(1, seed=-3), ValueError, "seed: is -3, not between 0"),
        (
            lambda: people(1).step([[5]]),
            ValueError,
            "observations[0, 0]: is 5, not between 0 and 1, nor -1 for none",
        ),
        (lambda: pp.Population("m", 1), TypeError, "model: is a str, not a populace.Model"),
        (lambda: pp.World(pp.Model(*light()), 0), ValueError, "agents: is 0, not between 1"),
        (
            lambda: pp.World(pp.Model(*light()), 1).step([[7]]),
            ValueError,
            "actions[0]: is [7], and the factors have [2] actions",
        ),
    ],
)
def test_a_mistake_is_named(call, kind, message) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind and message in str(caught.value)
    assert "\n" not in str(caught.value)


def people(agents, **settings) -> pp.Population:
    return pp.Population(pp.Model(*light()), agents, **settings)
