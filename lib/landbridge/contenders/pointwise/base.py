"""What a pointwise contender is: fitted on labelled rows, it gives any row the probability of its label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.config.schema import Config
from landbridge.feed.rows import Rows
from landbridge.feed.vectors import Vectors


@dataclass(frozen=True)
class PointView:
    """What a contender may learn from.

    `rows` are the training rows of all scenarios, all labelled; `scope` is the scenario it is fitted for, or ``*``.
    A contender that does not cross looks at the rows of `scope` only. `held_out` are rows for stopping and for the
    weights of a blend: never rows it is judged on. `vectors` are those of the texts `Coding.texts` of the rows' coding;
    None where there are none.
    """

    config: Config
    scope: str
    rows: Rows
    held_out: Rows | None
    seed: int
    vectors: Vectors | None = None

    def own(self, rows: Rows) -> Rows:
        """The rows of the scope."""
        return rows if self.scope == "*" else rows.of_scenario(self.scope)


class PointFitted(ABC):
    """A fitted pointwise contender: numpy, scipy, torch or LightGBM's own text. It saves and loads without pickle.

    It holds what it needs of the training rows (a user's history among it): asked about a row that it was fitted on,
    it leaves the row's own answer out.
    """

    kind: ClassVar[str]
    """Names the class in a saved folder."""
    curve: tuple[tuple[float, int, float], ...] = ()
    """While it learned: seconds since the fit began, examples seen so far, AUC on the held-out rows. Not saved."""
    stands_for: tuple[str, PointFitted] | None = None
    """The name of what it is a smaller one of, and that itself; a study compares the two. Not saved."""

    @abstractmethod
    def probability(self, rows: Rows) -> NDArray[np.float32]:
        """Return the probability of the label of every row, shape N; labels and values of `rows` are not read."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the parameters into an existing empty folder: ``.npz`` without pickle, safetensors, text, JSON."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


class PointContender(ABC):
    """A way to fit. `crosses`: it learns from other scenarios. `pooled`: one fit (scope ``*``) serves all scenarios.

    `seeded`: another seed gives another fit, so a study repeats it. `holds_out`: it cannot do without `held_out` rows;
    where the split has no validation part, a fold of the training rows is kept back for it.
    `reads_text`: it depends on the vectors.
    `sections` are the keys of the configuration that it depends on beside the data's.
    """

    name: str
    crosses: bool
    pooled: bool = False
    seeded: bool = False
    holds_out: bool = False
    reads_text: bool = False
    sections: tuple[str, ...] = ("pointwise.contenders", "transfer", "ranker")

    def left_out(self, view: PointView) -> str | None:
        """Return a sentence that says why it is not fitted on this view, or None; whoever fits asks first."""
        return None

    @abstractmethod
    def fit(self, view: PointView) -> PointFitted:
        """Fit on the view."""
