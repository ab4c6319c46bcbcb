"""Fits of a contender inside another one: one for all scenarios, or one for each where it serves a single one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from landbridge.contenders.base import ALL, Contender, Fitted, View
from landbridge.contenders.folder import load_fitted, save_fitted
from landbridge.feed.states import States

_EVERY = 0
"""Stands for all scenarios among scenario ids; 0 is no scenario."""

Fits = Mapping[int, Fitted]
"""Fits of one contender by scenario id, 0 for all."""


def fits_of(contender: Contender, view: View) -> Fits:
    """Return the contender as it stands beside others on the view, or fitted on it, for every scenario of its scope."""
    return {scenario: contender.beside(one) for scenario, one in _views(contender, view).items()}


def asked(fits: Fits, states: States) -> Fitted | None:
    """Return what serves the scenario that is asked about, or None."""
    return fits.get(states.scenario, fits.get(_EVERY))


def why_not(contenders: Iterable[Contender], view: View) -> str | None:
    """Return why a part is left out on the view, of the first one that is, or None."""
    reasons = (one.left_out(part) for one in contenders for part in _views(one, view).values())
    return next((reason for reason in reasons if reason is not None), None)


def save_fits(fits: Fits, folder: Path, part: int, name: str) -> None:
    """Write each fit of a part, a number, into a folder of its own."""
    for scenario, fitted in fits.items():
        save_fitted(fitted, folder / f"part-{part}-{scenario}", {"contender": name})


def load_fits(folder: Path, part: int, scenarios: Iterable[int]) -> Fits:
    """Read what `save_fits` wrote of the named scenario ids."""
    return {scenario: load_fitted(folder / f"part-{part}-{scenario}") for scenario in scenarios}


def _views(contender: Contender, view: View) -> dict[int, View]:
    """Return what a part is fitted on, by scenario id: one view, or one a scenario if it serves a single one."""
    if contender.pooled or view.scope != ALL:
        return {_EVERY: replace(view, scope=ALL) if contender.pooled else view}
    vocabulary = view.interactions.vocabulary
    ids = np.unique(view.interactions.scenario)
    names = vocabulary.values("scenario").to_pylist()
    return {int(one): replace(view, scope=names[one - 1]) for one in ids[ids > 0]}
