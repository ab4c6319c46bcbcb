"""What a contender is: anything that can be published, fitted on the days up to one day, and scoring without Spark."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.config.schema import Config
from landbridge.feed.interactions import Interactions
from landbridge.feed.states import Catalogue, States
from landbridge.feed.vectors import Vectors
from landbridge.feed.words import Words

ALL = "*"
"""The scope of a contender that is fitted once for all scenarios."""


@dataclass(frozen=True)
class View:
    """What a contender may learn from: everything up to and with `until`, of all scenarios.

    `scope` is the scenario it is fitted for, or ``*``. A contender that learned from the scenario alone
    looks at the rows of `scope` only.
    """

    config: Config
    scope: str
    until: dt.date
    interactions: Interactions
    words: Words | None = None
    """The items' texts, where the configuration has a contender that reads them."""
    vectors: Vectors | None = None
    """What an encoder makes of them, where the configuration has a contender that reads that."""
    found: Callable[[str, str], Fitted | None] | None = None
    """Looks for what a contender (name, scope) has already been fitted to on exactly this view, for those made of
    others."""
    attributes: Mapping[str, Words] | None = None
    """Attributes of the items by name, where the configuration has a contender that compares them."""


@dataclass(frozen=True)
class Beside:
    """Candidates of a second stage: the `first` best of its first stage, and beside them the `count` best of others.

    `score_BC` orders those others; an item of zero or less is none of them.
    """

    first: int
    count: int
    score_BC: NDArray[np.float32]


class Fitted(ABC):
    """A fitted contender: numpy, scipy or torch only. It saves and loads without pickle."""

    kind: ClassVar[str]
    """Names the class in a saved folder."""
    two_stages: ClassVar[bool] = False
    """Whether `rescore` orders the best of `score` anew."""

    @abstractmethod
    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC of every item of the catalogue for every state; higher is better.

        One kernel each: factors (a matrix product), or weights (what the user has times an item-item matrix).
        """

    def rescore(self, states: States, catalogue: Catalogue, index_BK: NDArray[np.intp]) -> NDArray[np.float32] | None:
        """Return scores_BK of the items ``catalogue.items[index_BK]`` by a second stage, or None without one."""
        return None

    def probability(
        self, states: States, catalogue: Catalogue, index_BK: NDArray[np.intp]
    ) -> NDArray[np.float32] | None:
        """Return the probability of the label, shape BK, or None where there is none (then there is no log loss)."""
        return None

    def beside(self, states: States, catalogue: Catalogue) -> Beside | None:
        """Return what chooses candidates of the second stage beside the best of the first; None: these alone."""
        return None

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the parameters into an existing empty folder: ``.npz`` without pickle, or safetensors, and JSON."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; reads without unpickling anything."""


class Contender(ABC):
    """A way to fit. `crosses`: it learns from other scenarios. `pooled`: one fit serves all scenarios."""

    name: str
    crosses: bool
    pooled: bool = False

    def left_out(self, view: View) -> str | None:
        """Return a sentence that says why it is not fitted on this view, or None; whoever fits asks first."""
        return None

    @abstractmethod
    def fit(self, view: View) -> Fitted:
        """Fit on the view."""

    def beside(self, view: View) -> Fitted:
        """Return the contender as it stands beside others, if it has been fitted on this view already, else fit it."""
        found = view.found(self.name, view.scope) if view.found is not None else None
        return self.fit(view) if found is None else found


class AloneOrAcross(Contender):
    """A contender that learns from the scenario alone, or across all of them."""

    stem: str
    """The published name without what it learned from."""

    @property
    def name(self) -> str:  # type: ignore[override]
        """The published name."""
        return f"{self.stem}_across" if self.crosses else self.stem

    @property
    def pooled(self) -> bool:  # type: ignore[override]
        """One fit serves all scenarios where it learns across them."""
        return self.crosses
