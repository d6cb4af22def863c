"""Byte sizes as people write them."""

from __future__ import annotations

import operator
import re
from typing import Any

_UNITS = {
    "": 1,
    "B": 1,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}


def to_bytes(size: int | str, name: str = "budget") -> int:
    """Bytes of a size: an int, or a number with a unit.

    >>> to_bytes("512MiB"), to_bytes("1.5 GiB"), to_bytes(1000)
    (536870912, 1610612736, 1000)
    >>> to_bytes("much")
    Traceback (most recent call last):
    ...
    ValueError: budget: 'much' is no size, as 4096, 256MiB or 1.5 GiB
    """
    if isinstance(size, str):
        found = re.fullmatch(r"\s*(\d+(?:_\d+)*(?:\.\d+)?)\s*([A-Za-z]*)\s*", size)
        if found is None or found[2] not in _UNITS:
            raise ValueError(f"{name}: {size!r} is no size, as 4096, 256MiB or 1.5 GiB")
        size = int(float(found[1]) * _UNITS[found[2]])
    if not 0 <= size < 2**64:
        raise ValueError(f"{name}: {size} bytes are not between 0 and 2^64")
    return size


def whole(name: str, value: Any, least: int = 0, most: int = 2**64 - 1) -> int:
    """A whole number in a range.

    >>> whole("agents", -1)
    Traceback (most recent call last):
    ...
    ValueError: agents: is -1, not between 0 and 18446744073709551615
    """
    number = operator.index(value)
    if not least <= number <= most:
        raise ValueError(f"{name}: is {number}, not between {least} and {most}")
    return number
