"""Associations: what goes with what the user has, of any kind and from any scenario ("because you bought X there").

It learns across scenarios or not at all, and what it knows of taking comes from the view's own log, not from tonight's
table, so that a fit that is judged does not know what it is judged on. The table `associations` holds the same kinds,
weighed by the same lines of `kinds`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.associations import Associations as Settings
from landbridge.config.associations import KindWeights
from landbridge.contenders.base import Contender, Fitted, View
from landbridge.contenders.cells import read_cells, write_cells
from landbridge.contenders.kinds import homes, kind_of
from landbridge.contenders.weights import WeightsFitted, past_of
from landbridge.feed.states import Catalogue, States


@dataclass(frozen=True)
class Associations(Contender):
    """Finds the associations of the configured kinds, each with its weight."""

    settings: Settings
    given: KindWeights
    name = "associations"
    crosses = True
    pooled = True

    def left_out(self, view: View) -> str | None:
        """Say that texts are to be compared and there are none, or too many: without a kind it would be another one."""
        if self.settings.text is None:
            return None
        if view.vectors is None:
            return f"{self.name} is left out: no text is encoded"
        return too_many(len(view.vectors.items), self.settings.text.max_items)

    def fit(self, view: View) -> AssociationsFitted:
        """Associate the items of the view, kind by kind."""
        home_V = homes(view.interactions)
        kinds = {kind: kind_of(kind, view, home_V, self.settings) for kind in self.settings.kinds}
        weights = {kind: self.given.weights.get(kind, 1.0) for kind in kinds}
        return AssociationsFitted(kinds, weights, self.given.decay)


def too_many(items: int, most: int) -> str | None:
    """Return a sentence if texts of more items are to be compared than is allowed, else None."""
    if items <= most:
        return None
    return (
        f"associations of the kind text are left out: at least {items:,} items have a vector, and "
        f"associations.text.max_items is {most:,}; raise it if so many vectors fit into the memory of every worker"
    )


@dataclass(frozen=True)
class AssociationsFitted(Fitted):
    """Scores are what the user has, times the weighted sum of the kinds.

    Attributes
    ----------
    kinds
        csr float32 [V, V] by kind, an item's id its place; row: what the user has, column: the candidate.
    weights
        What each kind counts.
    decay
        What an event of the history keeps with every later one; 1 takes all that the user has alike.
    """

    kind: ClassVar[str] = "associations"

    kinds: Mapping[str, sp.csr_matrix]
    weights: Mapping[str, float]
    decay: float

    @cached_property
    def summed(self) -> WeightsFitted:
        """The weighted sum of the kinds."""
        each = [np.float32(self.weights[kind]) * found for kind, found in self.kinds.items()]
        near = sp.csr_matrix(reduce(add, each))
        return WeightsFitted.of(np.arange(near.shape[0], dtype=np.int32), near)

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC; an item that goes with nothing scores zero."""
        past_BM = past_of(states, self.summed.items, self.decay, alone=False)
        return self.summed.score_past(past_BM, catalogue)

    def save(self, folder: Path) -> None:
        """Write the three arrays of every kind, and associations.json."""
        for kind, found in self.kinds.items():
            write_cells(folder, kind, found)
        kept = {"size": len(self.summed.items), "weights": dict(self.weights), "decay": self.decay}
        (folder / "associations.json").write_text(json.dumps(kept) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / "associations.json").read_text(encoding="utf-8"))
        kinds = {kind: read_cells(folder, kind, (kept["size"], kept["size"])) for kind in kept["weights"]}
        return cls(kinds, kept["weights"], float(kept["decay"]))
