"""A bridge from what the source knows of users: EMCDR (Man et al. 2017), PTUPCDR (Zhu et al. 2022).

The target's ranker begins fresh, as in target_only; the source's vectors of users come in over a bridge
(`models.rankers.bridge`).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.crossing.base import FromSource, no_source
from landbridge.contenders.pointwise.crossing.beside import met_only
from landbridge.contenders.pointwise.fitting import Fit, Fitting, Material
from landbridge.contenders.pointwise.prepared import Known
from landbridge.feed.rows import Rows
from landbridge.models.rankers import PointRanker
from landbridge.models.rankers.bridge import LIKED, Bridge
from landbridge.models.rankers.forms import change


class Bridged(FromSource):
    """(n u + k u_bridge) / (n + k) in the place of the user's vector."""

    name = "bridge"
    continued = False

    def left_out(self, view: PointView, settings: RankerSettings) -> str | None:
        """Return why not: as for the others, or nobody is there to be carried over."""
        return no_source(view) or nobody_in_both(view, settings, self.name)

    def start(self, fitting: Fitting, view: PointView, begun: Fit) -> PointRanker:
        """Return a fresh ranker with a bridge under its users, full of what the source knows."""
        given = Material.crossed(view)
        ranker = fitting.new(view, given.rows, given.seen)
        change(ranker, {"name": self.name, "weight": view.config.transfer.bridge.strength})
        bridge = ranker.inputs.carried
        assert isinstance(bridge, Bridge)
        source = met_only(begun)
        for field, name in (("user", "user_UD"), ("item", "item_ID")):
            if field in source.inputs.ids:
                table = source.inputs.ids[field].get_parameter("table.weight")
                bridge.get_buffer(name).copy_(table.detach())
        rows = view.rows.of_scenario(view.config.transfer.source)
        bridge.get_buffer("liked_UL").copy_(torch.from_numpy(_liked(rows, begun.known)))
        bridge.get_buffer("there_U").copy_(torch.from_numpy(begun.known.user_U))
        users = rows.coding.size("user")
        bridge.get_buffer("count_U").copy_(torch.from_numpy(np.bincount(given.rows.user_N, minlength=users)))
        return ranker


def nobody_in_both(view: PointView, settings: RankerSettings, name: str) -> str | None:
    """Return a sentence where no user with an embedding in the source has rows in the view's scope."""
    source = Known.fit(view.rows.of_scenario(view.config.transfer.source), settings.user_rows)
    if source.user_U[view.own(view.rows).user_N].any():
        return None
    return (
        f"{view.scope}: {name} carries what the source {view.config.transfer.source} knows of users, and no user with "
        f"{settings.user_rows} rows there has any here; leave {name} out of the strategies"
    )


def _liked(rows: Rows, known: Known) -> NDArray[np.int64]:
    """Return the items that each user liked, [U, LIKED], the newest where moments are told; 0 is padding."""
    some = rows.take((rows.label_N > 0) & known.user_U[rows.user_N] & known.item_I[rows.item_N])
    order = np.lexsort((-np.nan_to_num(some.moment_N), some.user_N))
    user_E, item_E = some.user_N[order], some.item_N[order]
    place_E = np.arange(len(user_E)) - np.searchsorted(user_E, user_E)
    kept_E = place_E < LIKED
    liked_UL: NDArray[np.int64] = np.zeros((rows.coding.size("user"), LIKED), np.int64)
    liked_UL[user_E[kept_E], place_E[kept_E]] = item_E[kept_E]
    return liked_UL
