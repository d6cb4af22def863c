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


def _side_by_side(parts: list[NDArray[_Number]]) -> NDArray[_Number]:
    for modality, part in enumerate(parts):
        if part.shape[1] != parts[0].shape[1]:
            raise ValueError(
                f"observations[{modality}]: has {part.shape[1]} steps, "
                f"and observations[0] {parts[0].shape[1]}"
            )
    return np.ascontiguousarray(np.concatenate(parts, axis=2))
