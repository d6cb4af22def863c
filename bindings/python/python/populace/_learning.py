"""pymdp 1.x's ``infer_parameters``: which steps of beliefs, observations and actions teach what.

The engine learns from one step at a time. Here are only pymdp's rules of which steps those are, and
that A and B each learn from their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from populace._minds import Array, Learnt, Minds


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What a batch learns from; all have the batch axis first."""

    #: Beliefs that A learns from, (batch, T, ΣS), and what was observed at those steps,
    #: (batch, T, M) outcomes or (batch, T, ΣO).
    beliefs: Array
    observations: NDArray[Any]
    #: Beliefs that B learns from, (batch, T', ΣS), and the actions between them, (batch, T' - 1, F).
    moving: Array
    actions: NDArray[np.int32] | None
    #: Whether joint beliefs of two steps are smoothed, as ``ovf`` and ``exact`` do.
    smoothed: bool
    #: F.
    factors: int


def lesson(
    beliefs_A: Sequence[Any],
    observations: NDArray[Any],
    actions: Any | None,
    beliefs_B: Sequence[Any] | None,
    *,
    smoothed: bool,
) -> Lesson:
    """What pymdp's arguments say."""
    moving = beliefs_A if beliefs_B is None else beliefs_B
    taken = None
    if actions is not None:
        taken = np.asarray(actions, dtype=np.int32)
        if taken.ndim == 2:
            taken = taken[:, np.newaxis]
    sequence = _side_by_side(moving)
    steps = sequence.shape[1]
    if taken is not None:
        taken = taken[:, : max(steps - 1, 0)]
    return Lesson(
        _side_by_side(beliefs_A), observations, sequence, taken, smoothed, len(beliefs_A)
    )


def learn(minds: Minds, learnt: Learnt, taught: Lesson, a: slice, *, A: bool, B: bool) -> Learnt:
    """What a batch knows after a lesson; ``a`` are the counts of A, those of B follow."""
    counts, updated = learnt.counts.copy(), learnt.updated.copy()
    b = slice(a.stop, counts.shape[1])
    moves = _moves(taught)
    if taught.smoothed and moves.any():
        if A:
            raise NotImplementedError(
                "infer_parameters: learning A from smoothed beliefs; this version does not do it yet"
            )
        if moves.shape[1] > 1:
            raise NotImplementedError(
                "infer_parameters: smoothing over more than two steps; this version does not do it "
                "yet"
            )
    if A:
        counts[:, a] = _learn_a(minds, learnt, taught)[:, a]
        updated[:, 0] = True
    if B and moves.any():
        counts[:, b] = _learn_b(minds, learnt, taught, moves)[:, b]
        updated[:, 1] = True
    return Learnt(counts, updated)


def _moves(taught: Lesson) -> NDArray[np.bool_]:
    """Which steps lead from a belief to the next, (batch, T' - 1): those with an action."""
    steps = taught.moving.shape[1]
    if taught.actions is None or steps < 2 or taught.actions.shape[1] != steps - 1:
        return np.zeros((len(taught.moving), 0), dtype=bool)
    return np.asarray((taught.actions >= 0).all(axis=-1))


def _learn_a(minds: Minds, learnt: Learnt, taught: Lesson) -> Array:
    beliefs, observations = taught.beliefs, taught.observations
    if observations.shape[1] != beliefs.shape[1]:
        raise ValueError(
            f"observations: have {observations.shape[1]} steps, and beliefs_A {beliefs.shape[1]}"
        )
    # Any action will do: only what A learns is kept.
    any_action = np.zeros((len(beliefs), taught.factors), dtype=np.int32)
    for step in range(beliefs.shape[1]):
        q = np.ascontiguousarray(beliefs[:, step])
        counts = minds.learn(learnt, q, q, np.ascontiguousarray(observations[:, step]), any_action)
        learnt = Learnt(counts, learnt.updated)
    return learnt.counts


def _learn_b(minds: Minds, learnt: Learnt, taught: Lesson, moves: NDArray[np.bool_]) -> Array:
    beliefs, taken = taught.moving, np.asarray(taught.actions)
    seen = taught.observations[:, 0]
    nothing = np.full_like(seen, -1 if seen.dtype == np.int32 else 0, order="C")
    for step in range(moves.shape[1]):
        actions = np.where(moves[:, step, np.newaxis], taken[:, step], -1)
        counts = minds.learn(
            learnt,
            np.ascontiguousarray(beliefs[:, step]),
            np.ascontiguousarray(beliefs[:, step + 1]),
            nothing,
            np.ascontiguousarray(actions, dtype=np.int32),
        )
        learnt = Learnt(counts, learnt.updated)
    return learnt.counts


def _side_by_side(beliefs: Sequence[Any]) -> Array:
    """Beliefs (batch, T, S_f) a factor as (batch, T, ΣS)."""
    parts = [np.asarray(belief, dtype=np.float64) for belief in beliefs]
    return np.concatenate([part[:, np.newaxis] if part.ndim == 2 else part for part in parts], axis=2)
