"""Told: what its tags say of an item that nobody has answered for, beside the items whose answers are known.

`content` compares items that training rows have. Here a row is compared by the tags it brings itself, so that the
items of a scenario without a log are answered for: how the user answered items alike, how everybody did, and how many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.contenders.pointwise.content import ContentFitted, few_of, groups_of, idf_of, nearest, said_by, tf_idf
from landbridge.contenders.pointwise.history import Asked, Past
from landbridge.contenders.pointwise.parts import Arrays, Evidence, Features, Part, PartFitted

_ROWS = 512


@dataclass(frozen=True)
class ToldFitted(PartFitted):
    """The tags of known items, and how alike counts.

    Attributes
    ----------
    tastes
        The users' affinities to single tags; it compares no items.
    groups
        By name the columns of each group of tags.
    """

    kind: ClassVar[str] = "told"

    keep: int
    least: float
    power: float
    tastes: ContentFitted
    groups: dict[str, NDArray[np.int64]]

    def features(self, past: Past, asked: Asked) -> Features:
        """Return per group what alike items say: the user's answers to them, and everybody's."""
        first_D, set_N = _sets(asked.rows.tag_NT)
        tag_DT = sp.csr_matrix(asked.rows.tag_NT[first_D])
        found = self.tastes.features(past, asked)
        for group, column_G in self.groups.items():
            alike_ID = self._alike(column_G, tag_DT)
            found |= said_by(f"told.{group}", alike_ID, set_N, past, asked, self.tastes.damp)
            found |= self._levels(f"told.{group}", alike_ID, set_N, past)
        return found

    def _alike(self, column_G: NDArray[np.int64], tag_DT: sp.csr_matrix) -> sp.csr_matrix:
        """Return the weights of the items most alike each of D sets of tags, csr [items, D]."""
        tag_IG = sp.csr_matrix(self.tastes.tag_IT[:, column_G])
        idf_G = idf_of(tag_IG)
        across_GI = sp.csr_matrix(tf_idf(tag_IG, idf_G).T)
        unit_DG = tf_idf(sp.csr_matrix(tag_DT[:, column_G]), idf_G)
        blocks = [sp.csr_matrix(np.zeros((0, across_GI.shape[1]), np.float32))]
        for start in range(0, unit_DG.shape[0], _ROWS):
            near = (unit_DG[start : start + _ROWS] @ across_GI).toarray()
            blocks.append(nearest(near, self.keep, self.least, self.power))
        return sp.csr_matrix(sp.vstack(blocks).T)

    def _levels(self, name: str, alike_ID: sp.csr_matrix, set_N: NDArray[np.int32], past: Past) -> Features:
        """Return of the items alike their weight, the damped mean of their levels, and of the logarithms of answers."""
        weight_D = np.asarray(alike_ID.sum(axis=0), np.float32).ravel()
        damped_D = weight_D + np.float32(self.tastes.damp)
        found: Features = {f"{name}.all": weight_D[set_N]}
        values = dict(zip(past.answers.kinds, past.levels.item_TI, strict=True))
        for key, value_I in (values | {"answers": np.log1p(past.levels.count_I)}).items():
            found[f"{name}.all.{key}"] = ((value_I @ alike_ID) / damped_D)[set_N].astype(np.float32)
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the tags and the columns of the groups."""
        found: dict[str, NDArray[Any]] = {
            "keep": np.array(self.keep),
            "least": np.array(self.least),
            "power": np.array(self.power),
            "names": np.array(list(self.groups), np.str_),
        }
        found |= {f"group{number}": column_G for number, column_G in enumerate(self.groups.values())}
        return found | {f"tastes.{key}": value for key, value in self.tastes.arrays().items()}

    @classmethod
    def of_arrays(cls, saved: Arrays) -> Self:
        """Read what `arrays` gave."""
        inner = {key.removeprefix("tastes."): value for key, value in saved.items() if key.startswith("tastes.")}
        groups = {str(name): saved[f"group{number}"] for number, name in enumerate(saved["names"])}
        tastes = ContentFitted.of_arrays(inner)
        return cls(int(saved["keep"]), float(saved["least"]), float(saved["power"]), tastes, groups)


@dataclass(frozen=True)
class Told(Part):
    """Keeps of every set of tags the `keep` items whose cosine is above `least`, as its power, as `Content` does."""

    reads_answers: ClassVar[bool] = False

    keep: int
    least: float
    power: float
    damp: float

    def fit(self, evidence: Evidence) -> ToldFitted:
        """Keep the items' tags; no answer is looked at."""
        groups = groups_of(evidence.tag_names)
        shrink, few_F = evidence.levels.shrink, few_of(groups)
        tastes = ContentFitted(self.damp, shrink, (), (), evidence.tag_IT, few_F)
        return ToldFitted(self.keep, self.least, self.power, tastes, groups)


def _sets(tag_NT: sp.csr_matrix) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Return the first row of each distinct set of tags, and every row's set; found by sums of drawn 64-bit codes."""
    code_T = np.random.default_rng(0).integers(0, 2**63, tag_NT.shape[1], np.uint64)
    ones = sp.csr_matrix((np.ones(tag_NT.nnz, np.uint64), tag_NT.indices, tag_NT.indptr), shape=tag_NT.shape)
    _, first_D, set_N = np.unique(ones @ code_T, return_index=True, return_inverse=True)
    return first_D, set_N.astype(np.int32)
