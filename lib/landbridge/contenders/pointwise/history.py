"""What users answered, and what is left of an answer when the item's and the user's own level are taken off.

A row that a history holds is asked about without its own answer: every quantity of the user is taken over his other
items. Quantities of items are fitted on a set of users; a blend fits them on users other than the one it asks about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.feed.rows import Rows

_BLOCK = 1024


@dataclass(frozen=True)
class Answers:
    """P distinct pairs of a known user and a known item, ascending, with T answers each; repeated ones are averaged.

    The answers are the label, and the value where every row has one.
    """

    users: int
    items: int
    scenarios: int
    user_P: NDArray[np.int32]
    item_P: NDArray[np.int32]
    scenario_P: NDArray[np.int32]
    answer_TP: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """Return the answers of labelled rows."""
        users, items, scenarios = (rows.coding.size(field) for field in ("user", "item", "scenario"))
        known = rows.take((rows.user_N > 0) & (rows.item_N > 0))
        graded = len(known) > 0 and not np.isnan(known.value_N).any()
        answers = [known.label_N, known.value_N] if graded else [known.label_N]
        pair_N = known.user_N.astype(np.int64) * items + known.item_N
        pair_P, first_P, place_N = np.unique(pair_N, return_index=True, return_inverse=True)
        times_P = np.maximum(np.bincount(place_N, minlength=len(pair_P)), 1)
        mean = [np.bincount(place_N, one, len(pair_P)) / times_P for one in answers]
        user_P, item_P = (pair_P // items).astype(np.int32), (pair_P % items).astype(np.int32)
        return cls(
            users, items, scenarios, user_P, item_P, known.scenario_N[first_P], np.stack(mean).astype(np.float32)
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the T answers."""
        return ("label", "value")[: len(self.answer_TP)]

    def take(self, some: NDArray[Any]) -> Answers:
        """Return some of the pairs, by a mask or by their positions; only a mask keeps them ascending."""
        cut = (self.user_P[some], self.item_P[some], self.scenario_P[some], self.answer_TP[:, some])
        return Answers(self.users, self.items, self.scenarios, *cut)

    def matrix(self, value_P: NDArray[np.float32]) -> sp.csr_matrix:
        """Return csr [users, items] with the given values at the pairs, zeros among them included."""
        start = np.searchsorted(self.user_P, np.arange(self.users + 1)).astype(np.int32)
        return sp.csr_matrix((value_P.astype(np.float32), self.item_P, start), shape=(self.users, self.items))

    def find(self, rows: Rows) -> NDArray[np.int64]:
        """Return the position of each row's pair, or -1, shape N."""
        pair_P = self.user_P.astype(np.int64) * self.items + self.item_P
        pair_N = rows.user_N.astype(np.int64) * self.items + rows.item_N
        if not len(pair_P):
            return np.full(len(pair_N), -1, np.int64)
        place_N = np.minimum(np.searchsorted(pair_P, pair_N), len(pair_P) - 1)
        found: NDArray[np.int64] = np.where(pair_P[place_N] == pair_N, place_N, -1)
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `of_arrays` reads."""
        sizes = np.array([self.users, self.items, self.scenarios], np.int64)
        names = ("user_P", "item_P", "scenario_P", "answer_TP")
        return {"sizes": sizes, **{name: getattr(self, name) for name in names}}

    @classmethod
    def of_arrays(cls, saved: Mapping[str, NDArray[Any]]) -> Self:
        """Read what `arrays` gave."""
        users, items, scenarios = (int(size) for size in saved["sizes"])
        return cls(users, items, scenarios, *(saved[n] for n in ("user_P", "item_P", "scenario_P", "answer_TP")))


@dataclass(frozen=True)
class Levels:
    """Mean of each answer and how far each item is from it, by alternating shrunk means (Koren 2008, section 2.1).

    Attributes
    ----------
    item_TI, count_I
        float32 [T, items], and on how many answers it rests.
    user_TU
        float32 [T, users]: the same of the users it was fitted on; only residuals for the fit of weights use it.
    """

    shrink: float
    mean_T: NDArray[np.float32]
    item_TI: NDArray[np.float32]
    count_I: NDArray[np.float32]
    user_TU: NDArray[np.float32]

    @classmethod
    def fit(cls, answers: Answers, shrink: float, rounds: int) -> Self:
        """Fit on answers."""
        u, i = answers.user_P, answers.item_P
        count_U, count_I = np.bincount(u, minlength=answers.users), np.bincount(i, minlength=answers.items)
        found: list[tuple[Any, ...]] = []
        for answer_P in answers.answer_TP.astype(np.float64):
            middle = answer_P.mean() if len(answer_P) else 0.0
            item_I, user_U = np.zeros(answers.items), np.zeros(answers.users)
            for _ in range(rounds):
                item_I = np.bincount(i, answer_P - middle - user_U[u], answers.items) / (count_I + shrink)
                user_U = np.bincount(u, answer_P - middle - item_I[i], answers.users) / (count_U + shrink)
            found.append((middle, item_I, user_U))
        mean_T, item_TI, user_TU = (np.asarray(one, np.float32) for one in zip(*found, strict=True))
        return cls(shrink, mean_T, item_TI, count_I.astype(np.float32), user_TU)

    def residuals(self, answers: Answers) -> NDArray[np.float32]:
        """Return what is left of the answers it was fitted on."""
        return self.deviations(answers) - self.user_TU[:, answers.user_P]

    def deviations(self, answers: Answers) -> NDArray[np.float32]:
        """Return answers without the mean and the item's part."""
        return answers.answer_TP - self.mean_T[:, None] - self.item_TI[:, answers.item_P]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `of_arrays` reads."""
        names = ("mean_T", "item_TI", "count_I", "user_TU")
        return {"shrink": np.array(self.shrink), **{name: getattr(self, name) for name in names}}

    @classmethod
    def of_arrays(cls, saved: Mapping[str, NDArray[Any]]) -> Self:
        """Read what `arrays` gave."""
        return cls(float(saved["shrink"]), *(saved[name] for name in ("mean_T", "item_TI", "count_I", "user_TU")))


@dataclass(frozen=True)
class Past:
    """Histories under levels: what each user's answers deviate from the items' levels."""

    answers: Answers
    levels: Levels

    @cached_property
    def ones(self) -> sp.csr_matrix:
        """Csr [users, items]: who answered what."""
        return self.answers.matrix(np.ones(len(self.answers.user_P), np.float32))

    @cached_property
    def deviations(self) -> list[sp.csr_matrix]:
        """T times csr [users, items]: the deviations."""
        return [self.answers.matrix(one) for one in self.levels.deviations(self.answers)]

    def ask(self, rows: Rows) -> Asked:
        """Return the rows with what their users' other items say."""
        place_N = self.answers.find(rows)
        inside_N = place_N >= 0
        own_TN = np.zeros((len(self.answers.answer_TP), len(rows)), np.float32)
        own_TN[:, inside_N] = self.levels.deviations(self.answers.take(place_N[inside_N]))
        count_N = np.diff(self.ones.indptr)[rows.user_N].astype(np.float32) - inside_N
        sum_TN = np.stack([_sums(one)[rows.user_N] for one in self.deviations]) - own_TN
        return Asked(rows, inside_N, own_TN, count_N, sum_TN, (sum_TN / (count_N + self.levels.shrink)))


