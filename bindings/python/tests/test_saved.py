"""Populations in files, and what is kept of the past."""

import re
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

import populace as pp


def people(agents: int = 200, **settings) -> pp.Population:
    model = pp.Model.grid(side=9, slip=0.1)
    return pp.Population(model, agents, **{"budget": "32MiB", "seed": 5, **settings})


def live(crowd: pp.Population) -> list[np.ndarray]:
    """Steps of all and of some, births and deaths."""
    seen = np.arange(len(crowd)) % 81
    done = [crowd.step(seen)]
    some = crowd.ids[::3]
    done.append(crowd.step(np.full(len(some), crowd.ticks % 81), ids=some))
    crowd.retire(some[:4])
    crowd.spawn(7)
    done.append(crowd.step((np.arange(len(crowd)) * 5) % 81))
    return done


@pytest.mark.parametrize("precision", ["f32", "f64"])
@pytest.mark.parametrize("belief", ["auto", "dense", "f16"])
def test_a_loaded_population_goes_on_as_its_twin(tmp_path, belief, precision) -> None:
    twin = people(belief=belief, precision=precision)
    path = tmp_path / "crowd"
    for life, other in enumerate(
        ({"threads": 1}, {"budget": "64MiB", "chunk": 7}, {"budget": 2**26, "threads": 3})
    ):
        twin.save(path)
        again = pp.Population.load(path, **other)
        assert again.threads == other.get("threads", again.threads)
        assert (again.ticks, len(again)) == (twin.ticks, len(twin)) and repr(again) == repr(twin)
        for ours, theirs in zip(live(again), live(twin), strict=True):
            assert np.array_equal(ours, theirs), life
        assert again.trajectory_hash == twin.trajectory_hash
        assert np.array_equal(again.ids, twin.ids)
        assert np.array_equal(again.beliefs()[0], twin.beliefs()[0])
        assert again.lifecycle_counts == twin.lifecycle_counts


def test_learners_remember(tmp_path) -> None:
    A, B = [np.eye(2)], [np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)]
    model = pp.Model(A, B, pA=[np.ones((2, 2))], learn_A=True)
    crowd = pp.Population(model, 4, budget="16MiB", precision="f64")
    for observed in (0, 1, 1):
        crowd.step([[observed]] * 4)
    crowd.save(tmp_path / "crowd")
    again = pp.Population.load(tmp_path / "crowd")
    assert np.array_equal(again.parameters()["pA"][0], crowd.parameters()["pA"][0])
    assert again.model.num_states == [2]
    assert np.array_equal(again.step([[0]] * 4), crowd.step([[0]] * 4))


def test_who_rests_and_what_is_past_is_saved_too(tmp_path) -> None:
    twin = people(history=pp.History(ticks=4, beliefs=True))
    twin.hibernate_in(tmp_path / "rest")
    twin.set_policy(idle_after=3, wakes=True)
    live(twin)
    twin.hibernate([12, 15])
    twin.save(tmp_path / "crowd")
    # The file of the hibernated is the twin's own: another population has them in another.
    again = pp.Population.load(tmp_path / "crowd", budget="32MiB", rest_in=tmp_path / "other")
    assert again.lifecycle_counts == twin.lifecycle_counts
    assert again.lifecycles([12, 15, 13]) == ["hibernated", "hibernated", "active"]
    for crowd in (again, twin):
        crowd.step([[5]], ids=[12])
    assert np.array_equal(again.beliefs([12])[0], twin.beliefs([12])[0])
    for agent in (12, 13):
        ours, theirs = again.history(agent), twin.history(agent)
        assert np.array_equal(ours.ticks, theirs.ticks) and len(ours.ticks) > 1
        assert np.array_equal(ours.observations, theirs.observations)
        assert np.array_equal(ours.actions, theirs.actions)


def test_a_file_is_its_owners_and_whole_or_as_it_was(tmp_path) -> None:
    crowd, path = people(), tmp_path / "crowd"
    crowd.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    live(crowd)
    crowd.save(path)
    assert pp.Population.load(path).ticks == crowd.ticks
    for nowhere in (tmp_path / "none" / "crowd", tmp_path):
        with pytest.raises((OSError, ValueError), match=re.escape(f"{nowhere}: ")):
            crowd.save(nowhere)
    foreign = tmp_path / "notes.txt"
    foreign.write_text("not ours")
    with pytest.raises(ValueError, match="notes.txt: is not a checkpoint"):
        crowd.save(foreign)
    assert foreign.read_text() == "not ours"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["crowd", "notes.txt"]


