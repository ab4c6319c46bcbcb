"""Rankers as contenders of pointwise tasks: all scenarios at once, one alone, or from the source to a target."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.config.rankers import Crossing, RankerSettings
from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.contenders.pointwise.crossing import strategy_of
from landbridge.contenders.pointwise.fitting import Fit, Fitting, Material
from landbridge.contenders.pointwise.prepared import Known, Prepared
from landbridge.contenders.pointwise.steps import probabilities
from landbridge.feed.past import Past
from landbridge.feed.rows import Rows
from landbridge.models.rankers import PointRanker, read_ranker, save_ranker
from landbridge.models.rankers.int8 import rounded


@dataclass(frozen=True)
class PointNetworkFitted(PointFitted):
    """A ranker, the ids it knows, the past it reads; `as_scenario` is what it takes every row's scenario for."""

    kind: ClassVar[str] = "point_network"

    ranker: PointRanker
    known: Known
    past: Past | None
    as_scenario: int | None
    heldout_auc: tuple[float, ...] = ()
    """After each epoch."""
    int8: bool = False
    stands_for: tuple[str, PointFitted] | None = field(default=None, repr=False)

    def probability(self, rows: Rows) -> NDArray[np.float32]:
        """Return the probability of every row, shape N."""
        return probabilities(self.ranker, Prepared.of(rows, self.known, self.past, self.as_scenario))

    def save(self, folder: Path) -> None:
        """Write the ranker (safetensors, JSON), known.npz, network.json, and past.npz where there is a history."""
        save_ranker(self.ranker, folder, self.int8)
        self.known.save(folder / "known.npz")
        facts: dict[str, Any] = {"as_scenario": self.as_scenario, "heldout_auc": list(self.heldout_auc)}
        facts |= {"int8": True} if self.int8 else {}
        (folder / "network.json").write_text(json.dumps(facts), encoding="utf-8")
        if self.past is not None:
            self.past.save(folder / "past.npz")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / "network.json").read_text(encoding="utf-8"))
        known = Known.load(folder / "known.npz")
        past = Past.load(folder / "past.npz") if (folder / "past.npz").exists() else None
        auc, int8 = tuple(facts["heldout_auc"]), facts.get("int8", False)
        return cls(read_ranker(folder), known, past, facts["as_scenario"], auc, int8)


class PointNetwork(PointContender):
    """One ranker with one strategy; see `crossing`."""

    seeded = True
    sections = ("pointwise.contenders.networks", "transfer", "features.scenario")

    def __init__(self, kind: str, strategy: Crossing, settings: RankerSettings) -> None:
        self.ranker_kind, self.settings = kind, settings
        self.strategy = strategy_of("target_only" if kind == "single" and strategy == "joint" else strategy)
        usual = "target_only" if kind == "single" else "joint"
        ends = [] if self.strategy.name == usual else [self.strategy.name]
        self.name = "_".join([kind, *([settings.suffix] if settings.suffix else []), *ends])
        self.crosses, self.pooled = self.strategy.crosses, self.strategy.pooled
        self._fitting = Fitting(self.name, kind, settings)

    def left_out(self, view: PointView) -> str | None:
        """Return why not: no rows, nobody with a history that is asked for, or what the strategy says."""
        if self.settings.history and not _repeats(view.rows):
            return (
                f"pointwise.contenders.networks: {self.name} reads a history of {self.settings.history} events, but "
                f"none of the {len(view.rows)} training rows is of a user who has another one; leave history and "
                "encoder out"
            )
        if not len(view.own(view.rows)):
            return f"{view.scope}: there are no training rows"
        return self.strategy.left_out(view, self.settings)

    def fit(self, view: PointView) -> PointNetworkFitted:
        """Fit by the strategy; then round the weights where 8 bits are asked for."""
        return self._rounded(self.strategy.fit(self._fitting, view))

    def fit_taught(self, view: PointView, target_N: NDArray[np.float32]) -> PointNetworkFitted:
        """Fit on all rows with `target_N` in the place of their labels."""
        return self._rounded(self._fitting.fresh(view, Material(view.rows, view.rows, view.held_out), target_N))

    def _rounded(self, fit: Fit) -> PointNetworkFitted:
        fitted = PointNetworkFitted(fit.ranker, fit.known, fit.past, fit.as_scenario, fit.heldout_auc)
        if not self.settings.int8:
            return fitted
        less = copy.deepcopy(fit.ranker)
        less.load_state_dict(rounded(less.state_dict()))
        return replace(fitted, ranker=less.eval(), int8=True, stands_for=(f"{self.name} in 32 bits", fitted))


def contenders(config: Config) -> list[PointContender]:
    """Return the contenders of this module; those of the same name are there once."""
    assert config.pointwise is not None
    every: dict[str, PointContender] = {}
    for group in config.pointwise.contenders.networks:
        # Those that have a teacher are in `distilled`, which knows all teachers.
        for kind in group.kinds if group.distill is None else ():
            for strategy in group.strategies:
                one = PointNetwork(kind, strategy, group)
                every.setdefault(one.name, one)
    return list(every.values())


def _repeats(rows: Rows) -> bool:
    """Whether a user has more than one row, so that one can be the past of another."""
    return bool((np.bincount(rows.user_N)[1:] > 1).any())