@dataclass(frozen=True)
class Asked:
    """N rows beside the user's other items.

    Attributes
    ----------
    inside_N, own_TN
        Whether the history holds the row, and its own deviations (zero where not): what has to be left out.
    count_N, sum_TN
        Number of the user's other items, and the sum of their deviations.
    user_TN
        The user's level: `sum_TN` shrunk to a mean.
    """

    rows: Rows
    inside_N: NDArray[np.bool_]
    own_TN: NDArray[np.float32]
    count_N: NDArray[np.float32]
    sum_TN: NDArray[np.float32]
    user_TN: NDArray[np.float32]


def picked(
    left: sp.csr_matrix, weights: NDArray[np.float32] | sp.csr_matrix, row_N: NDArray[Any], column_N: NDArray[Any]
) -> NDArray[np.float32]:
    """Return the cells (row, column) of ``left @ weights``, shape N.

    Rows that nobody asks about are not computed; the product is in memory for a block of rows.
    """
    asked, place_N = np.unique(row_N, return_inverse=True)
    order = np.argsort(place_N, kind="stable")
    ordered = place_N[order]
    found = np.zeros(len(row_N), np.float32)
    for start in range(0, len(asked), _BLOCK):
        low, high = np.searchsorted(ordered, [start, start + _BLOCK])
        product: Any = left[asked[start : start + _BLOCK]] @ weights
        dense = product if isinstance(product, np.ndarray) else product.toarray()
        found[order[low:high]] = dense[ordered[low:high] - start, column_N[order[low:high]]]
    return found


def _sums(matrix: sp.csr_matrix) -> NDArray[np.float32]:
    sums: NDArray[np.float32] = np.asarray(matrix.sum(axis=1, dtype=np.float64), np.float32).ravel()
    return sums
