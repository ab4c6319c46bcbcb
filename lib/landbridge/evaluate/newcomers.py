"""Whose lists a scenario without a log is lent: its declared neighbours, or those whose catalogues are near."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.config.newcomers import Newcomer
from landbridge.contenders.lent import LENT
from landbridge.errors import ConfigError, DataError
from landbridge.feed.assemble import Assembler
from landbridge.feed.nearness import apart, weights_of

_SHARPNESS = 1.0


def awaited(newcomers: Mapping[str, Newcomer], known: Collection[str]) -> tuple[dict[str, Newcomer], list[str]]:
    """Return the newcomers that are still without a log, and what is to be said of those that have one.

    Raises
    ------
    ConfigError
        A newcomer is like a scenario that publishes nothing.
    """
    waiting = {name: newcomer for name, newcomer in newcomers.items() if name not in known}
    for name, newcomer in waiting.items():
        strange = sorted(set(newcomer.like or ()) - set(known))
        if strange:
            raise ConfigError(
                f"newcomers.{name}.like names {', '.join(strange)}, which publishes nothing tonight; "
                f"what does: {', '.join(sorted(known))}"
            )
    said = [
        f"{name} has events of its own: it is a scenario like any other now; take it out of newcomers"
        for name in newcomers
        if name in known
    ]
    return waiting, said


def neighbours_of(
    newcomers: Mapping[str, Newcomer], known: Sequence[str], catalogue: pa.Table, assembler: Assembler, day: dt.date
) -> dict[str, dict[str, float]]:
    """Return for every newcomer its neighbours' weights, of sum 1.

    Parameters
    ----------
    known
        The scenarios that publish lists of their own.
    catalogue
        Columns scenario, item_id: what the lists may hold.

    Raises
    ------
    DataError
        A newcomer's catalogue has no item that anything is known of.
    """
    told: dict[str, NDArray[np.float64]] = {}
    for name in (*known, *newcomers):
        own = catalogue.filter(pc.equal(catalogue["scenario"], name))
        ids = assembler.vocabulary.encode("item_id", own["item_id"])
        if name in newcomers and not (ids > 0).any():
            raise DataError(
                f"newcomers.{name}.catalogue admits no item that has had an event: there is nothing to list; widen it"
            )
        told[name] = _told(assembler, name, ids[ids > 0], day)
    return {
        name: _normed(newcomer.like) if newcomer.like else _nearest(name, list(known), told)
        for name, newcomer in newcomers.items()
    }


def sentence_of(name: str, weights: Mapping[str, float]) -> str:
    """Return what is said of a newcomer."""
    shares = [f"{other} {weight:.2f}" for other, weight in sorted(weights.items(), key=lambda one: (-one[1], one[0]))]
    return f"{name} publishes {LENT}: it has no event yet, so its neighbours answer for it: {', '.join(shares)}"


def _told(assembler: Assembler, name: str, items: NDArray[np.int32], day: dt.date) -> NDArray[np.float64]:
    """Return mean and spread, over a catalogue, of what is known of its items over all scenarios."""
    feature_CG = assembler.catalogue(name, items, day).feature_CG
    whole_CG = feature_CG[:, feature_CG.shape[1] // 2 :].astype(np.float64)
    if not len(whole_CG):
        return np.zeros(2 * whole_CG.shape[1])
    return np.concatenate([whole_CG.mean(axis=0), whole_CG.std(axis=0)])


def _nearest(name: str, known: list[str], told: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    everyone = np.stack([told[one] for one in (*known, name)])
    spread_F = np.maximum(everyone.std(axis=0), 1e-6)
    distance_O = apart(everyone / spread_F)[-1, :-1]
    return dict(zip(known, weights_of(distance_O, _SHARPNESS).tolist(), strict=True))


def _normed(like: Mapping[str, float]) -> dict[str, float]:
    total = sum(like.values())
    return {name: weight / total for name, weight in like.items()}
