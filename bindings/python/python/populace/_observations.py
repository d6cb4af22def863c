"""Observations as pymdp 1.x gives them, a modality each, as the engine takes them: side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from populace._batch import Array


def outcomes(observations: Sequence[Any], batch_size: int) -> NDArray[np.int32]:
    """Outcomes (batch,) or (batch, T) a modality as (batch, T, M).

    >>> outcomes([np.array([[0, 1]]), np.array([[2, -1]])], 1).tolist()
    [[[0, 2], [1, -1]]]
    """
    parts = []
    for modality, given in enumerate(observations):
        array = np.asarray(given)
        if not array.size or array.size % batch_size:
            raise ValueError(f"observations[{modality}]: has shape {array.shape}")
        parts.append(array.astype(np.int32).reshape(batch_size, -1))
    return _side_by_side([part[..., np.newaxis] for part in parts])


def distributions(observations: Sequence[Any], num_obs: Sequence[int], batch_size: int) -> Array:
    """Distributions (batch, O_m) or (batch, T, O_m) a modality as (batch, T, sum of O)."""
    parts = []
    for modality, (given, count) in enumerate(zip(observations, num_obs, strict=True)):
        array = np.asarray(given, dtype=np.float64)
        if not array.size or array.shape[-1] != count or array.size % (batch_size * count):
            raise ValueError(
                f"observations[{modality}]: has shape {array.shape}, "
                f"not {(batch_size, count)} with or without a time axis"
            )
        parts.append(array.reshape(batch_size, -1, count))
    return _side_by_side(parts)


_Number = TypeVar("_Number", bound=np.generic)


def masked(seen: NDArray[Any], mask: Sequence[Any], num_obs: Sequence[int]) -> NDArray[Any]:
    """Observations side by side without those of masked modalities: as if nothing was observed.

    >>> masked(np.array([[[0, 1]], [[2, 1]]], dtype=np.int32), [[1, 0], 1], [3, 2]).tolist()
    [[[0, 1]], [[-1, 1]]]
    """
    batch = len(seen)
    if len(mask) > len(num_obs):
        raise ValueError(f"mask: has {len(mask)} modalities, expected {len(num_obs)}")
    seen = seen.copy()
    discrete = seen.dtype == np.int32
    ends = np.arange(1, len(num_obs) + 1) if discrete else np.cumsum(num_obs)
    for modality, one in enumerate(mask):
        counts = np.asarray(one, dtype=np.float64)
        if counts.size not in (1, batch) or not np.isin(counts, (0.0, 1.0)).all():
            raise NotImplementedError(
                f"infer_states(mask=): mask[{modality}] is not 0 or 1, for all or each of the batch; "
                "this version does no other"
            )
        gone = np.broadcast_to(counts.ravel() == 0, (batch,))
        start = ends[modality - 1] if modality else 0
        seen[gone, :, start : ends[modality]] = -1 if discrete else 0.0
    return seen


def _side_by_side(parts: list[NDArray[_Number]]) -> NDArray[_Number]:
    for modality, part in enumerate(parts):
        if part.shape[1] != parts[0].shape[1]:
            raise ValueError(
                f"observations[{modality}]: has {part.shape[1]} steps, "
                f"and observations[0] {parts[0].shape[1]}"
            )
    return np.ascontiguousarray(np.concatenate(parts, axis=2))
