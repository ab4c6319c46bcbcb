"""Contenders that answer from the user's other answers: biases, neighbours, factors, content, and the blend of all.

Each is one or more parts and a second level that learns what their features mean (stacking, Wolpert 1992). The second
level learns from all training rows, out of fold; see `first.out_of_fold`.

What a contender may know of other scenarios is one of three reaches:

- ``alone``: rows of its scenario only, one fit a scenario. Nothing crosses.
- ``history``: parts as alone, one second level for all. What a feature means crosses, what users did elsewhere not.
- ``across``: parts over all scenarios.

The gain of ``across`` over ``history`` is that of knowing the user's answers elsewhere, and of nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from landbridge.config.neighbours import Memory
from landbridge.config.neighbours import Text as TextGiven
from landbridge.config.schema import Config
from landbridge.contenders.boosted import missing
from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.contenders.pointwise.biases import Biases
from landbridge.contenders.pointwise.content import Content
from landbridge.contenders.pointwise.factors import Factors
from landbridge.contenders.pointwise.first import First
from landbridge.contenders.pointwise.firsts import EVERYWHERE, Firsts, fit_firsts
from landbridge.contenders.pointwise.neighbours import Companions, Neighbours
from landbridge.contenders.pointwise.others import load_other, save_other, scores_out_of_fold
from landbridge.contenders.pointwise.parts import Features, Part
from landbridge.contenders.pointwise.remembered import Remembered
from landbridge.contenders.pointwise.second import Boosted, Linear, Second, load_second
from landbridge.contenders.pointwise.text import Text
from landbridge.errors import TrainError
from landbridge.feed.rows import Rows

Reach = Literal["alone", "history", "across"]


@dataclass(frozen=True)
class BlendFitted(PointFitted):
    """First levels by the id of their scenario (0: of all), other contenders by name, and the second level.

    Attributes
    ----------
    names
        The features that the second level reads, in its order; one that a first level does not give is zero.
    plain
        Whether the row's own numbers and categories are among them.
    """

    kind: ClassVar[str] = "pointwise_blend"

    firsts: Firsts
    others: Mapping[str, PointFitted]
    names: tuple[str, ...]
    plain: bool
    second: Second

    def probability(self, rows: Rows) -> NDArray[np.float32]:
        """Return the probability of every row, shape N."""
        return self.second.probability(self.table(rows))

    def table(self, rows: Rows) -> NDArray[np.float32]:
        """Return what the second level reads, [N, features]."""
        found = _plain(rows) if self.plain else {}
        found |= self.firsts.features(rows)
        found |= {f"other.{name}": _logit(fitted.probability(rows)) for name, fitted in self.others.items()}
        return _matrix(found, self.names, len(rows))

    def save(self, folder: Path) -> None:
        """Write blend.json, a ``.npz`` for each first level, the second level, and a folder for each other."""
        firsts = self.firsts.by_scenario
        facts = {"names": self.names, "plain": self.plain, "scenarios": list(firsts), "others": list(self.others)}
        (folder / "blend.json").write_text(json.dumps(facts), encoding="utf-8")
        self.second.save(folder)
        for scenario, first in firsts.items():
            first.save(folder / f"first{scenario}.npz")
        for name, other in self.others.items():
            save_other(other, folder / "others" / name)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / "blend.json").read_text(encoding="utf-8"))
        firsts = {scenario: First.load(folder / f"first{scenario}.npz") for scenario in facts["scenarios"]}
        others = {name: load_other(folder / "others" / name) for name in facts["others"]}
        return cls(Firsts(firsts), others, tuple(facts["names"]), bool(facts["plain"]), load_second(folder))


@dataclass(frozen=True)
class Blend(PointContender):
    """Parts and a second level: logistic regression, or with `boosted` trees, which read the row's own columns too.

    With `text` there is one part more, of the view's vectors.
    """

    stem: str
    parts: tuple[Part, ...]
    reach: Reach
    given: Memory
    boosted: bool = False
    text: TextGiven | None = None
    _kept: Remembered[tuple[Firsts, Features]] = field(default_factory=Remembered, compare=False, repr=False)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The published name."""
        return self.stem if self.reach == "alone" else f"{self.stem}_{self.reach}"

    @property
    def crosses(self) -> bool:  # type: ignore[override]
        """Whether anything is learned from other scenarios."""
        return self.reach != "alone"

    @property
    def pooled(self) -> bool:  # type: ignore[override]
        """One fit serves all scenarios where anything crosses."""
        return self.reach != "alone"

    @property
    def seeded(self) -> bool:  # type: ignore[override]
        """Trees draw rows and features; all else is without chance."""
        return self.boosted

    @property
    def reads_text(self) -> bool:  # type: ignore[override]
        """Whether the vectors are read."""
        return self.text is not None

    @property
    def sections(self) -> tuple[str, ...]:  # type: ignore[override]
        """Its own settings, and with others in the blend all that contenders read."""
        own = ("pointwise.contenders.memory",)
        return PointContender.sections if self.boosted and self.given.others else own

    def left_out(self, view: PointView) -> str | None:
        """Return why not: no vectors, no user with two items, answers that are all alike, or no LightGBM."""
        if self.reads_text and view.vectors is None:
            return f"{view.scope}: no text is encoded (the step encode says why), so there is nothing more to read"
        rows = view.own(view.rows)
        known = rows.take((rows.user_N > 0) & (rows.item_N > 0))
        pairs = np.unique(known.user_N.astype(np.int64) * rows.coding.size("item") + known.item_N)
        if len(np.unique(pairs // rows.coding.size("item"))) == len(pairs):
            return f"{view.scope}: no user has answered for two items, so there is nothing to answer from"
        if len(np.unique(rows.label_N)) < 2:
            return f"{view.scope}: all {len(rows)} training rows answer alike"
        return missing() if self.boosted else None

    def fit(self, view: PointView) -> BlendFitted:
        """Fit the parts, then the second level on the training rows' features out of fold."""
        rows = view.own(view.rows)
        found = _plain(rows) if self.boosted else {}
        firsts, said = self._firsts(view, rows)
        found |= said
        others = {}
        for contender in self._others(view):
            found[f"other.{contender.name}"] = _logit(scores_out_of_fold(contender, view, self.given.folds))
            others[contender.name] = contender.fit(view)
        names = tuple(sorted(found))
        table_NF = _matrix(found, names, len(rows))
        if not self.boosted:
            return BlendFitted(firsts, others, names, False, Linear.fit(table_NF, rows.label_N))
        held_out = None
        if view.held_out is not None and len(view.own(view.held_out)):
            held = view.own(view.held_out)
            # Only the features are asked for here; the second level is the one to be fitted.
            held_out = (BlendFitted(firsts, others, names, True, Boosted("")).table(held), held.label_N)
        second = Boosted.fit(self.given.trees, table_NF, rows.label_N, held_out, view.seed)
        return BlendFitted(firsts, others, names, True, second)

    def _firsts(self, view: PointView, rows: Rows) -> tuple[Firsts, Features]:
        parts = self._parts(view)
        if not self.pooled:
            return fit_firsts(rows, self._scopes(view, rows), parts, self.given)
        return self._kept.of(rows, lambda: fit_firsts(rows, self._scopes(view, rows), parts, self.given))

    def _parts(self, view: PointView) -> tuple[Part, ...]:
        if self.text is None:
            return self.parts
        assert view.vectors is not None
        return (*self.parts, Text(self.text, view.vectors))

    def _scopes(self, view: PointView, rows: Rows) -> dict[int, NDArray[np.intp]]:
        """Return the rows of each first level, by the id of its scenario, or 0 for all that there are."""
        if self.reach == "across" or (self.reach == "alone" and view.scope == "*"):
            return {EVERYWHERE: np.arange(len(rows))}
        ids = [rows.coding.scenario(name) for name in rows.scenarios]
        return {scenario: np.flatnonzero(rows.scenario_N == scenario) for scenario in ids}

    def _others(self, view: PointView) -> list[PointContender]:
        """Return the other contenders in the blend: those that cross if it does, else those that do not.

        They see all scenarios where they cross, so the reach ``history`` has none.
        """
        if not self.boosted or self.reach == "history" or not self.given.others:
            return []
        from landbridge.contenders.pointwise.simple import known_pointwise

        known = known_pointwise(view.config)
        missing = sorted(name for name in self.given.others if name not in known or isinstance(known[name], Blend))
        if missing:
            raise TrainError(f"pointwise.contenders.memory.others: {', '.join(missing)} cannot be part of the blend")
        chosen = [known[name] for name in self.given.others if known[name].pooled == (view.scope == "*")]
        return [one for one in chosen if one.crosses == self.crosses and one.left_out(view) is None]


def contenders(config: Config) -> list[PointContender]:
    """Return the contenders of this module: each part alone and across, and the blend with its three reaches.

    Where text is asked for there is the blend with it as well, under a name of its own.
    """
    assert config.pointwise is not None
    given = config.pointwise.contenders.memory
    near = Neighbours(given.neighbours.keep, given.neighbours.shrink, given.neighbours.damp)
    fits = Companions(given.companions.regularization, given.companions.min_answers, given.companions.max_items)
    factors = Factors(given.factors.dim, given.factors.penalty, given.factors.rounds)
    content = Content(given.content.keep, given.content.least, given.content.power, given.content.damp)
    stems: dict[str, tuple[Part, ...]] = {
        "biases": (Biases(),),
        "neighbours": (Biases(), near),
        "factors": (Biases(), factors),
        "content": (Biases(), content),
    }
    simple = [Blend(stem, parts, reach, given) for stem, parts in stems.items() for reach in ("alone", "across")]
    everything = (Biases(), near, fits, factors, content)
    blends: dict[str, TextGiven | None] = {"blend": None}
    if given.text is not None:
        blends["blend_text"] = given.text
    return [
        *simple,
        *(
            Blend(stem, everything, reach, given, True, text)
            for stem, text in blends.items()
            for reach in ("alone", "history", "across")
        ),
    ]


def _plain(rows: Rows) -> Features:
    """The row's own numbers and categories."""
    found = {f"number.{name}": rows.number_NF[:, place] for place, name in enumerate(rows.coding.numbers)}
    categories = enumerate(rows.coding.categories)
    return found | {f"category.{name}": rows.category_NC[:, place].astype(np.float32) for place, name in categories}


def _matrix(found: Features, names: tuple[str, ...], count: int) -> NDArray[np.float32]:
    nothing = np.zeros(count, np.float32)
    columns = [found.get(name, nothing) for name in names]
    return np.stack(columns, axis=1) if columns else np.zeros((count, 0), np.float32)


def _logit(chance_N: NDArray[np.float32]) -> NDArray[np.float32]:
    wanted: NDArray[np.float32] = logit(np.clip(chance_N.astype(np.float64), 1e-5, 1 - 1e-5)).astype(np.float32)
    return wanted
