"""What agents of a batch are made of: arrays with the batch axis first, policies, random numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Policies:
    """The policies of an agent: ``policy_arr`` is (P, T, F)."""

    def __init__(self, policy_arr: NDArray[np.integer[Any]]) -> None:
        self.policy_arr = policy_arr
        self.num_policies, self.horizon = policy_arr.shape[:2]

    def __getitem__(self, index: int) -> NDArray[np.integer[Any]]:
        return np.asarray(self.policy_arr[index])

    def __len__(self) -> int:
        return int(self.num_policies)


def batched(name: str, family: Iterable[Any], ranks: list[int], batch_size: int) -> list[Array]:
    """Tensors with the batch axis first; one without it stands for all, uncopied."""
    tensors = []
    for index, (tensor, rank) in enumerate(zip(family, ranks, strict=True)):
        if tensor is None:
            raise NotImplementedError(f"{name}[{index}] is None: give all of {name}, or none")
        array = data(tensor)
        if array.ndim == rank + 1 and array.shape[0] not in (1, batch_size):
            raise ValueError(
                f"Batch size {batch_size} does not match the first dimension of "
                f"{name}[{index}] with shape {array.shape}"
            )
        own = array.shape[1:] if array.ndim == rank + 1 else array.shape
        tensors.append(np.broadcast_to(array, (batch_size, *own)))
    return tensors


def batched_preference(modality: int, c: Any, batch_size: int) -> Array:
    """C is (O,), (batch, O), timed (T, O) or (batch, T, O); two axes are read as pymdp does."""
    array = data(c)
    if array.ndim == 1 or (array.ndim == 2 and array.shape[0] not in (1, batch_size)):
        return np.broadcast_to(array, (batch_size, *array.shape))
    return batched(f"C[{modality}] of C", [array], [array.ndim - 1], batch_size)[0]


def data(tensor: Any) -> Array:
    """The numbers of an array or a pymdp Distribution, in double precision."""
    numbers = getattr(tensor, "data", tensor) if hasattr(tensor, "event") else tensor
    return np.asarray(numbers, dtype=np.float64)


def lists(given: Iterable[Iterable[int]]) -> list[list[int]]:
    """Lists of plain integers."""
    return [[int(index) for index in one] for one in given]


def draws(key: Any, shape: tuple[int, ...]) -> Array:
    """Numbers in [0, 1) from a generator, a seed or the data of JAX's keys."""
    if isinstance(key, np.random.Generator):
        return key.random(shape)
    try:
        seed = np.asarray(key)
        words = [int(word) for word in np.atleast_1d(seed).ravel()]
    except TypeError:
        raise TypeError("rng_key: give jax.random.key_data(key) of a typed key") from None
    if seed.ndim == 2 and len(seed) == shape[0]:
        rows = [np.random.default_rng([int(word) for word in row]) for row in seed]
        return np.stack([generator.random(math.prod(shape[1:])) for generator in rows])
    return np.random.default_rng(words).random(shape)


def alike(tensors: list[NDArray[Any]], batch_size: int) -> list[NDArray[np.intp]]:
    """Rows of a batch by what their tensors hold."""
    if all(tensor.strides[0] == 0 or batch_size == 1 for tensor in tensors):
        return [np.arange(batch_size)]
    rows: dict[tuple[bytes, ...], list[int]] = {}
    for row in range(batch_size):
        rows.setdefault(tuple(tensor[row].tobytes() for tensor in tensors), []).append(row)
    return [np.array(same) for same in rows.values()]


def latest(belief: ArrayLike) -> Array:
    """The belief of the last step."""
    array = np.asarray(belief, dtype=np.float64)
    return array[:, -1] if array.ndim == 3 else array
