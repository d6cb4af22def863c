"""A hundred pymdp agents, stepped one by one, each in a world of its own.

    python hundred.py

in an environment with populace and either version of inferactively-pymdp writes what they observed
and did into `recorded/`, where `test_hundred.py` has a population do the same. Where pymdp is
installed, that test makes the recording anew.
"""

from __future__ import annotations

import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RECORDED = Path(__file__).parent / "recorded"
AGENTS, STEPS = 100, 10
CASES = ("tmaze", "grid", "learner")


@dataclass
class Lives:
    """What a hundred agents lived through: (steps, agents, M) and (steps, agents, F)."""

    observations: np.ndarray
    actions: np.ndarray


def pymdp_version() -> str | None:
    """The version of pymdp that is installed, if any is."""
    try:
        return importlib.metadata.version("inferactively-pymdp")
    except importlib.metadata.PackageNotFoundError:
        return None


def arguments(case: str) -> dict[str, Any]:
    """What the agents of a case are made of. Habits are uneven, so that no two policies tie."""
    random = np.random.default_rng(11)

    def columns(*shape: int) -> np.ndarray:
        tensor = random.random(shape)
        return tensor / tensor.sum(0)

    if case == "learner":
        A, B = [columns(3, 2, 3), columns(2, 2, 3)], [columns(2, 2, 2), columns(3, 3, 2)]
        made = {"A": A, "B": B, "C": [random.normal(size=3), random.normal(size=2)]}
        made |= {"D": [columns(2), columns(3)], "pA": [8 * a for a in A], "pB": [4 * b for b in B]}
        policies = 4
    elif case == "grid":
        side, moves = 5, ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
        B = np.zeros((side**2, side**2, len(moves)))
        for cell in range(side**2):
            for action, (down, right) in enumerate(moves):
                row = min(max(cell // side + down, 0), side - 1)
                column = min(max(cell % side + right, 0), side - 1)
                B[row * side + column, cell, action] = 1.0
        made = {"A": [0.8 * np.eye(side**2) + 0.2 / side**2], "B": [B], "D": [columns(side**2)]}
        made["C"] = [random.normal(size=side**2)]
        policies = len(moves) ** 2
    else:
        # Centre, left arm, right arm, cue; the reward is left or right.
        reward = np.zeros((3, 4, 2))
        reward[0, [0, 3]] = 1.0
        reward[1, 1], reward[2, 1] = (0.9, 0.1), (0.1, 0.9)
        reward[1, 2], reward[2, 2] = (0.1, 0.9), (0.9, 0.1)
        cue = np.full((2, 4, 2), 0.5)
        cue[:, 3] = [[0.95, 0.05], [0.05, 0.95]]
        location = np.repeat(np.eye(4)[:, :, np.newaxis], 2, axis=2)
        moves = np.repeat(np.eye(4)[:, np.newaxis], 4, axis=1)
        made = {"A": [location, reward, cue], "B": [moves, np.eye(2)[:, :, np.newaxis]]}
        made |= {"C": [np.zeros(4), np.array([0.0, 2.0, -2.0]), np.zeros(2)]}
        made |= {"D": [np.eye(4)[0], np.full(2, 0.5)]}
        policies = 16
    habit = 1.0 + 0.05 * random.random(policies)
    return made | {"E": habit / habit.sum(), "policy_len": 1 if case == "learner" else 2}


class World:
    """The world of one agent, drawn from its model."""

    def __init__(self, made: dict[str, Any], seed: int) -> None:
        self.made, self.random = made, np.random.default_rng(seed)
        self.states = [self._draw(d) for d in made["D"]]

    def _draw(self, p: np.ndarray) -> int:
        return int(np.searchsorted(p.cumsum(), self.random.random() * p.sum(), side="right"))

    def observe(self) -> list[int]:
        return [self._draw(a[(slice(None), *self.states)]) for a in self.made["A"]]

    def act(self, actions: np.ndarray) -> None:
        moved = zip(self.made["B"], self.states, actions, strict=True)
        self.states = [self._draw(b[:, s, int(u)]) for b, s, u in moved]


def agent_of(case: str) -> Any:
    """A pymdp agent of a case, of the version that is installed."""
    made = arguments(case)
    learns = "pA" in made
    if str(pymdp_version()).startswith("0."):
        from pymdp.agent import Agent

        for name in ("A", "B", "C", "D", "pA", "pB"):
            if name in made:
                family = np.empty(len(made[name]), dtype=object)
                for index, tensor in enumerate(made[name]):
                    family[index] = tensor
                made[name] = family
        return Agent(**made)
    import jax.numpy as jnp
    from pymdp.agent import Agent

    for name in ("A", "B", "C", "D", "pA", "pB"):
        if name in made:
            made[name] = [jnp.array(tensor) for tensor in made[name]]
    made["E"] = jnp.array(made["E"])
    return Agent(**made, learn_A=learns, learn_B=learns, sampling_mode="marginal")


def learnt(case: str) -> dict[str, bool]:
    """What agents of a case learn, which pymdp says with calls."""
    return {"learn_A": True, "learn_B": True} if case == "learner" else {}


def live(case: str) -> Lives:
    """Steps the agents of a case, one after another, with the pymdp that is installed."""
    made = arguments(case)
    one = _live_0 if str(pymdp_version()).startswith("0.") else _live_1(case)
    lives = [one(agent_of(case), World(made, seed), "pA" in made) for seed in range(AGENTS)]
    observations = np.array([observed for observed, _ in lives], dtype=np.int32)
    actions = np.array([acted for _, acted in lives], dtype=np.int32)
    return Lives(observations.swapaxes(0, 1), actions.swapaxes(0, 1))


def _live_0(agent: Any, world: World, learns: bool) -> tuple[list[list[int]], list[Any]]:
    observed, acted, before = [], [], None
    for _ in range(STEPS):
        seen = world.observe()
        qs = agent.infer_states(seen)
        agent.infer_policies()
        if learns:
            agent.update_A(seen)
            if before is not None:
                agent.update_B(before)
        before = qs
        action = agent.sample_action()
        world.act(action)
        observed.append(seen)
        acted.append(action)
    return observed, acted


def _live_1(case: str) -> Any:
    """pymdp's own steps, jitted: not jitted, a step takes half a second."""
    import equinox
    import jax.numpy as jnp

    @equinox.filter_jit
    def think(agent: Any, seen: Any, prior: Any) -> Any:
        qs = agent.infer_states(seen, prior)
        q_pi, _ = agent.infer_policies(qs)
        action = agent.sample_action(q_pi)
        return qs, action

    @equinox.filter_jit
    def learn(agent: Any, seen: Any, taken: Any, before: Any, qs: Any) -> Any:
        both = [jnp.concatenate(pair, axis=1) for pair in zip(before, qs, strict=True)]
        return agent.infer_parameters(qs, [o[:, None] for o in seen], taken, beliefs_B=both)

    move = equinox.filter_jit(lambda agent, action, qs: agent.update_empirical_prior(action, qs))

    def one(agent: Any, world: World, learns: bool) -> tuple[list[list[int]], list[Any]]:
        observed, acted, before, action, prior = [], [], None, None, agent.D
        for _ in range(STEPS):
            seen = world.observe()
            arrays = [jnp.array([o]) for o in seen]
            taken = action
            qs, action = think(agent, arrays, prior)
            if learns and before is not None:
                agent = learn(agent, arrays, taken, before, qs)
            prior, before = move(agent, action, qs), qs
            world.act(np.asarray(action)[0])
            observed.append(seen)
            acted.append(np.asarray(action)[0])
        return observed, acted

    return one


def file_of(case: str, version: str) -> Path:
    """Where a case of a version is recorded."""
    return RECORDED / f"{case}-{version}.npz"


def main() -> None:
    import populace as pp

    version = pymdp_version()
    RECORDED.mkdir(exist_ok=True)
    for case in CASES:
        lives = live(case)
        path = file_of(case, str(version))
        np.savez_compressed(path, observations=lives.observations, actions=lives.actions)
        pp.Model.from_agent(agent_of(case), **learnt(case)).save(path.with_suffix(".safetensors"))
        print(f"{path}: {AGENTS} agents, {STEPS} steps")


if __name__ == "__main__":
    # The reference in double precision: in single its rounding would decide near-ties.
    os.environ["JAX_ENABLE_X64"] = "1"
    main()
