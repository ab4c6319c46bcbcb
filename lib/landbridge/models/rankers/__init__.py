"""Rankers of pointwise rows: one a file, one input, one conformance suite."""

from __future__ import annotations

from pathlib import Path

from landbridge.errors import ConfigError
from landbridge.models.rankers.adasparse import AdaSparse
from landbridge.models.rankers.base import PointRanker, load_ranker, save_ranker
from landbridge.models.rankers.forms import change
from landbridge.models.rankers.mmoe import MMoE
from landbridge.models.rankers.pepnet import PepNet
from landbridge.models.rankers.ple import Ple
from landbridge.models.rankers.shared import Shared
from landbridge.models.rankers.shared_bottom import SharedBottom
from landbridge.models.rankers.single import Single
from landbridge.models.rankers.sizes import RankerSizes
from landbridge.models.rankers.star import Star

RANKERS: dict[str, type[PointRanker]] = {
    ranker.kind: ranker for ranker in (Single, Shared, SharedBottom, MMoE, Star, Ple, PepNet, AdaSparse)
}
"""Every ranker by its published name."""


def new_ranker(kind: str, sizes: RankerSizes, seed: int) -> PointRanker:
    """Return a fresh ranker; the same seed gives the same weights.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if kind not in RANKERS:
        raise ConfigError(f"there is no ranker {kind}; rankers: {', '.join(RANKERS)}")
    ranker = RANKERS[kind](sizes)
    ranker.begin(seed)
    return ranker


def read_ranker(folder: Path) -> PointRanker:
    """Return the ranker that `save_ranker` wrote into the folder."""
    return load_ranker(folder, RANKERS, change)


__all__ = ["RANKERS", "PointRanker", "RankerSizes", "new_ranker", "read_ranker", "save_ranker"]
