"""Contenders of any kind as parts of a blend: their scores out of fold, and where they are saved."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.errors import LakeError

_HOME = "landbridge.contenders."


def scores_out_of_fold(contender: PointContender, view: PointView, folds: int) -> NDArray[np.float32]:
    """Return the probability of each training row of the view's scope by a fit without that row, shape N.

    Rows are dealt to folds by the seed; the contender is fitted as often as there are folds. Its histories are shorter
    by a fold than they will be for rows that come. A row whose fold's fit is refused gets the share of the others.
    """
    rows = view.own(view.rows)
    fold_N = np.random.default_rng(view.seed).permutation(len(rows)) % folds
    found = np.zeros(len(rows), np.float32)
    for fold in range(folds):
        inside = fold_N == fold
        rest = rows.take(~inside)
        part = replace(view, rows=rest)
        refused = contender.left_out(part) is not None
        share = np.float32(rest.label_N.mean() if len(rest) else 0.5)
        found[inside] = share if refused else contender.fit(part).probability(rows.take(inside))
    return found


def save_other(fitted: PointFitted, folder: Path) -> None:
    """Write a fitted contender with the name of its class."""
    folder.mkdir(parents=True)
    fitted.save(folder)
    what = {"module": type(fitted).__module__, "class": type(fitted).__name__}
    (folder / "class.json").write_text(json.dumps(what), encoding="utf-8")


def load_other(folder: Path) -> PointFitted:
    """Read what `save_other` wrote.

    Raises
    ------
    LakeError
        The class is none of this package's contenders.
    """
    what = json.loads((folder / "class.json").read_text(encoding="utf-8"))
    if str(what["module"]).startswith(_HOME):
        found = getattr(importlib.import_module(what["module"]), what["class"], None)
        if isinstance(found, type) and issubclass(found, PointFitted):
            return found.load(folder)
    raise LakeError(f"{folder}: {what['module']}.{what['class']} is no fitted contender of this package")
