"""Stack: for users who are new to a scenario, trees order what other contenders choose for them.

What a newcomer takes is learned by hiding: users with events in two scenarios lose each once, fold by fold; the parts
are fitted without what is hidden, and LambdaMART (Burges 2010, "From RankNet to LambdaRank to LambdaMART: an overview",
in LightGBM, Ke et al. 2017) learns from their scores which of their candidates had been there. That is stacked
generalization (Wolpert 1992): no part has seen what the trees learn from. Popularity among all who come to a scenario
misleads where most of them live there, so the trees are told it twice: how many users took the item, and how many of
them are known elsewhere too.

Whoever has events in the scenario gets the order of the first part.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from landbridge.config.pools import Stack as Settings
from landbridge.contenders.base import ALL, Contender, Fitted, View
from landbridge.contenders.boosted import missing, predicted
from landbridge.contenders.folder import blocks
from landbridge.contenders.item_item import top
from landbridge.contenders.parts import Fits, asked, fits_of, load_fits, save_fits, why_not
from landbridge.contenders.weights import positions
from landbridge.feed.hidden import Hidden, hidden, movers
from landbridge.feed.interactions import Interactions
from landbridge.feed.states import Catalogue, States

_FEW = 100
"""Users who were hidden from a scenario, below which nothing is learned about its newcomers."""
_TRUNCATION = 20
"""Places of the list whose pairs LambdaMART looks at: twice the k of the guard's usual metric."""


