"""Populations: many agents of one model, inside a budget."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from populace import _native
from populace._arrays import Floats, ids_of, integers, side_by_side
from populace._sizes import to_bytes, whole
from populace.history import History, Past, keeping
from populace.model import Model, native_of

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
        agents: how many to begin with; their ids are 0 to agents - 1.
        budget: the most engine memory, in bytes or as ``"512MiB"``. What the worst case needs is
            held against it here; nothing is refused later.
        seed: of the run: the same seed gives the same choices, whatever the threads and chunks.
        threads: worker threads; 0 is one a core.
        chunk: agents stepped together; None leaves it to the engine.
        belief: how beliefs are stored: every state, the possible ones, or as it pays.
        precision: what agents compute in.
        history: what is kept of the past, for :meth:`history`: a :class:`populace.History`, or so many
            of the last ticks.

    Raises:
        BudgetError: the budget cannot hold it; the message says what would fit.
        NotImplementedError: there are too many policies, or joint actions, to be counted.

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
        history: History | int | None = None,
    ) -> None:
        native = _native.Population(
            native_of(model),
            whole("agents", agents),
            budget_bytes=to_bytes(budget),
            seed=whole("seed", seed),
            threads=whole("threads", threads),
            chunk=None if chunk is None else whole("chunk", chunk),
            belief=belief,
            precision=precision,
            history=keeping(history),
        )
        self._begin(model, native)

    def _begin(self, model: Model, native: _native.Population) -> None:
        self.model = model
        self._native = native
        self._modalities = len(model.num_obs)
        self._factors = len(model.num_states)
        self._chosen: NDArray[np.int32] | None = None

    def step(
        self,
        observations: ArrayLike | Sequence[ArrayLike],
        actions: ArrayLike | None = None,
        *,
        ids: ArrayLike | None = None,
    ) -> NDArray[np.int32]:
        """Step every agent once: infer states and policies, choose actions.

        Args:
            observations: integers (agents, M), -1 for none; int32 is not copied. With one modality
                (agents,) will do. With ``categorical_obs`` a list of distributions, (agents, O_m) a
                modality; zeros for none.
            actions: those really taken since the last step, (agents, F), where they are others
                than were chosen.
            ids: who is stepped, each once; rows are in their order. All others are as they were,
                and a tick has passed. None is everyone in memory, in the order of :attr:`ids`.

        Returns:
            int32 (agents, F), flat per factor: what the agents chose.

        Raises:
            ValueError: a shape does not fit, an outcome is out of range, or an agent is not in
                memory: nobody was stepped.
        """
        who = None if ids is None else ids_of(ids)
        taken = None if actions is None else integers("actions", actions, self._factors)
        if self.model.categorical_obs:
            rows = side_by_side("observations", observations, self.model.num_obs)
            self._chosen = self._native.step_soft(rows, taken, who)
        else:
            outcomes = integers("observations", observations, self._modalities)
            self._chosen = self._native.step(outcomes, taken, who)
        return self._chosen

    def infer_states(
        self,
        observations: ArrayLike | Sequence[ArrayLike],
        actions: ArrayLike | None = None,
    ) -> list[Floats]:
        """pymdp's first call of three: step, and answer all beliefs, (agents, S_f) a factor.

        A step is one pass; :meth:`infer_policies` and :meth:`sample_action` answer what it found.
        """
        self.step(observations, actions)
        return self.beliefs()

    def infer_policies(self, ids: ArrayLike | None = None) -> tuple[Floats, Floats]:
        """How agents weigh their policies by what they believe, and have learnt, now.

        Returns:
            q_pi and neg_efe (= -EFE: larger is better), (ids, P) each. Where policies are too many
            to enumerate, q_pi is over first actions; there, and where they are searched, neg_efe is
            (ids, 0).
        """
        return self._native.policies(self._who(ids))

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
        return self._native.beliefs(self._who(ids))

    def parameters(self, ids: ArrayLike | None = None) -> dict[str, list[Floats]]:
        """What agents have learnt.

        Returns:
            By the name of the family, of what is learnt: counts ``pA`` and ``pB`` (and ``pD``), and
            the arrays ``A`` and ``B`` that follow from them; of every modality or factor an array
            (ids, ...) in the shape of the model's.

        Raises:
            ValueError: the agents of this model learn nothing.

        >>> A, B = [np.eye(2)], [np.stack([np.eye(2), np.eye(2)[::-1]], axis=-1)]
        >>> learner = Model(A, B, pA=[np.ones((2, 2))], learn_A=True)
        >>> crowd = Population(learner, 3, budget="8MiB", precision="f64")
        >>> for observed in (0, 1):
        ...     actions = crowd.step([[observed]] * 3)
        >>> crowd.parameters([0])["pA"][0].sum()
        np.float64(5.0)
        """
        return self._native.parameters(self._who(ids))

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

    @property
    def ids(self) -> NDArray[np.uint64]:
        """The agents in memory, in the order of :meth:`step`'s rows. Ids count from 0 in the order of
        births, and are never given twice."""
        return self._native.ids

    def _who(self, ids: ArrayLike | None) -> NDArray[np.uint64]:
        return self.ids if ids is None else ids_of(ids)

    def spawn(self, count: int) -> NDArray[np.uint64]:
        """Add agents, which believe D and have learnt nothing; answers their ids.

        Raises:
            BudgetError: the budget does not hold them; it says how many would fit.

        >>> crowd = Population(Model.grid(side=5), 2, budget="8MiB")
        >>> crowd.spawn(3)
        array([2, 3, 4], dtype=uint64)
        """
        return np.arange(*self._native.spawn(whole("count", count)), dtype=np.uint64)

    def retire(self, ids: ArrayLike) -> None:
        """Let agents go for good, hibernated ones too; their memory is given back."""
        self._native.retire(ids_of(ids))

    def recycle(self, ids: ArrayLike) -> NDArray[np.uint64]:
        """Let agents go for good and put as many new ones in their places; answers the new ids."""
        return np.arange(*self._native.recycle(ids_of(ids)), dtype=np.uint64)

    def hibernate_in(self, path: str | os.PathLike[str]) -> None:
        """Open the file that agents are hibernated in, or create it. Agents that it holds already, of
        the same model and settings, are this population's from now on."""
        self._native.hibernate_in(os.fspath(path))

    def hibernate(self, ids: ArrayLike) -> None:
        """Write agents to the file, durably and all at once, and give their memory back.

        Raises:
            ValueError: there is no file yet (:meth:`hibernate_in`), or an agent is not in memory:
                everybody still is where they were.
        """
        self._native.hibernate(ids_of(ids))

    def wake(self, ids: ArrayLike) -> None:
        """Bring hibernated agents back, bit for bit as they were."""
        self._native.wake(ids_of(ids))

    def set_policy(
        self, *, idle_after: int | None = None, sweeps: bool = False, wakes: bool = False
    ) -> None:
        """Say what becomes of agents that nobody steps.

        Args:
            idle_after: after how many ticks without a step an agent is idle; None is never.
            sweeps: whether every step hibernates who is idle, as :meth:`sweep` does.
            wakes: whether to step a hibernated agent wakes it; else it is an error.
        """
        after = None if idle_after is None else whole("idle_after", idle_after)
        self._native.set_policy(after, sweeps, wakes)

    def sweep(self) -> int:
        """Hibernate who is idle; answers how many were."""
        return self._native.sweep()

    def lifecycles(self, ids: ArrayLike) -> list[str]:
        """Where agents are in their lives: initialising, active, idle, hibernated or retired."""
        return self._native.lifecycles(ids_of(ids))

    @property
    def lifecycle_counts(self) -> dict[str, int]:
        """How many agents are where in their lives: also how many were recycled."""
        return self._native.lifecycle_counts()

    def history(self, agent: int, start: int = 0, stop: int | None = None) -> Past:
        """What an agent observed and did, as far as it is kept: of the last ticks those at which it was
        stepped. Who rests or is gone can be asked about as long as its ticks are not too old.

        Args:
            start: the first tick that is asked about, counted from 0.
            stop: the tick before which the answer ends; None is now.

        Raises:
            ValueError: there never was such an agent, or the population was made without ``history``.
        """
        end = self.ticks if stop is None else whole("stop", stop)
        found = self._native.history(whole("agent", agent), whole("start", start), end)
        return Past(**found)

    @property
    def history_totals(self) -> dict[str, Any] | None:
        """How much of the past there is: of how many ``ticks`` everything, closed ``blocks``, their
        ``raw_bytes`` and ``stored_bytes`` and the ``ratio`` of the two, ``open_bytes``, and how many
        blocks were ``dropped`` for want of room. None, where nothing is kept."""
        return self._native.history_totals()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the population to a file, whole or not at all, which only its owner can read: a
        checkpoint, with the model, who is hibernated, and the history.

        Raises:
            OSError: it cannot be written; what was there is as it was.
            ValueError: the path holds something else than a checkpoint, which is left alone.
        """
        self._native.save(os.fspath(path))
        _log.info("saved %d agents after %d steps to %s", len(self), self.ticks, os.fspath(path))

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        budget: int | str = "256MiB",
        threads: int = 0,
        chunk: int | None = None,
        history: History | int | None = None,
        rest_in: str | os.PathLike[str] | None = None,
    ) -> Population:
        """A population as it was saved, to go on from there: with the same observations its agents do
        the same, bit for bit, whatever the budget, threads and chunks are now.

        Args:
            history: what is kept of the past from now on, where nothing was.
            rest_in: the file for who is hibernated, if not the one that they were in. It is made what
                it was when the population was saved.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no saved population, or damaged; the message starts with the path.
            BudgetError: the budget cannot hold it.

        >>> import tempfile
        >>> crowd = Population(Model.grid(side=5), 3, budget="8MiB")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     crowd.save(f"{folder}/crowd")
        ...     again = Population.load(f"{folder}/crowd", budget="16MiB", threads=1)
        >>> bool((crowd.step([7, 8, 9]) == again.step([7, 8, 9])).all())
        True
        """
        native = _native.Population.load(
            os.fspath(path),
            budget_bytes=to_bytes(budget),
            threads=whole("threads", threads),
            chunk=None if chunk is None else whole("chunk", chunk),
            history=keeping(history),
            rest_in=None if rest_in is None else os.fspath(rest_in),
        )
        loaded = cls.__new__(cls)
        loaded._begin(Model._of(native.model), native)
        return loaded
