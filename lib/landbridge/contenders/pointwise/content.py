"""Content: how the user answered items with the same tags, and items whose tags are alike.

A tag ``group:word`` belongs to a group (``title:gintama``), one without a colon to the group of plain tags (genres).
Each group has its own similarity, the cosine of TF-IDF vectors: rare words of titles hold parts of one story together,
which is what a special or a film has in common with its series; genres alone would drown in them, and they in genres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.contenders.pointwise.history import Asked, Past, picked
from landbridge.contenders.pointwise.parts import (
    Arrays,
    Evidence,
    Features,
    Part,
    PartFitted,
    sparse_arrays,
    sparse_of,
    turned,
)

_ROWS = 512
_FEW_TAGS = 200
"""A group with more tags than this has no affinities of users to its single tags."""
PLAIN = "tag"


@dataclass(frozen=True)
class ContentFitted(PartFitted):
    """By group the weights of alike items, csr [items, items] with a zero diagonal; and the items' tags.

    Attributes
    ----------
    tag_IT
        csr [items, tags] of ones; only the columns `few_F` have affinities.
    """

    kind: ClassVar[str] = "content"

    damp: float
    shrink: float
    groups: tuple[str, ...]
    alike: tuple[sp.csr_matrix, ...]
    tag_IT: sp.csr_matrix
    few_F: NDArray[np.int64]

    def features(self, past: Past, asked: Asked) -> Features:
        """Return per group what alike items say; and of the plain tags the mean, least and largest affinity."""
        found: Features = {}
        for group, weights in zip(self.groups, self.alike, strict=True):
            found |= said_by(group, weights, asked.rows.item_N, past, asked, self.damp)
        return found | self._affinities(past, asked)

    def _affinities(self, past: Past, asked: Asked) -> Features:
        """A user's mean deviation over items of a tag, without his level, shrunk; over the tags of the row."""
        rows, tag_IF = asked.rows, sp.csr_matrix(self.tag_IT[:, self.few_F])
        new_N = sp.diags_array((rows.item_N == 0).astype(np.float32))
        tag_NF = sp.csr_matrix(tag_IF[rows.item_N] + new_N @ rows.tag_NT[:, self.few_F]).tocoo()
        row_E, column_E = tag_NF.row, tag_NF.col
        user_E = rows.user_N[row_E]
        count_E = (past.ones @ tag_IF).toarray()[user_E, column_E] - asked.inside_N[row_E]
        tags_N = np.maximum(np.bincount(row_E, minlength=len(rows)), 1)
        seen_N = np.bincount(row_E, count_E, len(rows)) / tags_N / np.maximum(asked.count_N, 1)
        found: Features = {"affinity.seen": seen_N.astype(np.float32)}
        for t, kind in enumerate(past.answers.kinds):
            sum_E = (past.deviations[t] @ tag_IF).toarray()[user_E, column_E] - asked.own_TN[t][row_E]
            view_E = (sum_E - asked.user_TN[t][row_E] * count_E) / (count_E + self.shrink)
            least_N, most_N = np.zeros(len(rows)), np.zeros(len(rows))
            np.minimum.at(least_N, row_E, view_E)
            np.maximum.at(most_N, row_E, view_E)
            mean_N = np.bincount(row_E, view_E, len(rows)) / tags_N
            for name, value in (("mean", mean_N), ("least", least_N), ("most", most_N)):
                found[f"affinity.{kind}.{name}"] = value.astype(np.float32)
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the matrices."""
        found: dict[str, NDArray[Any]] = {
            "damp": np.array(self.damp),
            "shrink": np.array(self.shrink),
            "groups": np.array(self.groups, np.str_),
            "few_F": self.few_F,
        }
        for number, weights in enumerate(self.alike):
            found |= sparse_arrays(f"alike{number}", weights)
        return found | sparse_arrays("tags", self.tag_IT)

    @classmethod
    def of_arrays(cls, saved: Arrays) -> Self:
        """Read what `arrays` gave."""
        groups = tuple(str(name) for name in saved["groups"])
        alike = tuple(sparse_of(f"alike{number}", saved) for number in range(len(groups)))
        tags = sparse_of("tags", saved)
        return cls(float(saved["damp"]), float(saved["shrink"]), groups, alike, tags, saved["few_F"])


@dataclass(frozen=True)
class Content(Part):
    """Keeps of every item the `keep` others whose cosine is above `least`, as its power."""

    reads_answers: ClassVar[bool] = False

    keep: int
    least: float
    power: float
    damp: float

    def fit(self, evidence: Evidence) -> ContentFitted:
        """Take similarities of items by their tags; no answer is looked at."""
        columns = groups_of(evidence.tag_names)
        alike = [self._alike(sp.csr_matrix(evidence.tag_IT[:, place])) for place in columns.values()]
        few_F = few_of(columns)
        shrink = evidence.levels.shrink
        return ContentFitted(self.damp, shrink, tuple(columns), tuple(alike), evidence.tag_IT, few_F)

    def _alike(self, tag_IG: sp.csr_matrix) -> sp.csr_matrix:
        item_M = np.flatnonzero(np.diff(tag_IG.indptr))
        tag_MG = sp.csr_matrix(tag_IG[item_M])
        unit = tf_idf(tag_MG, idf_of(tag_MG))
        across, items = sp.csr_matrix(unit.T), tag_IG.shape[0]
        blocks = []
        for start in range(0, len(item_M), _ROWS):
            near = (unit[start : start + _ROWS] @ across).toarray()
            near[np.arange(len(near)), start + np.arange(len(near))] = 0
            blocks.append(nearest(near, self.keep, self.least, self.power))
        return turned(blocks, item_M, items)


def nearest(near_BM: NDArray[np.float32], keep: int, least: float, power: float) -> sp.csr_matrix:
    """Return the `keep` largest of each row that are at least `least`, as their power; `near_BM` is written over."""
    near_BM[near_BM < least] = 0
    if keep < near_BM.shape[1]:
        near_BM[near_BM < np.partition(near_BM, -keep, axis=1)[:, -keep][:, None]] = 0
    return sp.csr_matrix(near_BM**power)


def said_by(
    name: str, weights: sp.csr_matrix, column_N: NDArray[np.int32], past: Past, asked: Asked, damp: float
) -> Features:
    """Return what a user's items say of rows, each by its weight, csr [items, columns], in the row's column.

    The sum of the weights, and of each answer the weighted mean of deviations without the user's level, damped.
    """
    weight_N = picked(past.ones, weights, asked.rows.user_N, column_N)
    found: Features = {f"{name}.weight": weight_N}
    for t, kind in enumerate(past.answers.kinds):
        sum_N = picked(past.deviations[t], weights, asked.rows.user_N, column_N) - asked.user_TN[t] * weight_N
        found[f"{name}.{kind}"] = sum_N / (weight_N + np.float32(damp))
    return found


def groups_of(names: tuple[str, ...]) -> dict[str, NDArray[np.int64]]:
    """Return the columns of each group, ascending by its name; tag t has the column t + 1."""
    group = np.array([name.split(":", 1)[0] if ":" in name else PLAIN for name in names], np.str_)
    return {str(one): np.flatnonzero(group == one) + 1 for one in np.unique(group)} if len(names) else {}


def few_of(columns: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the columns of the groups of few tags: those whose single tags a user, or a scenario, has a share of."""
    few = [place for place in columns.values() if len(place) <= _FEW_TAGS]
    return np.concatenate(few) if few else np.zeros(0, np.int64)


def idf_of(tag_IG: sp.csr_matrix) -> NDArray[np.float32]:
    """Return the weight of every tag, float32 [G]: rare ones weigh more."""
    items = int((np.diff(tag_IG.indptr) > 0).sum())
    idf_G: NDArray[np.float64] = np.log((1 + items) / (1 + np.bincount(tag_IG.indices, minlength=tag_IG.shape[1]))) + 1
    return idf_G.astype(np.float32)


def tf_idf(tag_IG: sp.csr_matrix, idf_G: NDArray[np.float32]) -> sp.csr_matrix:
    """Return the weighed tags of every item as vectors of length 1; those of an item without any stay zero."""
    weighed = sp.csr_matrix(tag_IG @ sp.diags_array(idf_G))
    norm_I = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags_array((1 / np.maximum(norm_I, 1e-9)).astype(np.float32)) @ weighed)
