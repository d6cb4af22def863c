"""Populations: many agents of one model, inside a budget."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Literal, NoReturn, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from populace import _native
from populace._arrays import Floats, ids_of, integers
from populace._sizes import to_bytes
from populace.model import Model

_log = logging.getLogger("populace")

#: A long run says where it is about this often.
_SECONDS_BETWEEN_LOGS = 10.0


class Environment(Protocol):
    """A world of many agents: anything with these two methods."""

    def reset(self) -> NDArray[np.int32]:
        """Begin; answers the first observations, (agents, M)."""

    def step(self, actions: NDArray[np.int32]) -> NDArray[np.int32]:
        """Move by actions, (agents, F); answers the next observations, (agents, M)."""


class Population:
    """Agents of one model, stepped together.

    Args:
        agents: how many; their ids are 0 to agents - 1.
        budget: the most engine memory, in bytes or as ``"512MiB"``. What the worst case needs is
            held against it here; nothing is refused later.
        seed: of the run: the same seed gives the same choices, whatever the threads and chunks.
        threads: worker threads; 0 is one a core.
        chunk: agents stepped together; None leaves it to the engine.
        belief: how beliefs are stored: every state, the possible ones, or as it pays.
        precision: what agents compute in.

    Raises:
        BudgetError: the budget cannot hold it; the message says what would fit.
        NotImplementedError: the model asks for what the engine does not do yet.

    Threads may share a population: they take turns. The interpreter's lock is released while agents
    are stepped. Ctrl-C takes effect after the current tick, and the population is whole.

    >>> crowd = Population(Model.builtin("tmaze"), 2, budget="8MiB", precision="f64")
    >>> crowd.step([[0, 0, 0], [1, 2, 0]]).tolist()
    [[3, 0], [4, 0]]
    >>> crowd.beliefs()[1].round(6)
    array([[0.5, 0.5],
           [0. , 1. ]])
    """

    def __init__(
        self,
        model: Model,
        agents: int,
        *,
        budget: int | str = "256MiB",
        seed: int = 1,
        threads: int = 0,
        chunk: int | None = None,
        belief: Literal["auto", "dense", "sparse", "f16", "log8"] = "auto",
        precision: Literal["f32", "f64"] = "f32",
    ) -> None:
        self.model = model
        self._native = _native.Population(
            model._native,
            agents,
            budget_bytes=to_bytes(budget),
            seed=seed,
            threads=threads,
            chunk=chunk,
            belief=belief,
            precision=precision,
        )
        self._modalities = len(model.num_obs)
        self._factors = len(model.num_states)
        self._chosen: NDArray[np.int32] | None = None

    def step(
        self,
        observations: ArrayLike,
        actions: ArrayLike | None = None,
        *,
        ids: ArrayLike | None = None,
    ) -> NDArray[np.int32]:
        """Step every agent once: infer states and policies, choose actions.

        Args:
            observations: integers (agents, M), -1 for none; int32 is not copied. With one modality
                (agents,) will do.
            actions: those really taken since the last step, (agents, F), where they are others
                than were chosen.
            ids: not there yet.

        Returns:
            int32 (agents, F), flat per factor: what the agents chose.

        Raises:
            ValueError: a shape does not fit, or an outcome is out of range: nobody was stepped.
        """
        if ids is not None:
            _missing("step(ids=): stepping some of the agents")
        taken = None if actions is None else integers("actions", actions, self._factors)
        self._chosen = self._native.step(
            integers("observations", observations, self._modalities), taken
        )
        return self._chosen

    def infer_states(
        self, observations: ArrayLike, actions: ArrayLike | None = None
    ) -> list[Floats]:
        """pymdp's first call of three: step, and answer all beliefs, (agents, S_f) a factor.

        A step is one pass; :meth:`infer_policies` and :meth:`sample_action` answer what it found.
        """
        self.step(observations, actions)
        return self.beliefs()

    def infer_policies(self, ids: ArrayLike | None = None) -> tuple[Floats, Floats]:
        """How agents weigh their policies by what they believe now.

        Returns:
            q_pi and neg_efe (= -EFE: larger is better), (ids, P) each.
        """
        return self._native.policies(ids_of(ids, len(self)))

    def sample_action(self) -> NDArray[np.int32]:
        """What the agents chose in the last step, int32 (agents, F)."""
        if self._chosen is None:
            raise ValueError("sample_action: no agent was stepped yet")
        return self._chosen

    def beliefs(self, ids: ArrayLike | None = None) -> list[Floats]:
        """What agents believe now (D before their first step).

        Args:
            ids: whose, in any order; None is everyone's.

        Returns:
            An array (ids, S_f) a factor, in the population's precision.
        """
        return self._native.beliefs(ids_of(ids, len(self)))

    def run(
        self,
        environment: Environment,
        steps: int,
        *,
        progress: Callable[[int, int], Any] | None = None,
    ) -> NDArray[np.int32]:
        """Live in an environment for a number of steps.

        Args:
            environment: anything with ``reset() -> observations`` and
                ``step(actions) -> observations``: a :class:`populace.World`, a
                :class:`populace.envs.Gymnasium`, or your own.
            progress: called with (steps made, steps) after each.

        Returns:
            The last actions, (agents, F).

        >>> model = Model.grid(side=5)
        >>> from populace import World
        >>> crowd = Population(model, 100, budget="8MiB", seed=3)
        >>> crowd.run(World(model, 100, seed=3), 10).shape
        (100, 1)
        """
        if steps < 1:
            raise ValueError(f"steps: {steps} are nothing to run")
        started = said = time.monotonic()
        observations = environment.reset()
        actions = self.step(observations)
        for made in range(1, steps):
            now = time.monotonic()
            if now - said >= _SECONDS_BETWEEN_LOGS:
                said = now
                rate = made * len(self) / (now - started)
                _log.info("%d of %d steps, %.3g agent-steps/s", made, steps, rate)
            if progress is not None:
                progress(made, steps)
            actions = self.step(environment.step(actions))
        if progress is not None:
            progress(steps, steps)
        return actions

    def memory(self) -> dict[str, int]:
        """Where every engine byte is now, by class; the sum is the engine's memory."""
        return self._native.memory(False)

    def peak(self) -> dict[str, int]:
        """Where every engine byte was when there were most."""
        return self._native.memory(True)

    @property
    def bytes_per_agent(self) -> float:
        """Engine bytes that grow with the number of agents, at the peak, by the agent."""
        return self._native.bytes_per_agent()

    @property
    def tiers(self) -> dict[str, int]:
        """How many beliefs are stored how: dense, sparse (and in which numbers), or still D."""
        return self._native.tiers()

    @property
    def ticks(self) -> int:
        """How many steps have been made."""
        return self._native.ticks

    @property
    def threads(self) -> int:
        """How many threads step agents."""
        return self._native.threads

    @property
    def trajectory_hash(self) -> int:
        """A number of all choices so far: equal exactly where all agents did the same."""
        return self._native.trajectory_hash

    def __len__(self) -> int:
        return self._native.agents

    def __repr__(self) -> str:
        return f"Population({self.model!r}, {len(self)}, ticks={self.ticks})"

    def spawn(self, count: int) -> NoReturn:
        """Not there yet."""
        _missing("spawn")

    def retire(self, ids: ArrayLike) -> NoReturn:
        """Not there yet."""
        _missing("retire")

    def hibernate(self, ids: ArrayLike) -> NoReturn:
        """Not there yet."""
        _missing("hibernate")

    def wake(self, ids: ArrayLike) -> NoReturn:
        """Not there yet."""
        _missing("wake")

    def history(self, ids: ArrayLike) -> NoReturn:
        """Not there yet."""
        _missing("history")

    def parameters(self, ids: ArrayLike) -> NoReturn:
        """Not there yet."""
        _missing("parameters")

    def save(self, path: str) -> NoReturn:
        """Not there yet."""
        _missing("save")

    @classmethod
    def load(cls, path: str) -> NoReturn:
        """Not there yet."""
        _missing("load")


def _missing(name: str) -> NoReturn:
    raise NotImplementedError(f"Population.{name}: this version does not do it yet")
