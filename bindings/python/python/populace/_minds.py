"""The engine behind agents that keep their own beliefs: a batch, its models, what it has learnt.

Nothing is computed here: rows of a batch are handed to the engine by the model they have.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from populace import _native
from populace.model import Model

Array = NDArray[np.float64]
#: Rows of a batch.
Rows = NDArray[np.intp]


@dataclasses.dataclass(frozen=True)
class Learnt:
    """What a batch has learnt."""

    #: Dirichlet counts, (batch, n), as the engine lays them out.
    counts: Array
    #: Whether A and B have been updated, (batch, 2): until then they are the given ones.
    updated: NDArray[np.bool_]

    def of(self, rows: Rows) -> tuple[Array, NDArray[np.bool_]]:
        """What some of the batch have learnt."""
        return self.counts[rows], self.updated[rows]


class Minds:
    """The compiled models of a batch: agents of equal models share one."""

    def __init__(self, batch_size: int, models: Sequence[tuple[Model, Rows]]) -> None:
        self.batch_size = batch_size
        self._minds = [(_native.Stepwise(model._native), rows) for model, rows in models]

    def ask(
        self,
        columns: int,
        question: Callable[[_native.Stepwise, Rows], NDArray[Any]],
        rows: Rows | None = None,
    ) -> Array:
        """What the models answer of their rows, (rows, columns); of all rows of the batch, where
        none are given."""
        answer = np.empty((self.batch_size, columns))
        for mind, own in self._minds:
            asked = own if rows is None else np.intersect1d(own, rows)
            if asked.size:
                answer[asked] = question(mind, asked)
        return answer if rows is None else answer[rows]

    def infer_policies(self, qs: Array, policies: int, learnt: Learnt | None) -> tuple[Array, Array]:
        """q_pi and neg_efe, (batch, P) each."""
        q_pi, neg_efe = np.empty((2, self.batch_size, policies))
        for mind, rows in self._minds:
            known = None if learnt is None else learnt.of(rows)
            q_pi[rows], neg_efe[rows] = mind.infer_policies(qs[rows], known)
        return q_pi, neg_efe

    def sample_action(self, q_pi: Array, draws: Array) -> NDArray[np.int32]:
        """Actions, (batch, F)."""
        actions = np.empty(draws.shape, dtype=np.int32)
        for mind, rows in self._minds:
            actions[rows] = mind.sample_action(q_pi[rows], draws[rows])
        return actions

    def untaught(self) -> Learnt:
        """What the batch knows before it has learnt anything."""
        (first, _) = self._minds[0]
        counts = np.empty((self.batch_size, first.counts.size))
        for mind, rows in self._minds:
            counts[rows] = mind.counts
        return Learnt(counts, np.zeros((self.batch_size, 2), dtype=bool))

    def learn(
        self,
        learnt: Learnt,
        before: Array,
        qs: Array,
        observations: NDArray[Any],
        actions: NDArray[np.int32],
    ) -> Array:
        """The counts after a step, (batch, n)."""
        return self.ask(
            learnt.counts.shape[1],
            lambda mind, rows: mind.learn(
                learnt.of(rows), before[rows], qs[rows], observations[rows], actions[rows]
            ),
        )

    def expected(self, learnt: Learnt) -> Array:
        """The arrays that are expected of the counts, laid out as they are, (batch, n)."""
        return self.ask(
            learnt.counts.shape[1], lambda mind, rows: mind.expected(learnt.of(rows))
        )


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the counts of A and B stand among those of an agent; a family that is not learnt has
    none."""

    #: (O_m, S ...) by modality; (S_f, S ..., U_f) by factor.
    a: Sequence[tuple[int, ...]]
    b: Sequence[tuple[int, ...]]

    @property
    def counts_of_a(self) -> slice:
        """Those of A; those of B follow."""
        return slice(0, sum(int(np.prod(shape)) for shape in self.a))

    def split(self, counts: Array) -> tuple[list[Array], list[Array]]:
        """Counts (batch, n) as arrays of A and of B, each with the batch before its shape."""
        batch, at = len(counts), 0
        families: tuple[list[Array], list[Array]] = ([], [])
        for shape in self.a:
            size = int(np.prod(shape))
            families[0].append(counts[:, at : at + size].reshape(batch, *shape))
            at += size
        for shape in self.b:
            size = int(np.prod(shape))
            # The engine has a table an action; arrays have the action last.
            tables = counts[:, at : at + size].reshape(batch, shape[-1], *shape[:-1])
            families[1].append(np.ascontiguousarray(np.moveaxis(tables, 1, -1)))
            at += size
        return families
