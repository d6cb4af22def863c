"""Populations that Python drives: the answers, the arrays, the budget, threads."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import populace as pp


def test_the_trajectory_is_that_of_the_engine_in_its_own_world() -> None:
    model = pp.Model.grid(side=8)
    hashes = set()
    for threads, chunk, belief in ((1, None, "auto"), (2, 37, "sparse"), (2, None, "auto")):
        crowd = pp.Population(
            model, 500, budget="32MiB", seed=7, threads=threads, chunk=chunk, belief=belief
        )
        crowd.run(pp.World(model, 500, seed=7), 20)
        hashes.add(crowd.trajectory_hash)
        assert crowd.ticks == 20
    assert len(hashes) == 1


def test_arrays_pass_without_a_copy() -> None:
    crowd = pp.Population(pp.Model.grid(side=5), 100, budget="8MiB")
    observations = np.zeros((100, 1), dtype=np.int32)
    before = observations.copy()
    actions = crowd.step(observations)
    assert actions.dtype == np.int32 and actions.shape == (100, 1) and actions.flags.c_contiguous
    assert np.array_equal(observations, before)
    for other in (np.zeros(100, np.int64), np.zeros((200, 1), np.int32)[::2]):
        assert crowd.step(other).shape == (100, 1)


def test_beliefs_of_some_in_any_order() -> None:
    crowd = pp.Population(pp.Model.grid(side=9), 70, budget="8MiB", belief="auto")
    world = pp.World(crowd.model, 70, seed=2)
    crowd.run(world, 5)
    (everyone,) = crowd.beliefs()
    ids = [69, 3, 3, 41]
    assert np.array_equal(crowd.beliefs(ids)[0], everyone[ids])
    assert np.allclose(everyone.sum(1), 1, atol=1e-5)
    q_pi, neg_efe = crowd.infer_policies(ids)
    assert q_pi.shape == neg_efe.shape == (4, 5)
    assert np.array_equal(q_pi[1], q_pi[2])
    assert np.allclose(q_pi.sum(1), 1, atol=1e-5)
    assert crowd.beliefs([])[0].shape == (0, 81)


def test_actions_really_taken_lead_on() -> None:
    model = pp.Model.grid(side=5, noise=0.0)
    one = pp.Population(model, 2, budget="8MiB", precision="f64")
    one.step([[7], [7]])
    one.step([[-1], [-1]], actions=[[0], [4]])  # stay, right
    qs = one.beliefs()[0]
    assert qs[0].argmax() == 7 and qs[1].argmax() in (7, 8)
    with pytest.raises(ValueError, match="no agent was stepped yet"):
        pp.Population(model, 2, budget="8MiB").step([[0], [0]], actions=[[0], [0]])


@pytest.mark.parametrize(
    ("observations", "message"),
    [
        ([[0], [25]], r"observations\[1, 0\]: is 25, not between 0 and 24, nor -1"),
        ([[0], [-2]], r"observations\[1, 0\]: is -2"),
        ([[0]], r"observations: has 1 values, and 2 agents with 1 modalities need 2"),
        ([[0, 0], [0, 0]], r"observations: has shape \(2, 2\), not \(agents, 1\)"),
        ([[0.5], [1.0]], r"observations: has dtype float64, not integers"),
    ],
)
def test_bad_observations_step_nobody(observations, message) -> None:
    crowd = pp.Population(pp.Model.grid(side=5), 2, budget="8MiB")
    with pytest.raises(ValueError, match=message):
        crowd.step(observations)
    assert crowd.ticks == 0


def test_other_mistakes() -> None:
    model = pp.Model.grid(side=5)
    with pytest.raises(ValueError, match=r"ids\[1\]: 2 is out of range, there are 2 agents"):
        pp.Population(model, 2, budget="8MiB").beliefs([0, 2])
    with pytest.raises(ValueError, match=r"belief: \"thick\" is not auto, dense, sparse, f16 or log8"):
        pp.Population(model, 2, belief="thick")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"budget: 'much' is no size"):
        pp.Population(model, 2, budget="much")
    nobody = pp.Population(model, 0)
    assert len(nobody) == 0 and nobody.step(np.zeros((0, 1), dtype=np.int32)).shape == (0, 1)


def test_the_budget_refuses_with_what_would_fit() -> None:
    with pytest.raises(pp.BudgetError, match=r"1000000 agents need .* agents fit") as caught:
        pp.Population(pp.Model.grid(), 1_000_000, budget="16MiB", belief="dense")
    assert isinstance(caught.value, MemoryError)
    plan = pp.plan(pp.Model.grid(), 1_000_000, budget="16MiB", belief="dense")
    assert not plan.fits and 0 < plan.most_agents < 1_000_000


def test_the_budget_holds() -> None:
    budget = 8 << 20
    crowd = pp.Population(pp.Model.grid(side=10), 5_000, budget=budget)
    crowd.run(pp.World(crowd.model, 5_000), 10)
    assert sum(crowd.memory().values()) <= sum(crowd.peak().values()) <= budget
    assert crowd.bytes_per_agent > 0
    assert sum(crowd.tiers.values()) == 5_000


def test_a_population_is_few_objects_to_the_collector() -> None:
    gc.collect()
    before = len(gc.get_objects())
    crowd = pp.Population(pp.Model.grid(side=5), 10_000, budget="16MiB")
    crowd.step(np.zeros((10_000, 1), dtype=np.int32))
    assert len(gc.get_objects()) - before <= 1_000


def test_threads_share_a_population_and_other_threads_run_meanwhile() -> None:
    crowd = pp.Population(pp.Model.grid(side=10), 2_000, budget="16MiB")
    observations = np.zeros((2_000, 1), dtype=np.int32)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                assert crowd.step(observations).shape == (2_000, 1)
                assert np.allclose(crowd.beliefs([0, 1_999])[0].sum(1), 1, atol=1e-4)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and crowd.ticks == 40


def test_eight_threads_step_their_own_agents_and_nobody_elses() -> None:
    model = pp.Model.grid(side=10, noise=0.2)
    settings = {"budget": "16MiB", "precision": "f64", "threads": 2}
    crowd, twin = (pp.Population(model, 400, **settings) for _ in range(2))
    seen = np.random.default_rng(4).integers(0, 100, (12, 400, 1), dtype=np.int32)
    taken = np.random.default_rng(5).integers(0, 5, (12, 400, 1), dtype=np.int32)
    failures: list[object] = []

    def walk(crowd: pp.Population, ids: np.ndarray) -> None:
        try:
            for tick in range(12):
                before = None if tick == 0 else taken[tick, ids]
                crowd.step(seen[tick, ids], before, ids=ids)
                (beliefs,) = crowd.beliefs(ids)
                if not np.allclose(beliefs.sum(1), 1):
                    failures.append(tick)
        except BaseException as error:
            failures.append(error)

    own = [np.arange(first, 400, 8) for first in range(8)]
    threads = [threading.Thread(target=walk, args=(crowd, ids)) for ids in own]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ids in own:
        walk(twin, ids)
    assert not failures and crowd.ticks == twin.ticks == 96
    # What an agent believes depends on what it observed and did, and on nobody else.
    assert np.array_equal(crowd.beliefs()[0], twin.beliefs()[0])


def test_another_thread_runs_while_agents_are_stepped() -> None:
    crowd = pp.Population(pp.Model.grid(side=20), 20_000, budget="64MiB", belief="dense")
    observations = np.zeros((20_000, 1), dtype=np.int32)
    stamps: list[float] = []
    done = threading.Event()

    def stamp() -> None:
        while not done.is_set():
            stamps.append(time.perf_counter())

    def a_step() -> bool:
        """Whether the other thread ran in the middle of a step, not only at its edges."""
        stamps.clear()
        first = time.perf_counter()
        crowd.step(observations)
        quarter = (time.perf_counter() - first) / 4
        return any(first + quarter < at < first + 3 * quarter for at in list(stamps))

    other = threading.Thread(target=stamp)
    other.start()
    try:
        assert any(a_step() for _ in range(50))
    finally:
        done.set()
        other.join()


def test_exit_with_live_populations() -> None:
    script = """
