"""What agents observed and did: what is kept of it, and what comes back."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from populace._sizes import to_bytes, whole


@dataclasses.dataclass(frozen=True)
class History:
    """What a population keeps of its agents' past: the last ticks, compressed, in what its budget
    leaves over.

    >>> from populace import Model, Population
    >>> crowd = Population(Model.grid(side=5), 3, budget="16MiB", history=History(ticks=2))
    >>> for cell in (7, 8, 9):
    ...     actions = crowd.step([cell, cell, cell])
    >>> past = crowd.history(1)
    >>> past.ticks.tolist(), past.observations[:, 0].tolist()
    ([1, 2], [8, 9])
    >>> np.array_equal(past.actions[-1], actions[1])
    True
    """

    #: How many of the last ticks can be asked about.
    ticks: int = 100
    #: The most memory that it takes; None is what the worst case of the run leaves of the budget. The
    #: oldest ticks go first.
    bytes: int | str | None = None
    #: What it is compressed with.
    codec: Literal["zstd", "zlib", "lz4", "none"] = "zstd"
    #: Whether a summary of every belief is kept too.
    beliefs: bool = False


@dataclasses.dataclass(frozen=True)
class Past:
    """What one agent observed and did, a row a tick (n in all), oldest first."""

    #: The ticks at which it was stepped, counted from 0, (n,).
    ticks: NDArray[np.uint64]
    #: What it observed, (n, M); -1 is nothing.
    observations: NDArray[np.int32]
    #: What it chose, (n, F), flat per factor.
    actions: NDArray[np.int32]
    #: Where beliefs are kept, of each factor (n, F): the most probable state,
    states: NDArray[np.uint32] | None = None
    #: its probability,
    probabilities: NDArray[np.float32] | None = None
    #: and the belief's entropy in nats.
    entropies: NDArray[np.float32] | None = None


def keeping(history: History | int | None) -> tuple[int, int | None, str, bool] | None:
    """What is kept, as the native side takes it; a number is of ticks."""
    if history is None:
        return None
    asked: Any = history if isinstance(history, History) else History(ticks=history)
    size = None if asked.bytes is None else to_bytes(asked.bytes, "history.bytes")
    return whole("history.ticks", asked.ticks), size, asked.codec, bool(asked.beliefs)
