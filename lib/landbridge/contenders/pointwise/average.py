"""The mean of other contenders' log odds: what is linear and what is not err in different rows.

With equal weights nothing is fitted that could be fitted too closely; how the mean compares with its members is for
the rule of publishing to find out (logarithmic pooling, Genest and Zidek 1986).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from landbridge.config.schema import Config
from landbridge.contenders.pointwise import logistic, network, pooled, trees
from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.contenders.pointwise.folder import load_point, save_point
from landbridge.errors import ConfigError
from landbridge.feed.rows import Rows

_SMALL = 1e-6


@dataclass(frozen=True)
class AverageFitted(PointFitted):
    """The fitted members, in the order of the configuration."""

    kind: ClassVar[str] = "average"

    members: Sequence[PointFitted]

    def probability(self, rows: Rows) -> NDArray[np.float32]:
        """Return the probability of every row, shape N."""
        odds_N = np.zeros(len(rows))
        for member in self.members:
            odds_N += logit(np.clip(member.probability(rows).astype(np.float64), _SMALL, 1 - _SMALL))
        mean: NDArray[np.float32] = expit(odds_N / len(self.members)).astype(np.float32)
        return mean

    def save(self, folder: Path) -> None:
        """Write a folder a member, by its number."""
        for number, member in enumerate(self.members):
            save_point(member, folder / str(number), {})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        places = [place for place in folder.iterdir() if place.name.isdigit()]
        return cls([load_point(place) for place in sorted(places, key=lambda place: int(place.name))])


@dataclass(frozen=True)
class Average(PointContender):
    """Fits every member; it crosses, is fitted once for all, and is seeded as they are."""

    name: str
    members: tuple[PointContender, ...]

    @property
    def crosses(self) -> bool:  # type: ignore[override]
        """The members either all cross or none does."""
        return self.members[0].crosses

    @property
    def pooled(self) -> bool:  # type: ignore[override]
        """On all rows one fit serves all scenarios."""
        return self.members[0].pooled

    @property
    def seeded(self) -> bool:  # type: ignore[override]
        """One seeded member is enough."""
        return any(member.seeded for member in self.members)

    @property
    def holds_out(self) -> bool:  # type: ignore[override]
        """One member that holds out is enough."""
        return any(member.holds_out for member in self.members)

    @property
    def sections(self) -> tuple[str, ...]:  # type: ignore[override]
        """What the members depend on, and which they are."""
        own = {section for member in self.members for section in member.sections}
        return ("pointwise.contenders.averages", *sorted(own))

    def left_out(self, view: PointView) -> str | None:
        """Return why not: the first reason of a member."""
        return next(filter(None, (member.left_out(view) for member in self.members)), None)

    def fit(self, view: PointView) -> AverageFitted:
        """Fit all members."""
        return AverageFitted([member.fit(view) for member in self.members])


def contenders(config: Config) -> list[PointContender]:
    """Return the contenders of this module: one for each of ``pointwise.contenders.averages``.

    Raises
    ------
    ConfigError
        A member is none, a name is taken, or members that cross stand beside some that do not.
    """
    assert config.pointwise is not None
    known = {one.name: one for module in (logistic, trees, network, pooled) for one in module.contenders(config)}
    averages = config.pointwise.contenders.averages
    return [_average(name, members, known) for name, members in averages.items()]


def _average(name: str, members: Sequence[str], known: dict[str, PointContender]) -> Average:
    where = f"pointwise.contenders.averages.{name}"
    missing = sorted(set(members) - set(known))
    if missing:
        raise ConfigError(
            f"{where}: there is no contender {', '.join(missing)}; these can be averaged: {', '.join(known)}"
        )
    if name in known:
        raise ConfigError(f"{where}: a contender has this name already; give the mean another one")
    if len(set(members)) < 2 or len(set(members)) < len(members):
        raise ConfigError(f"{where}: a mean is of two or more different contenders")
    found = tuple(known[member] for member in members)
    if len({(one.crosses, one.pooled) for one in found}) > 1:
        crossing = ", ".join(one.name for one in found if one.crosses)
        raise ConfigError(
            f"{where}: {crossing} learned from all scenarios, the others did not; average those of one kind"
        )
    return Average(name, found)