import threading
import populace as pp
crowd = pp.Population(pp.Model.grid(side=10), 20_000, budget="64MiB", threads=2)
threading.Thread(target=crowd.run, args=(pp.World(crowd.model, 20_000), 1_000_000), daemon=True).start()
crowd.step([[0]] * 20_000)
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


class Coins:
    """A world of one's own: heads or tails, whatever is done."""

    def __init__(self, agents: int) -> None:
        self.random = np.random.default_rng(0)
        self.agents = agents

    def reset(self) -> np.ndarray:
        return self.step(np.zeros((self.agents, 1), dtype=np.int32))

    def step(self, actions: np.ndarray) -> np.ndarray:
        assert actions.shape == (self.agents, 1)
        return self.random.integers(0, 2, (self.agents, 1), dtype=np.int32)


def coin() -> pp.Model:
    return pp.Model([np.eye(2)], [np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)])


def test_any_world_with_reset_and_step() -> None:
    said: list[tuple[int, int]] = []
    crowd = pp.Population(coin(), 16, budget="8MiB")
    crowd.run(Coins(16), 3, progress=lambda made, steps: said.append((made, steps)))
    assert said == [(1, 3), (2, 3), (3, 3)]


def test_a_long_run_says_where_it_is(caplog, monkeypatch) -> None:
    monkeypatch.setattr("populace.population._SECONDS_BETWEEN_LOGS", 0.0)
    with caplog.at_level("INFO", logger="populace"):
        pp.Population(coin(), 16, budget="8MiB").run(Coins(16), 4)
    said = [record.getMessage() for record in caplog.records if "of 4 steps" in record.message]
    assert [line.split()[0] for line in said] == ["1", "2", "3"]
    assert all("agent-steps/s" in line for line in said)