def test_a_writer_that_is_killed_leaves_no_half_population(tmp_path) -> None:
    script = """
import sys
import numpy as np
import populace as pp
crowd = pp.Population(pp.Model.grid(side=20), 20_000, budget="64MiB", belief="dense", threads=1)
crowd.step(np.zeros(20_000, np.int32))
print("ready", flush=True)
crowd.save(sys.argv[1])
"""
    path = tmp_path / "crowd"
    for pause in (0.0, 0.02, 0.05, 0.1):
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        time.sleep(pause)
        child.kill()
        child.communicate()
        if path.exists() and path.stat().st_size:
            try:
                saved = pp.Population.load(path)
            except ValueError as error:
                assert "no population was saved to it whole" in str(error)
            else:
                assert (saved.ticks, len(saved)) == (1, 20_000)


def test_files_that_are_no_populations(tmp_path) -> None:
    path = tmp_path / "crowd"
    with pytest.raises(FileNotFoundError, match="crowd: "):
        pp.Population.load(path)
    crowd = people(20_000, belief="dense")
    crowd.step(np.zeros(20_000, np.int32))
    crowd.save(path)
    with pytest.raises(pp.BudgetError, match="20000 agents need"):
        pp.Population.load(path, budget="4MiB")
    whole = path.read_bytes()
    middle = len(whole) // 2
    for spoilt in (
        whole[:middle],
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"",
    ):
        path.write_bytes(spoilt)
        with pytest.raises(ValueError, match=re.escape(f"{path}: ")):
            pp.Population.load(path, threads=1)


@pytest.mark.parametrize("codec", ["zstd", "zlib", "lz4", "none"])
def test_the_past_is_what_was_observed_and_done(codec) -> None:
    crowd = people(50, history=pp.History(ticks=20, codec=codec, beliefs=True), belief="dense")
    rng = np.random.default_rng(1)
    seen, done, states, likely = [], [], [], []
    for _ in range(30):
        seen.append(rng.integers(-1, 81, (50, 1), dtype=np.int32))
        done.append(crowd.step(seen[-1]))
        beliefs = crowd.beliefs([7])[0][0]
        states.append(beliefs.argmax())
        likely.append(beliefs.max())
    past = crowd.history(7)
    assert past.ticks.tolist() == list(range(10, 30))
    assert np.array_equal(past.observations, np.stack(seen)[10:, 7])
    assert np.array_equal(past.actions, np.stack(done)[10:, 7])
    assert past.states is not None and past.probabilities is not None
    assert past.states[:, 0].tolist() == states[10:]
    assert np.allclose(past.probabilities[:, 0], likely[10:], atol=1e-4)
    some = crowd.history(7, 12, 15)
    assert some.ticks.tolist() == [12, 13, 14] and len(crowd.history(7, 0, 10).ticks) == 0
    totals = crowd.history_totals
    assert totals is not None and totals["ticks"] >= 20 and totals["dropped"] == 0


def test_history_is_asked_for_and_named() -> None:
    crowd = people(3)
    with pytest.raises(ValueError, match="history: none is kept"):
        crowd.history(0)
    assert crowd.history_totals is None
    crowd = people(3, history=5)
    assert len(crowd.history(2).ticks) == 0
    with pytest.raises(ValueError, match="id: 3 is out of range"):
        crowd.history(3)
    with pytest.raises(ValueError, match=r'codec: "zip" is not zstd, zlib, lz4 or none'):
        people(3, history=pp.History(codec="zip"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="history.ticks: is -1"):
        people(3, history=-1)


def test_the_past_stays_within_its_bytes() -> None:
    crowd = people(1000, history=pp.History(ticks=10_000, bytes="256KiB"))
    rng = np.random.default_rng(2)
    for _ in range(300):
        crowd.step(rng.integers(0, 81, (1000, 1), dtype=np.int32))
    totals = crowd.history_totals
    assert totals is not None and 0 < totals["stored_bytes"] <= 256 * 2**10
    kept = crowd.history(1).ticks
    assert 0 < len(kept) < 300 and kept[-1] == 299