@dataclass(frozen=True)
class Takers:
    """Who took the items of a scenario.

    Attributes
    ----------
    items
        int32[M], ascending ids.
    log_M2
        ln(1 + users) who took it there, and of those with events elsewhere too.
    """

    items: NDArray[np.int32]
    log_M2: NDArray[np.float32]

    @classmethod
    def of(cls, log: Interactions) -> dict[int, Takers]:
        """Return them for every scenario id."""
        moves = np.zeros(len(log.user_ids), np.float32)
        moves[movers(log)] = 1.0
        return {int(one): cls._of(log.where(log.scenario == one), moves) for one in np.unique(log.scenario) if one}

    @classmethod
    def _of(cls, own: Interactions, moves_U: NDArray[np.float32]) -> Takers:
        pairs = own.matrix().T
        users_V2 = np.stack([np.asarray(pairs.sum(axis=1)).ravel(), pairs @ moves_U], axis=1)
        items = np.flatnonzero(users_V2[:, 0]).astype(np.int32)
        items = items[items > 0]
        return cls(items, np.log1p(users_V2[items]).astype(np.float32))

    def of_items(self, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the two logarithms for items, shape C2; 0 for an item that nobody took."""
        place, known = positions(self.items, items)
        if not len(self.items):
            return np.zeros((len(items), 2), np.float32)
        return np.where(known[:, None], self.log_M2[place], np.float32(0))


@dataclass(frozen=True)
class Choice:
    """Candidates of users, laid end to end: unit and column of each, and what the trees read, NF."""

    unit_N: NDArray[np.intp]
    column_N: NDArray[np.intp]
    read_NF: NDArray[np.float32]


@dataclass(frozen=True)
class StackFitted(Fitted):
    """Fitted parts, and the trees of the scenarios of whose newcomers something was learned.

    Attributes
    ----------
    parts
        By name, in their order.
    trees
        LightGBM's text by scenario id.
    takers
        By scenario id.
    candidates
        The best of each part that are looked at.
    """

    kind: ClassVar[str] = "stack"

    parts: Mapping[str, Fits]
    trees: Mapping[int, str]
    takers: Mapping[int, Takers]
    candidates: int

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC: of newcomers 1 to 2 for candidates, in the trees' order, and below 1 for the rest."""
        scores_BC = np.array(self.first(states, catalogue))
        new = np.flatnonzero(states.newcomers())
        if states.scenario not in self.trees or not len(new):
            return scores_BC
        choice = self.chosen(states.take(new), catalogue, scores_BC[new])
        scores_BC[new] /= 1.0 + np.abs(scores_BC[new])
        said_N = predicted(self.trees[states.scenario], choice.read_NF).astype(np.float32)
        scores_BC[new[choice.unit_N], choice.column_N] = 1.0 + expit(said_N)
        return scores_BC

    def first(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return the scores_BC of the first part."""
        return _scores(next(iter(self.parts.values())), states, catalogue)

    def chosen(self, states: States, catalogue: Catalogue, first_BC: NDArray[np.float32]) -> Choice:
        """Return the best of each part, `first_BC` what the first scores; ties by item, what no part knows left out."""
        others = list(self.parts.values())[1:]
        scores = [first_BC, *(_scores(fits, states, catalogue) for fits in others)]
        chosen_BC = np.zeros((len(states), len(catalogue.items)), np.bool_)
        for score_BC in scores:
            chosen_BC |= top(score_BC, min(self.candidates, len(catalogue.items))) & (score_BC > 0)
        unit_N, column_N = np.nonzero(chosen_BC)
        taken_C2 = self.takers[states.scenario].of_items(catalogue.items)
        known_B1 = states.length_B.astype(np.float32)[:, None]
        said = [_said(score_BC, unit_N, column_N) for score_BC in scores]
        return Choice(unit_N, column_N, np.concatenate([*said, taken_C2[column_N], known_B1[unit_N]], axis=1))

    def save(self, folder: Path) -> None:
        """Write every part's fits as folders, the trees as LightGBM's text, who took what as ``.npy``; stack.json."""
        for number, (name, fits) in enumerate(self.parts.items()):
            save_fits(fits, folder, number, name)
        for scenario, text in self.trees.items():
            (folder / f"trees-{scenario}.txt").write_text(text, encoding="utf-8")
        for scenario, takers in self.takers.items():
            np.save(folder / f"items-{scenario}.npy", takers.items, allow_pickle=False)
            np.save(folder / f"takers-{scenario}.npy", takers.log_M2, allow_pickle=False)
        facts = {
            "parts": [[name, sorted(fits)] for name, fits in self.parts.items()],
            "trees": sorted(self.trees),
            "takers": sorted(self.takers),
            "candidates": self.candidates,
        }
        (folder / "stack.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / "stack.json").read_text(encoding="utf-8"))

        def array(name: str, scenario: int) -> NDArray[Any]:
            return np.asarray(np.load(folder / f"{name}-{scenario}.npy", allow_pickle=False))

        return cls(
            {name: load_fits(folder, number, ids) for number, (name, ids) in enumerate(facts["parts"])},
            {one: (folder / f"trees-{one}.txt").read_text(encoding="utf-8") for one in facts["trees"]},
            {one: Takers(array("items", one), array("takers", one)) for one in facts["takers"]},
            int(facts["candidates"]),
        )


@dataclass(frozen=True)
class Stack(Contender):
    """Fits the parts once for each fold of hidden users and once on all rows, and the trees in between.

    Attributes
    ----------
    parts
        Contenders; the first also serves who is no newcomer.
    """

    settings: Settings
    parts: tuple[Contender, ...]
    name = "stack"
    crosses = True
    pooled = True

    def left_out(self, view: View) -> str | None:
        """Say that a part is left out, LightGBM is missing, or nobody can be hidden."""
        without = missing()
        if without is not None:
            return f"stack is left out: {without}"
        found = len(movers(view.interactions))
        if found < _FEW:
            return f"stack is left out: {found} users have events in two scenarios, and it learns from {_FEW} or more"
        reason = why_not(self.parts, view)
        return None if reason is None else f"stack is left out, because {reason}"

    def fit(self, view: View) -> StackFitted:
        """Learn from each fold's hidden users, then fit the parts on all rows."""
        lessons: dict[int, list[tuple[Choice, NDArray[np.int8]]]] = {}
        given = self.settings
        for known, groups in hidden(view.interactions, given.folds, given.users, view.config.features.history):
            fitted = self._fitted(replace(view, scope=ALL, interactions=known, found=None), {})
            for group in groups:
                lessons.setdefault(group.states.scenario, []).extend(_lessons(fitted, group))
        enough = {scenario: some for scenario, some in lessons.items() if _users(some) >= _FEW}
        return self._fitted(view, {scenario: _boosted(some, given) for scenario, some in enough.items()})

    def _fitted(self, view: View, trees: Mapping[int, str]) -> StackFitted:
        parts = {part.name: fits_of(part, view) for part in self.parts}
        return StackFitted(parts, trees, Takers.of(view.interactions), self.settings.candidates)


def _scores(fits: Fits, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
    fitted = asked(fits, states)
    none_BC = np.zeros((len(states), len(catalogue.items)), np.float32)
    return none_BC if fitted is None else fitted.score(states, catalogue)


def _said(score_BC: NDArray[np.float32], unit_N: NDArray[np.intp], column_N: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return what a part says of the candidates, and the same as a share of the user's highest score; shape N2."""
    highest_B = np.maximum(score_BC.max(axis=1, initial=0.0), np.finfo(np.float32).tiny)
    said_N = score_BC[unit_N, column_N]
    return np.stack([said_N, said_N / highest_B[unit_N]], axis=1).astype(np.float32)


def _lessons(fitted: StackFitted, group: Hidden) -> Iterable[tuple[Choice, NDArray[np.int8]]]:
    """Yield candidates of a block of users, and which had been there; of whom none was found, he teaches nothing."""
    for rows in blocks(len(group.states)):
        states = group.states.take(rows)
        choice = fitted.chosen(states, group.catalogue, fitted.first(states, group.catalogue))
        lost_BC = group.lost[rows][:, group.catalogue.items].toarray() > 0
        label_N = lost_BC[choice.unit_N, choice.column_N]
        taught = np.isin(choice.unit_N, choice.unit_N[label_N])
        kept = Choice(choice.unit_N[taught], choice.column_N[taught], choice.read_NF[taught])
        yield kept, label_N[taught].astype(np.int8)


def _users(lessons: Sequence[tuple[Choice, NDArray[np.int8]]]) -> int:
    return sum(len(np.unique(choice.unit_N)) for choice, _ in lessons)


def _boosted(lessons: Sequence[tuple[Choice, NDArray[np.int8]]], given: Settings) -> str:
    """Return LightGBM's text of trees that order each user's candidates."""
    import lightgbm

    read_NF = np.concatenate([choice.read_NF for choice, _ in lessons])
    label_N = np.concatenate([label for _, label in lessons])
    group_B = np.concatenate([np.unique(choice.unit_N, return_counts=True)[1] for choice, _ in lessons])
    data = lightgbm.Dataset(read_NF, label_N, group=group_B, params={"verbose": -1}, free_raw_data=True)
    params = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": _TRUNCATION,
        "learning_rate": given.learning_rate,
        "num_leaves": given.leaves,
        "lambda_l2": given.l2,
        "min_data_in_leaf": given.min_rows,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        "seed": 0,
    }
    text: str = lightgbm.train(params, data, given.iterations).model_to_string()
    return text
