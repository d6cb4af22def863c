"""Pooled memory: matrices by shape, operations into them, and pools of counted buffers.

>>> import numpy as np
>>> from populace import pool
>>> with pool.pooled_matrix((100, 100), np.float32) as m:
...     m[...] = 1.0
>>> m.shape
(100, 100)

A matrix goes back to its pool when the last array over it dies: ``m``, its views, whatever holds
them. That is at the end of the ``with`` if nothing else holds it; an array that outlives its
``with`` keeps its memory, and nobody else is given it. What a matrix holds at first is what its
last user left there; ``zeroed=True`` clears it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from populace import _native
from populace._native import (
    Buffer,
    allocate_many,
    pooled_dot,
    pooled_einsum,
    pooled_matmul,
    pooled_matrix,
)
from populace._sizes import to_bytes

__all__ = [
    "Buffer",
    "Pool",
    "allocate_many",
    "autorelease",
    "clear",
    "get_statistics",
    "open_shared",
    "pooled_dot",
    "pooled_einsum",
    "pooled_matmul",
    "pooled_matrix",
]

_Held = TypeVar("_Held", bound=Buffer)


def get_statistics() -> dict[str, Any]:
    """The numbers of the matrix pools.

    Returns:
        ``global``: total_pools, total_matrices, total_memory_bytes, and how often each of the
        ``operations`` was called. ``pools``, by (shape, dtype): hits, misses, hit_rate, in_use,
        available, bytes,
        and the most that were in use at once: peak_in_use, peak_bytes_in_use.
    """
    return _native.matrix_statistics()


def clear() -> int:
    """Give idle matrices back to the system; answers how many bytes that were."""
    return _native.trim_matrices()


class Pool:
    """A pool of buffers of bytes.

    Args:
        max_bytes: the most it takes from the system, in use and idle; None is no limit.
        max_buffers: idle buffers kept, by size class.
        ttl: seconds after which an idle buffer is given back.
        cleanup_interval: how often that is looked at, in seconds of use.
        size_classes: ``"geometric"`` (4 a power of two, 8 above 64 KiB), ``"powers_of_four"`` (256 B to 64 MiB), or
            the sizes.
        clear: zeros instead of what the last user left.
        shared: the size of a memory file that buffers lie in, for other processes to map by their
            ``place``; None is this process's own heap.

    >>> pool = Pool(max_bytes="1MiB", ttl=60)
    >>> for turn in range(10):
    ...     with pool.get_buffer(1000) as buffer:
    ...         buffer.array[:] = turn
    >>> pool.get_statistics()["hits"], pool.get_statistics()["misses"]
    (9, 1)
    >>> pool.get_buffer(2**20 + 1)
    Traceback (most recent call last):
    ...
    populace.BudgetError: 1.2 MiB requested, but 0 B of the limit of 1.0 MiB is taken and 1.0 MiB remains
    """

    def __init__(
        self,
        *,
        max_bytes: int | str | None = None,
        max_buffers: int = 128,
        ttl: float = 60.0,
        cleanup_interval: float = 30.0,
        size_classes: Literal["geometric", "powers_of_four"] | Sequence[int] = "geometric",
        clear: bool = False,
        shared: int | str | None = None,
    ) -> None:
        self._native = _native.Pool(
            max_bytes=None if max_bytes is None else to_bytes(max_bytes, "max_bytes"),
            max_buffers=max_buffers,
            ttl=ttl,
            cleanup_interval=cleanup_interval,
            size_classes=size_classes,
            clear=clear,
            shared_bytes=None if shared is None else to_bytes(shared, "shared"),
        )

    def get_buffer(self, size: int) -> Buffer:
        """A buffer of ``size`` bytes, held once."""
        return self._native.get_buffer(size)

    def create_buffer(self, data: bytes) -> Buffer:
        """A buffer that holds a copy of ``data``, held once."""
        return self._native.create_buffer(bytes(data))

    def get_statistics(self) -> dict[str, Any]:
        """Hits, misses, hit_rate, in_use, available, bytes (now, at the peak, in all), evictions by
        cause, and the same by size class."""
        return self._native.get_statistics()

    def trim(self, bytes: int = 0) -> int:
        """Give idle memory back until at most ``bytes`` are idle; answers how many that were."""
        return self._native.trim(bytes)

    def clear(self) -> int:
        """Give all idle memory back; answers how many bytes that were."""
        return self._native.trim(0)


def open_shared(place: tuple[str | os.PathLike[str], int, int]) -> NDArray[np.uint8]:
    """The bytes of another process's buffer, by its ``place``: read-only, (size,), without a copy.

    The owner may write at any time; the two agree when to look. The memory lasts as long as any
    process holds it.

    >>> buffer = Pool(shared="1MiB").create_buffer(b"seen")
    >>> bytes(open_shared(buffer.place))
    b'seen'
    """
    path, offset, size = place
    with open(path, "rb") as file:
        # A file is mapped from a page on.
        start = offset - offset % mmap.ALLOCATIONGRANULARITY
        view = mmap.mmap(
            file.fileno(), offset - start + size, prot=mmap.PROT_READ, offset=start
        )
    return np.frombuffer(view, dtype=np.uint8, count=size, offset=offset - start)


class autorelease:
    """A scope that holds buffers and lets go of them at its end, however it ends. Scopes nest.

    >>> pool = Pool()
    >>> with autorelease() as scope:
    ...     buffer = scope.add(pool.get_buffer(100))
    ...     kept = scope.add(pool.get_buffer(100))
    ...     _ = kept.increment()
    >>> buffer.count, kept.count
    (0, 1)
    """

    def __init__(self) -> None:
        self._held: list[Buffer] = []

    def add(self, buffer: _Held) -> _Held:
        """Hand a hold on a buffer to the scope; answers the buffer."""
        self._held.append(buffer)
        return buffer

    def __enter__(self) -> autorelease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._held:
            self._held.pop().decrement()
