"""Fits the rankers of one contender: fresh ones, the source's once for all targets, and those that a strategy began."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.objective import Labels, Objective
from landbridge.contenders.pointwise.prepared import Known, Prepared
from landbridge.contenders.pointwise.steps import fit_ranker
from landbridge.feed.past import Past
from landbridge.feed.rows import Coding, Rows
from landbridge.models.initial import salt
from landbridge.models.rankers import PointRanker, RankerSizes, new_ranker
from landbridge.models.together import Together

Around = Callable[[Labels], Objective]


@dataclass(frozen=True)
class Fit:
    """A fitted ranker, the ids it knows, the past it reads; `as_scenario` is what it takes every row's scenario for."""

    ranker: PointRanker
    known: Known
    past: Past | None
    as_scenario: int | None
    heldout_auc: tuple[float, ...]


@dataclass(frozen=True)
class Material:
    """What a fit learns from: `rows`; `seen`, of which it has the past and the known ids; and rows to stop by."""

    rows: Rows
    seen: Rows
    held_out: Rows | None
    as_scenario: int | None = None

    @classmethod
    def alone(cls, view: PointView) -> Material:
        """The rows of the view's scope, and nothing else."""
        rows = view.own(view.rows)
        return cls(rows, rows, None if view.held_out is None else view.own(view.held_out))

    @classmethod
    def of_source(cls, view: PointView) -> Material:
        """The rows of the source."""
        source = view.config.transfer.source
        rows = view.rows.of_scenario(source)
        held_out = None if view.held_out is None else view.held_out.of_scenario(source)
        return cls(rows, rows, held_out, view.rows.coding.scenario(source))

    @classmethod
    def crossed(cls, view: PointView) -> Material:
        """The target's rows, taken for the source's; what the source knows is known."""
        own, source = cls.alone(view), view.config.transfer.source
        seen = either(view.rows, source, view.scope)
        return replace(own, seen=seen, as_scenario=view.rows.coding.scenario(source))


class Fitting:
    """What strategies fit with; `name` is the contender's, and seeds what is drawn; `ranks` share each fit."""

    def __init__(self, name: str, kind: str, settings: RankerSettings, ranks: Together | None = None) -> None:
        self.name, self.kind, self.settings, self.ranks = name, kind, settings, ranks
        self._kept: dict[str, tuple[weakref.ref[Rows], int, Fit]] = {}

    def new(self, view: PointView, rows: Rows, seen: Rows | None = None) -> PointRanker:
        """Return a fresh ranker for rows, whose ids are those of `seen`."""
        # A continued network needs a table of every user that one of its scenarios knows, and so all have them alike.
        known = self.known(view, rows if seen is None else seen)
        ranker = new_ranker(self.kind, sizes_of(rows.coding, known, self.settings, _outcomes(rows)), view.seed)
        _standardise(ranker, rows)
        return ranker

    def known(self, view: PointView, rows: Rows) -> Known:
        """Return the ids that rows make known."""
        return Known.fit(rows, self.settings.user_rows, view.config.features.scenario)

    def fresh(self, view: PointView, given: Material, target_N: NDArray[np.float32] | None = None) -> Fit:
        """Return a fresh ranker's fit; `target_N` stands in the place of the labels where it is given."""
        return self.fitted(view, self.new(view, given.rows), given, target_N=target_N)

    def source(self, view: PointView) -> Fit:
        """Return the source's fit, made once for all targets of the same rows and seed."""
        return self.once("source", view, lambda: self.fresh(view, Material.of_source(view)))

    def once(self, what: str, view: PointView, make: Callable[[], Fit]) -> Fit:
        """Return a fit that all targets of the same rows and seed share."""
        kept = self._kept.get(what)
        if kept is not None and kept[0]() is view.rows and kept[1] == view.seed:
            return kept[2]
        fit = make()
        self._kept[what] = (weakref.ref(view.rows), view.seed, fit)
        return fit

    def fitted(
        self,
        view: PointView,
        ranker: PointRanker,
        given: Material,
        continued: bool = False,
        target_N: NDArray[np.float32] | None = None,
        around: Around | None = None,
    ) -> Fit:
        """Fit the ranker in place; what is `continued` moves slower, and `around` makes another objective."""
        settings, as_scenario = self.settings, given.as_scenario
        known, past = self.known(view, given.seen), None
        if settings.history:
            past = Past.fit(given.seen, settings.history, settings.across, settings.neighbours, settings.shrink)
        train = Prepared.of(given.rows, known, past, as_scenario)
        held_out = given.held_out
        judged = None if held_out is None or not len(held_out) else Prepared.of(held_out, known, past, as_scenario)
        drawn = int(salt(view.seed, self.name, "continued" if continued else "fresh") >> np.uint64(33))
        found = fit_ranker(ranker, train, judged, settings, drawn, continued, self.ranks, target_N, around)
        return Fit(ranker, known, past, as_scenario, tuple(found))


def either(rows: Rows, one: str, other: str) -> Rows:
    """Return the rows of two scenarios."""
    coding = rows.coding
    return rows.take((rows.scenario_N == coding.scenario(one)) | (rows.scenario_N == coding.scenario(other)))


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
