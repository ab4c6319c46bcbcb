"""The first level of a blend: parts fitted on one set of rows, with the histories they are asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.config.neighbours import Levels as LevelsGiven
from landbridge.contenders.pointwise.biases import BiasesFitted
from landbridge.contenders.pointwise.content import ContentFitted
from landbridge.contenders.pointwise.factors import FactorsFitted
from landbridge.contenders.pointwise.history import Answers, Levels, Past
from landbridge.contenders.pointwise.neighbours import CompanionsFitted, NeighboursFitted
from landbridge.contenders.pointwise.parts import Evidence, Features, Part, PartFitted
from landbridge.contenders.pointwise.text import TextFitted
from landbridge.contenders.pointwise.told import ToldFitted
from landbridge.feed.rows import Rows

_FITTED: dict[str, type[PartFitted]] = {
    one.kind: one
    for one in (BiasesFitted, NeighboursFitted, CompanionsFitted, FactorsFitted, ContentFitted, TextFitted, ToldFitted)
}


@dataclass(frozen=True)
class First:
    """Fitted parts, the levels they stand on, and the answers of all users of the rows."""

    past: Past
    parts: tuple[PartFitted, ...]

    @classmethod
    def fit(cls, rows: Rows, parts: Sequence[Part], given: LevelsGiven) -> Self:
        """Fit on labelled rows."""
        answers = Answers.of(rows)
        evidence = Evidence.of(answers, rows, given)
        return cls(Past(answers, evidence.levels), tuple(part.fit(evidence) for part in parts))

    def features(self, rows: Rows) -> Features:
        """Return what all parts say of the rows; of a row in the history without its own answer."""
        asked = self.past.ask(rows)
        found: Features = {}
        for part in self.parts:
            found |= part.features(self.past, asked)
        return found

    def save(self, file: Path) -> None:
        """Write one ``.npz``."""
        saved = {"answers": self.past.answers.arrays(), "levels": self.past.levels.arrays()}
        saved |= {part.kind: {"part": np.array(number)} | part.arrays() for number, part in enumerate(self.parts)}
        flat: dict[str, Any] = {f"{name}/{key}": value for name, one in saved.items() for key, value in one.items()}
        np.savez(file, **flat)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote."""
        groups: dict[str, dict[str, NDArray[Any]]] = {}
        with np.load(file, allow_pickle=False) as saved:
            for name in saved.files:
                group, key = name.split("/", 1)
                groups.setdefault(group, {})[key] = saved[name]
        past = Past(Answers.of_arrays(groups["answers"]), Levels.of_arrays(groups["levels"]))
        kinds = sorted((kind for kind in groups if kind in _FITTED), key=lambda kind: int(groups[kind]["part"]))
        return cls(past, tuple(_FITTED[kind].of_arrays(groups[kind]) for kind in kinds))


def out_of_fold(whole: First, rows: Rows, parts: Sequence[Part], given: LevelsGiven, folds: int) -> Features:
    """Return features of the rows that `whole` was fitted on, each row's from items' weights that other users fitted.

    Users are dealt to folds. What is fitted on answers (levels, similarities, factors of items) is fitted on the users
    of the other folds, and applied to the user's whole history but the row itself: the row's answer is in nothing, and
    the history is as long as it will be for rows that come. A part that reads no answers is that of `whole`.
    """
    answers = whole.past.answers
    fold_P, fold_N = _fold(answers.user_P, folds), _fold(rows.user_N, folds)
    found: Features = {}
    for fold in range(folds):
        place = np.flatnonzero(fold_N == fold)
        if not len(place):
            continue
        evidence = Evidence.of(answers.take(fold_P != fold), rows, given)
        fitted = [
            part.fit(evidence) if part.reads_answers else kept for part, kept in zip(parts, whole.parts, strict=True)
        ]
        first = First(Past(answers, evidence.levels), tuple(fitted))
        for name, value in first.features(rows.take(place)).items():
            found.setdefault(name, np.zeros(len(rows), np.float32))[place] = value
    return found


def _fold(user_N: NDArray[np.int32], folds: int) -> NDArray[np.int64]:
    """Fibonacci hashing of the id (Knuth, volume 3, section 6.4): even folds, the same ones in every run."""
    fold: NDArray[np.int64] = ((user_N.astype(np.uint64) * np.uint64(2654435769) % 2**32) >> np.uint64(16)).astype(
        np.int64
    ) % folds
    return fold
