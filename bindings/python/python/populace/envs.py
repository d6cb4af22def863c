"""Worlds for populations: the one that a model describes, and Gymnasium's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from populace import _native
from populace._arrays import integers
from populace._sizes import whole
from populace.model import Model, native_of


class World:
    """The world that a model describes: true states move by its B, observations are drawn from its A.

    The same seed gives the same world as ``populace run`` does.

    Args:
        agents: how many live in it, each on its own.
        seed: of the run.

    >>> world = World(Model.grid(side=5, noise=0.0), 3, seed=1)
    >>> world.reset().shape
    (3, 1)
    >>> world.step([[0], [1], [2]]).shape
    (3, 1)
    """

    def __init__(self, model: Model, agents: int, *, seed: int = 1) -> None:
        self._native = _native.World(
            native_of(model), whole("agents", agents, least=1), seed=whole("seed", seed)
        )
        self._factors = len(model.num_states)

    def reset(self) -> NDArray[np.int32]:
        """Put all agents back where they began; answers what they observe, (agents, M)."""
        self._native.begin()
        return self._native.observe()

    def step(self, actions: ArrayLike) -> NDArray[np.int32]:
        """Move agents by actions, (agents, F), flat per factor; answers what they observe next."""
        self._native.act(integers("actions", actions, self._factors))
        return self._native.observe()


class Gymnasium:
    """A Gymnasium vector environment as a population's world.

    Args:
        environment: a ``gymnasium.vector.VectorEnv`` with one sub-environment an agent, whose
            observations and actions are discrete: ``Discrete`` or ``MultiDiscrete``, or a tuple of
            them.
        seed: given to its ``reset``.

    The rewards and ends of the last step are in ``rewards``, ``terminations`` and ``truncations``,
    (agents,) each.
    """

    def __init__(self, environment: Any, *, seed: int | None = None) -> None:
        self.environment = environment
        self.seed = seed
        self.rewards: NDArray[Any] | None = None
        self.terminations: NDArray[Any] | None = None
        self.truncations: NDArray[Any] | None = None

    def reset(self) -> NDArray[np.int32]:
        """Begin; answers the first observations, (agents, M)."""
        observations, _ = self.environment.reset(seed=self.seed)
        return self._rows(observations)

    def step(self, actions: NDArray[np.int32]) -> NDArray[np.int32]:
        """Move by actions, (agents, F); answers the next observations, (agents, M)."""
        space = self.environment.action_space
        given: Any = actions
        if isinstance(getattr(space, "spaces", None), tuple):
            given = tuple(actions.T)
        elif len(space.shape) == 1:
            given = actions[:, 0]
        observations, self.rewards, self.terminations, self.truncations, _ = self.environment.step(
            given
        )
        return self._rows(observations)

    def _rows(self, observations: Any) -> NDArray[np.int32]:
        if isinstance(observations, tuple):
            observations = np.stack(observations, axis=-1)
        array = np.asarray(observations)
        return integers("observations", array, 1 if array.ndim == 1 else array.shape[-1])
