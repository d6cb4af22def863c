"""What a run will take, before it runs."""

from __future__ import annotations

import dataclasses
from typing import Literal

from populace import _native
from populace._sizes import to_bytes, whole
from populace.model import Model, native_of


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a population will take in the model's own world."""

    agents: int
    #: Engine bytes at their peak in the worst case: what admission asks of the budget.
    worst_bytes: int
    #: Engine bytes at their expected peak by class, from the run of a sample.
    expected: dict[str, int]
    #: Bytes of one agent at the expected peak, everything that grows with their number.
    bytes_per_agent: float
    budget_bytes: int
    #: Whether the worst case fits the budget.
    fits: bool
    #: The most agents of which the worst case fits the budget.
    most_agents: int
    #: The time of a tick of all agents, as the sample took it.
    tick_seconds: float


def plan(
    model: Model,
    agents: int,
    *,
    budget: int | str = "256MiB",
    steps: int = 100,
    threads: int = 0,
    chunk: int | None = None,
    belief: Literal["auto", "dense", "sparse", "f16", "log8"] = "auto",
    precision: Literal["f32", "f64"] = "f32",
) -> Plan:
    """Say what ``steps`` ticks of a population in the model's own world would take.

    A budget that is too small is no error here: the plan says so.

    >>> plan(Model.grid(), 10_000_000, budget="1.2GiB").fits
    True
    >>> plan(Model.grid(), 10_000_000, budget="1.2GiB", belief="dense").fits
    False
    """
    return Plan(
        **_native.plan(
            native_of(model),
            whole("agents", agents),
            budget_bytes=to_bytes(budget),
            steps=whole("steps", steps),
            threads=whole("threads", threads),
            chunk=None if chunk is None else whole("chunk", chunk),
            belief=belief,
            precision=precision,
        )
    )
