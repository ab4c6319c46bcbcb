"""The edges between items that the strategy graph reads: who took both, as of the last day of a fit.

They are built of the fit's interactions, not of the associations of the kind taken: those are cut by the scenario in
which an item is at home and shrunk, where the convolution wants the paths from an item over its users to others.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from landbridge.config.crossing import Graph
from landbridge.contenders.kinds import cut, latest
from landbridge.feed.interactions import Interactions
from landbridge.feed.learned import FitRows
from landbridge.models.graph import Edges

_DAY = dt.timedelta(days=1)


@dataclass
class Connecting:
    """Finds the edges as of any day, for a process of a job; those of a day are found once."""

    settings: Graph
    rows: FitRows
    _found: dict[dt.date, Edges] = field(default_factory=dict)

    def as_of(self, day: dt.date) -> Edges:
        """Return the edges of what was taken up to the end of a day, in all scenarios."""
        if day not in self._found:
            self._found = {day: edges(self.rows.whole.before(day + _DAY), self.settings)}
        return self._found[day]


def edges(log: Interactions, settings: Graph) -> Edges:
    """Return the strongest neighbours of every item.

    How strongly items are tied is R~' R~ with R~ = D_u^-1/2 R D_i^-1/2 (He et al. 2020, LightGCN, section 3.1), an item
    to itself too. What is kept of an item's shares is scaled to one, so that a cut does not shorten its vector; an item
    that nobody took is its only neighbour.
    """
    had = latest(log, settings.user_items)
    share_U, share_V = (_inverse_root(np.asarray(had.sum(axis=axis), np.float64).ravel()) for axis in (1, 0))
    scaled = sp.csr_matrix(sp.diags(share_U) @ had @ sp.diags(share_V))
    size = had.shape[1]
    kept = cut(sp.csr_matrix(scaled.T @ scaled), np.zeros(size, np.int32), settings.neighbours)
    near_IN, share_IN = np.zeros((size, settings.neighbours), np.int32), np.zeros((size, settings.neighbours))
    row = np.repeat(np.arange(size), np.diff(kept.indptr))
    place = np.arange(kept.nnz) - kept.indptr[row]
    near_IN[row, place], share_IN[row, place] = kept.indices, kept.data
    alone_I = np.diff(kept.indptr) == 0
    near_IN[alone_I, 0], share_IN[alone_I, 0] = np.flatnonzero(alone_I), 1.0
    share_IN /= share_IN.sum(axis=1, keepdims=True)
    return Edges(torch.from_numpy(near_IN), torch.from_numpy(share_IN.astype(np.float32)))


def _inverse_root(count: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(1.0, np.sqrt(count), out=np.zeros_like(count), where=count > 0)
