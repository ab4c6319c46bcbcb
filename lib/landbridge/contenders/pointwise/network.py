"""Rankers as contenders of pointwise tasks: all scenarios at once, one alone, or from the source to a target."""

from __future__ import annotations

import json
import weakref
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from landbridge.config.rankers import Crossing, RankerSettings
from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.contenders.pointwise.prepared import Known, Prepared
from landbridge.contenders.pointwise.steps import fit_ranker, probabilities
from landbridge.feed.past import Past
from landbridge.feed.rows import Coding, Rows
from landbridge.models.initial import salt
from landbridge.models.rankers import PointRanker, RankerSizes, new_ranker, read_ranker, save_ranker
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
    """One ranker with one strategy.

    joint: all rows of all scenarios. target_only: the scope's rows. zero_shot: the source's rows, asked about any
    scenario as if it were the source. fine_tune: zero_shot continued on the target's rows (Howard and Ruder 2018,
    section 3.2: tables slower than what reads them).
    """

    seeded = True
    sections = ("pointwise.contenders.networks", "transfer", "features.scenario")

    def __init__(self, kind: str, strategy: Crossing, settings: RankerSettings) -> None:
        self.ranker_kind, self.settings = kind, settings
        self.strategy: Crossing = "target_only" if kind == "single" and strategy == "joint" else strategy
        usual = "target_only" if kind == "single" else "joint"
        ends = [] if self.strategy == usual else [self.strategy]
        self.name = "_".join([kind, *([settings.suffix] if settings.suffix else []), *ends])
        self.crosses = self.strategy != "target_only"
        self.pooled = self.strategy in ("joint", "zero_shot")
        self._source: tuple[weakref.ref[Rows], int, PointNetworkFitted] | None = None

    def left_out(self, view: PointView) -> str | None:
        """Return why not: no rows, nobody with a history that is asked for, or the source as its own target."""
        source = view.config.transfer.source
        if self.settings.history and not _repeats(view.rows):
            return (
                f"pointwise.contenders.networks: {self.name} reads a history of {self.settings.history} events, but "
                f"none of the {len(view.rows)} training rows is of a user who has another one; leave history and "
                "encoder out"
            )
        if not len(view.own(view.rows)):
            return f"{view.scope}: there are no training rows"
        if self.strategy in ("zero_shot", "fine_tune") and not len(view.rows.of_scenario(source)):
            return f"the source {source} has no training rows"
        if self.strategy == "fine_tune" and view.scope == source:
            return f"{source} is the source, there is nothing to continue"
        return None

    def fit(self, view: PointView) -> PointNetworkFitted:
        """Fit, or continue the source's fit; then round the weights where 8 bits are asked for."""
        return self._rounded(self._float(view))

    def fit_taught(self, view: PointView, target_N: NDArray[np.float32]) -> PointNetworkFitted:
        """Fit on all rows with `target_N` in the place of their labels."""
        return self._rounded(self._fresh(view, view.rows, view.held_out, None, target_N))

    def _rounded(self, fitted: PointNetworkFitted) -> PointNetworkFitted:
        if not self.settings.int8:
            return fitted
        less = new_ranker(self.ranker_kind, fitted.ranker.sizes, 0)
        less.load_state_dict(rounded(fitted.ranker.state_dict()))
        return replace(fitted, ranker=less.eval(), int8=True, stands_for=(f"{self.name} in 32 bits", fitted))

    def _float(self, view: PointView) -> PointNetworkFitted:
        source = view.config.transfer.source
        if self.strategy in ("joint", "target_only"):
            held_out = None if view.held_out is None else view.own(view.held_out)
            return self._fresh(view, view.own(view.rows), held_out, None)
        if self.strategy == "zero_shot":
            return self._of_source(view)
        begun, rows = self._of_source(view), view.own(view.rows)
        both = _either(view.rows, source, view.scope)
        ranker = new_ranker(self.ranker_kind, begun.ranker.sizes, view.seed)
        ranker.load_state_dict(begun.ranker.state_dict())
        held_out = None if view.held_out is None else view.own(view.held_out)
        return self._fitted(view, ranker, rows, both, held_out, begun.as_scenario, continued=True)

    def _of_source(self, view: PointView) -> PointNetworkFitted:
        """The source's fit, made once for all targets of the same rows and seed."""
        kept = self._source
        if kept is not None and kept[0]() is view.rows and kept[1] == view.seed:
            return kept[2]
        source = view.config.transfer.source
        held_out = None if view.held_out is None else view.held_out.of_scenario(source)
        fitted = self._fresh(view, view.rows.of_scenario(source), held_out, view.rows.coding.scenario(source))
        self._source = (weakref.ref(view.rows), view.seed, fitted)
        return fitted

    def _fresh(
        self,
        view: PointView,
        rows: Rows,
        held_out: Rows | None,
        as_scenario: int | None,
        target_N: NDArray[np.float32] | None = None,
    ) -> PointNetworkFitted:
        # A continued network needs a table of every user that one of its scenarios knows, and so all have them alike.
        known = Known.fit(rows, self.settings.user_rows, view.config.features.scenario)
        ranker = new_ranker(self.ranker_kind, sizes_of(rows.coding, known, self.settings, _outcomes(rows)), view.seed)
        _standardise(ranker, rows)
        return self._fitted(view, ranker, rows, rows, held_out, as_scenario, continued=False, target_N=target_N)

    def _fitted(
        self,
        view: PointView,
        ranker: PointRanker,
        rows: Rows,
        seen: Rows,
        held_out: Rows | None,
        as_scenario: int | None,
        continued: bool,
        target_N: NDArray[np.float32] | None = None,
    ) -> PointNetworkFitted:
        """Fit the ranker on `rows`, with the past and the known ids of `seen`."""
        given = self.settings
        known = Known.fit(seen, given.user_rows, view.config.features.scenario)
        past = Past.fit(seen, given.history, given.across, given.neighbours, given.shrink) if given.history else None
        train = Prepared.of(rows, known, past, as_scenario)
        judged = None if held_out is None or not len(held_out) else Prepared.of(held_out, known, past, as_scenario)
        drawn = int(salt(view.seed, self.name, "continued" if continued else "fresh") >> np.uint64(33))
        found = fit_ranker(ranker, train, judged, given, drawn, continued, target_N=target_N)
        return PointNetworkFitted(ranker, known, past, as_scenario, tuple(found))


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