class Vector:
    """What the adapter asks of a Gymnasium vector environment."""

    class Space:
        shape = (4,)

    action_space = Space()

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, dict]:
        return np.zeros(4, dtype=np.int64), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, ...]:
        assert actions.shape == (4,)
        ends = np.zeros(4, dtype=bool)
        return actions.astype(np.int64), np.ones(4), ends, ends, {}


def test_gymnasiums_vector_interface() -> None:
    world = pp.envs.Gymnasium(Vector(), seed=1)
    pp.Population(coin(), 4, budget="8MiB").run(world, 3)
    assert world.rewards is not None and world.rewards.tolist() == [1, 1, 1, 1]


def test_a_population_crosses_gymnasiums_frozen_lake() -> None:
    gymnasium = pytest.importorskip("gymnasium", reason="skipped: gymnasium is not installed")
    lakes = gymnasium.make_vec("FrozenLake-v1", num_envs=8, is_slippery=False)
    rules = lakes.envs[0].unwrapped.P
    cells, moves = len(rules), len(rules[0])
    B = np.zeros((cells, cells, moves))
    for cell, actions in rules.items():
        for action, ((_, to, _, _),) in actions.items():
            B[to, cell, action] = 1.0
    C = np.zeros(cells)
    C[-1] = 5.0
    # Holes are cells that no move leaves.
    C[[cell for cell in range(cells - 1) if B[cell, cell].all()]] = -5.0
    model = pp.Model([np.eye(cells)], [B], [C], [np.eye(cells)[0]], policy_len=6, gamma=4.0)
    crowd = pp.Population(model, 8, budget="64MiB")
    world = pp.envs.Gymnasium(lakes, seed=1)
    won = np.zeros(8)
    observations = world.reset()
    for _ in range(20):
        observations = world.step(crowd.step(observations))
        assert world.rewards is not None
        won += world.rewards
    assert (won >= 1).all()


def test_ctrl_c_takes_effect_after_the_tick() -> None:
    script = """
import populace as pp
crowd = pp.Population(pp.Model.grid(side=10), 20_000, budget="64MiB")
world = pp.World(crowd.model, 20_000)
crowd.run(world, 1)
print("ready", flush=True)
try:
    crowd.run(world, 1_000_000)
except KeyboardInterrupt:
    ticks = crowd.ticks
    crowd.run(world, 2)
    print("whole", crowd.ticks - ticks, flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.3)
    os.kill(child.pid, signal.SIGINT)
    rest, _ = child.communicate(timeout=60)
    assert rest == "whole 2\n"
    assert child.returncode == 0
