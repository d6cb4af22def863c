"""Agents that come, go and rest: ids, rows, and that nobody else notices."""

import numpy as np
import pytest

import populace as pp


def people(agents: int = 6) -> pp.Population:
    return pp.Population(pp.Model.grid(side=5), agents, budget="32MiB", precision="f64", seed=3)


def test_some_are_stepped_and_the_others_are_as_they_were() -> None:
    crowd, other = people(), people()
    crowd.step(np.arange(6))
    other.step(np.arange(6))
    before = crowd.beliefs()[0]
    chosen = crowd.step([[9], [7]], ids=[4, 1])
    assert chosen.shape == (2, 1)
    everyone = np.full((6, 1), -1, dtype=np.int32)
    everyone[[4, 1], 0] = 9, 7
    assert np.array_equal(other.step(everyone)[[4, 1]], chosen)
    after = crowd.beliefs()[0]
    rest = [0, 2, 3, 5]
    assert np.array_equal(after[rest], before[rest])
    assert np.array_equal(after[[4, 1]], other.beliefs([4, 1])[0])
    crowd.step([[0]], actions=[[4]], ids=[3])
    with pytest.raises(ValueError, match=r"ids\[1\]"):
        crowd.step([[0], [0]], ids=[2, 2])
    with pytest.raises(ValueError, match=r"ids\[0\]: 6 is out of range, there are 6 agents"):
        crowd.step([[0]], ids=[6])
    with pytest.raises(ValueError, match=r"ids\[0\]: -1 is out of range"):
        crowd.beliefs([-1])


def test_births_and_deaths() -> None:
    crowd = people(3)
    crowd.step([0, 1, 2])
    assert crowd.spawn(2).tolist() == [3, 4] and len(crowd) == 5
    crowd.retire([1])
    assert crowd.recycle([0]).tolist() == [5]
    assert crowd.ids.tolist() == [2, 3, 4, 5]
    assert np.allclose(crowd.beliefs([5])[0], crowd.model.D[0])
    assert crowd.lifecycles([2, 5, 1]) == ["active", "initialising", "retired"]
    counts = crowd.lifecycle_counts
    assert (counts["retired"], counts["recycled"], counts["active"]) == (1, 1, 1)
    assert crowd.step([3, 3, 3, 3]).shape == (4, 1)
    with pytest.raises(ValueError, match=r"ids\[0\]: 1 is gone for good"):
        crowd.beliefs([1])
    with pytest.raises(pp.BudgetError):
        crowd.spawn(10**9)
    assert len(crowd) == 4


def test_hibernated_agents_come_back_bit_for_bit(tmp_path) -> None:
    crowd, other = people(), people()
    with pytest.raises(ValueError):
        crowd.hibernate([0])
    crowd.hibernate_in(tmp_path / "rest.redb")
    for tick in range(3):
        assert np.array_equal(crowd.step(np.arange(6) + tick), other.step(np.arange(6) + tick))
    crowd.hibernate([5, 0])
    assert crowd.ids.tolist() == [1, 2, 3, 4] and crowd.lifecycle_counts["hibernated"] == 2
    with pytest.raises(ValueError, match=r"ids\[0\]: 5 is hibernated; wake it first"):
        crowd.step([[0]], ids=[5])
    crowd.wake([0])
    assert np.array_equal(crowd.beliefs([0])[0], other.beliefs([0])[0])
    crowd.set_policy(idle_after=2, wakes=True)
    crowd.step([[4]], ids=[5])
    assert 5 in crowd.ids.tolist()
    crowd.step([[0]], ids=[5])
    assert crowd.lifecycles([5, 1]) == ["active", "idle"]
    assert crowd.sweep() == 5 and crowd.ids.tolist() == [5]