def sizes_of(coding: Coding, known: Known, given: RankerSettings, outcomes: int) -> RankerSizes:
    """Return what a network on rows of this coding is shaped by; `outcomes` are those of an answer in a history."""
    past = {"outcomes": outcomes, "pairs": outcomes + 1, "tastes": 2 * (outcomes + 1)} if given.history else {}
    return RankerSizes(
        users=coding.size("user") if known.user_U.any() else 1,
        items=coding.size("item") if known.item_I.any() else 1,
        scenarios=coding.size("scenario"),
        tags=coding.size("tag"),
        categories=tuple(coding.size(name) for name in coding.categories),
        numbers=len(coding.numbers),
        dim=given.dim,
        hidden=tuple(given.hidden),
        tower=tuple(given.tower),
        experts=given.experts,
        dropout=given.dropout,
        tasks=len(given.tasks),
        heads=given.heads,
        encoder=given.encoder or "",
        layers=given.layers,
        recent=given.recent,
        features=known.scenarios.width,
        **past,
    )


def _repeats(rows: Rows) -> bool:
    """Whether a user has more than one row, so that one can be the past of another."""
    return bool((np.bincount(rows.user_N)[1:] > 1).any())


def _outcomes(rows: Rows) -> int:
    return 1 if np.isnan(rows.value_N).all() else 2


def _standardise(ranker: PointRanker, rows: Rows) -> None:
    numbers = ranker.inputs.numbers
    if numbers is None:
        return
    known_NF = ~np.isnan(rows.number_NF)
    count_F = np.maximum(known_NF.sum(axis=0), 1)
    mean_F = np.where(known_NF, rows.number_NF, 0.0).sum(axis=0, dtype=np.float64) / count_F
    square_F = (np.where(known_NF, rows.number_NF - mean_F, 0.0) ** 2).sum(axis=0) / count_F
    numbers.standardise(
        torch.from_numpy(mean_F.astype(np.float32)), torch.from_numpy(np.sqrt(square_F).astype(np.float32))
    )


def _either(rows: Rows, one: str, other: str) -> Rows:
    coding = rows.coding
    return rows.take((rows.scenario_N == coding.scenario(one)) | (rows.scenario_N == coding.scenario(other)))
