"""Zero-shot: a scenario without a log is answered for by its neighbours, each weighted by how near it is.

Each scenario that has a log is once taken for a newcomer to the others: what the others' answers and its items' tags
say of its rows are features, and a second level learns what they mean there (one fit a scenario). The newcomer's rows
are asked of all these second levels; the mean of their log odds is weighted by the nearness of the scenarios'
catalogues (a product of experts with given weights: logarithmic pooling, Genest and Zidek 1986). No answer of the
newcomer is read, for the weights neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from landbridge.config.neighbours import Memory
from landbridge.contenders.boosted import missing
from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.contenders.pointwise.biases import Biases
from landbridge.contenders.pointwise.content import few_of, groups_of
from landbridge.contenders.pointwise.first import First
from landbridge.contenders.pointwise.parts import Features, Part
from landbridge.contenders.pointwise.second import Boosted, Second, load_second
from landbridge.contenders.pointwise.told import Told
from landbridge.feed.nearness import Nearness
from landbridge.feed.rows import Rows

_SMALL = 1e-6


@dataclass(frozen=True)
class ZeroShotFitted(PointFitted):
    """What everybody's answers say, and a second level of every neighbour by its name, with its weight.

    Attributes
    ----------
    names
        The features that the second levels read, in their order.
    """

    kind: ClassVar[str] = "zero_shot"

    first: First
    names: tuple[str, ...]
    seconds: Mapping[str, Second]
    weights: Mapping[str, float]

    def probability(self, rows: Rows) -> NDArray[np.float32]:
        """Return the probability of every row, shape N."""
        table_NF = _matrix(self.first.features(rows), self.names, len(rows))
        odds_N = np.zeros(len(rows))
        for name, second in self.seconds.items():
            chance_N = second.probability(table_NF).astype(np.float64)
            odds_N += self.weights[name] * logit(np.clip(chance_N, _SMALL, 1 - _SMALL))
        mixed: NDArray[np.float32] = expit(odds_N).astype(np.float32)
        return mixed

    def save(self, folder: Path) -> None:
        """Write zero_shot.json, the first level's ``.npz``, and a folder for every neighbour, by its number."""
        facts = {"names": self.names, "weights": dict(self.weights), "neighbours": list(self.seconds)}
        (folder / "zero_shot.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
        self.first.save(folder / "first.npz")
        for number, second in enumerate(self.seconds.values()):
            place = folder / str(number)
            place.mkdir()
            second.save(place)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / "zero_shot.json").read_text(encoding="utf-8"))
        seconds = {name: load_second(folder / str(number)) for number, name in enumerate(facts["neighbours"])}
        return cls(First.load(folder / "first.npz"), tuple(facts["names"]), seconds, facts["weights"])


@dataclass(frozen=True)
class ZeroShot(PointContender):
    """Serves the scenario `newcomer`, of whose items only the catalogue is known.

    Attributes
    ----------
    catalogue
        A row an item and scenario, the newcomer's among them; only scenario, numbers and tags are read.
    sharpness
        How much faster the weights fall with the distance.
    """

    newcomer: str
    catalogue: Rows
    memory: Memory
    sharpness: float
    name = "zero_shot"
    crosses = True
    pooled = True
    seeded = True
    sections = ("pointwise.contenders.memory",)

    def left_out(self, view: PointView) -> str | None:
        """Return why not: it has rows, no neighbour has any, answers that are all alike, or no LightGBM."""
        if self.newcomer in view.rows.scenarios:
            return f"{self.newcomer} has rows of its own, so it is no newcomer"
        if len(view.rows.scenarios) < 2:
            return f"{self.newcomer}: it takes two scenarios with rows, one to be told of by the other"
        if len(np.unique(view.rows.label_N)) < 2:
            return f"{view.scope}: all {len(view.rows)} training rows answer alike"
        return missing()

    def fit(self, view: PointView) -> ZeroShotFitted:
        """Take each scenario for a newcomer to the others; weigh them by their catalogues."""
        names: tuple[str, ...] = ()
        seconds: dict[str, Second] = {}
        for name in view.rows.scenarios:
            names, seconds[name] = self._second(view, name)
        return ZeroShotFitted(self._first(view.rows), names, seconds, self.weights(view.rows))

    def weights(self, rows: Rows) -> dict[str, float]:
        """Return the weight of every scenario that has rows, by how near its catalogue is; no answer is read."""
        coding = rows.coding
        few_F = few_of(groups_of(coding.values["tag"]))
        others = np.array([coding.scenario(name) for name in rows.scenarios], np.intp)
        near = Nearness.fit(self.catalogue, few_F)
        weight_O = near.weights(coding.scenario(self.newcomer), others, self.sharpness)
        return dict(zip(rows.scenarios, weight_O.tolist(), strict=True))

    def _second(self, view: PointView, name: str) -> tuple[tuple[str, ...], Second]:
        """Fit what the others' answers mean for the rows of a scenario that is taken for a newcomer."""
        own = view.rows.of_scenario(name)
        first = self._first(view.rows.take(view.rows.scenario_N != view.rows.coding.scenario(name)))
        found = first.features(_as_new(own, first))
        names = tuple(sorted(found))
        held_out = None
        if view.held_out is not None and len(held := view.held_out.of_scenario(name)):
            held_out = _matrix(first.features(_as_new(held, first)), names, len(held)), held.label_N
        table_NF = _matrix(found, names, len(own))
        return names, Boosted.fit(self.memory.trees, table_NF, own.label_N, held_out, view.seed)

    def _first(self, rows: Rows) -> First:
        given = self.memory.content
        parts: tuple[Part, ...] = (Biases(), Told(given.keep, given.least, given.power, given.damp))
        return First.fit(rows, parts, self.memory.levels)


def _as_new(rows: Rows, first: First) -> Rows:
    """Take the items that have no answers in the first level for unknown ones."""
    return replace(rows, item_N=np.where(first.past.levels.count_I[rows.item_N] > 0, rows.item_N, 0).astype(np.int32))


def _matrix(found: Features, names: tuple[str, ...], count: int) -> NDArray[np.float32]:
    return np.stack([found[name] for name in names], axis=1) if names else np.zeros((count, 0), np.float32)
