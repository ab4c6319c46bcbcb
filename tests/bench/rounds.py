"""Times contenders in turns: ours, a peer, the floor, ours again; so what the machine does meanwhile meets them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Role = Literal["ours", "peer", "floor"]


@dataclass(frozen=True)
class Contender:
    """Something that does the work; `run` does `units` of it. Without `run` it is not installed here."""

    name: str
    role: Role
    units: int
    run: Callable[[], object] | None


@dataclass(frozen=True)
class Work:
    """One work, what its units are, and who does it; `note` says what exactly is done."""

    name: str
    unit: str
    note: str
    contenders: Sequence[Contender]


@dataclass(frozen=True)
class Measured:
    """Units a second of a contender: the median of the rounds, the lowest and the highest; None if not installed.

    `of_floor` and `of_peer` are shares of the floor's median and of the best peer's.
    """

    work: str
    unit: str
    contender: Contender
    rates: tuple[float, ...]
    of_floor: float | None = None
    of_peer: float | None = None

    @property
    def rate(self) -> float | None:
        """The median."""
        return median(self.rates) if self.rates else None


def measure(work: Work, rounds: int, clock: Callable[[], float] = time.perf_counter) -> list[Measured]:
    """Run every contender once to warm up and then `rounds` times, in turns; `clock` tells seconds."""
    there = [(place, one.run) for place, one in enumerate(work.contenders) if one.run is not None]
    seconds: list[list[float]] = [[] for _ in work.contenders]
    for _ in range(rounds + 1):
        for place, run in there:
            started = clock()
            run()
            seconds[place].append(clock() - started)
    rates = [tuple(one.units / took for took in mine[1:]) for one, mine in zip(work.contenders, seconds, strict=True)]
    return [
        Measured(work.name, work.unit, one, mine, _share(work, rates, mine, "floor"), _share(work, rates, mine, "peer"))
        for one, mine in zip(work.contenders, rates, strict=True)
    ]


def _share(work: Work, rates: list[tuple[float, ...]], mine: tuple[float, ...], role: Role) -> float | None:
    """Return the median over the best median of a role."""
    others = [median(theirs) for one, theirs in zip(work.contenders, rates, strict=True) if one.role == role and theirs]
    return median(mine) / max(others) if mine and others else None
