"""Arrays as the native module takes them: of one dtype, laid out as C does. What already is so is
not copied."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]


def integers(name: str, array: Any, columns: int) -> NDArray[np.int32]:
    """Rows of `columns` integers as int32; one column may be given without its axis.

    >>> integers("observations", [3, 4], 1)
    array([[3],
           [4]], dtype=int32)
    """
    given = np.asarray(array)
    if given.dtype.kind not in "iub":
        raise ValueError(f"{name}: has dtype {given.dtype}, not integers")
    if given.ndim == 1 and columns == 1:
        given = given[:, np.newaxis]
    if given.ndim != 2 or given.shape[1] != columns:
        raise ValueError(f"{name}: has shape {given.shape}, not (agents, {columns})")
    if given.dtype != np.int32:
        if given.size and not -(2**31) <= int(given.min()) <= int(given.max()) < 2**31:
            raise ValueError(f"{name}: has values beyond int32")
        given = given.astype(np.int32)
    return np.ascontiguousarray(given)


def side_by_side(name: str, family: Any, widths: list[int]) -> NDArray[np.float64]:
    """Arrays (agents, width) as one, (agents, sum of widths).

    >>> side_by_side("observations", [[[1.0, 0.0]], [[0.25, 0.75]]], [2, 2])
    array([[1.  , 0.  , 0.25, 0.75]])
    """
    parts = [np.asarray(part, dtype=np.float64) for part in family]
    if len(parts) != len(widths):
        raise ValueError(f"{name}: has {len(parts)} modalities, not {len(widths)}")
    for index, (part, width) in enumerate(zip(parts, widths, strict=True)):
        if part.ndim != 2 or part.shape[1] != width or len(part) != len(parts[0]):
            raise ValueError(f"{name}[{index}]: has shape {part.shape}, not (agents, {width})")
    return np.concatenate(parts, axis=1)


def ids_of(ids: ArrayLike) -> NDArray[np.uint64]:
    """Agents' ids.

    >>> ids_of(range(2))
    array([0, 1], dtype=uint64)
    """
    given = np.asarray(ids)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise ValueError(f"ids: {given.dtype} of shape {given.shape} are no list of agents' ids")
    negative = np.flatnonzero(given < 0)
    if negative.size:
        place = int(negative[0])
        raise ValueError(f"ids[{place}]: {given[place]} is out of range, ids count from 0")
    return np.ascontiguousarray(given, dtype=np.uint64)
