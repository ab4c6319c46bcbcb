"""The last days of a view, held out: what users then took for the first time, and what was open to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.contenders.base import ALL, View
from landbridge.contenders.logit import Choices
from landbridge.feed.states import Catalogue, States, of_had
from landbridge.feed.taken import taken

_DAY = dt.timedelta(days=1)
_CELLS = 8_000_000
"""Users times items that are held at once; of more users a sample is drawn."""

Says = Callable[[States, Catalogue], Sequence[NDArray[np.float32]]]
"""What each part says of users and items: P arrays of shape BC, or 1C where the users do not matter."""


def earlier(view: View, days: int) -> View:
    """Return the view without its last days."""
    until = view.until - dt.timedelta(days=days)
    return replace(view, until=until, interactions=view.interactions.before(until + _DAY), found=None)


def choices(view: View, before: View, says: Says) -> list[Choices]:
    """Return the choices made after `before` by users who were known, a group for each scenario of the view's scope."""
    had = before.interactions.matrix()
    names = view.interactions.vocabulary.values("scenario").to_pylist()
    groups = [
        _choices(view, before, had, scenario, says) for scenario in (names if view.scope == ALL else [view.scope])
    ]
    return [group for group in groups if group is not None and len(group)]


def _choices(view: View, before: View, had: sp.csr_matrix, scenario: str, says: Says) -> Choices | None:
    items = before.interactions.catalogue(scenario, before.until + _DAY)
    user_B, truth = taken(view.interactions, before.interactions, had, scenario, before.until, view.until)
    if not len(items) or not len(user_B):
        return None
    open_BC = had[user_B][:, items].toarray() == 0
    chosen_BC = (truth[:, items].toarray() > 0) & open_BC
    kept = _sample(np.flatnonzero(chosen_BC.any(axis=1)), len(items), view.config.seed)
    catalogue = Catalogue(view.interactions.vocabulary.id("scenario", scenario), items, np.zeros((len(items), 0), "f4"))
    said = says(of_had(catalogue.scenario, had[user_B[kept]]), catalogue)
    parts_PBC = np.stack([np.broadcast_to(one, (len(kept), len(items))) for one in said])
    return Choices(parts_PBC, open_BC[kept], chosen_BC[kept])


def _sample(rows: NDArray[np.intp], items: int, seed: int) -> NDArray[np.intp]:
    most = max(1, _CELLS // items)
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng([seed, items]).choice(rows, most, replace=False))
