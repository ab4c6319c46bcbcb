"""What the source knows of a user is carried over a bridge of the user's own (EMCDR, Man et al. 2017; PTUPCDR, Zhu et
al. 2022), and counts as much as some of the user's events in the target (`models.bridge`).

Both papers fit the target's own factors apart, because no item is in both domains. Here scenarios share a vocabulary,
and so the target's own networks begin as the source's, as in fine_tune, and the bridge begins by changing nothing. The
ranker is that of fine_tune: it holds each candidate against the user's events, those of the source among them, and has
no one vector of a user that could be carried over.
"""

from __future__ import annotations

from landbridge.models.bridge import Bridging
from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import Crossing
from landbridge.transfer.fine_tune import FineTune


class Bridge(FineTune):
    """u = (n u_target + k W_u u_source) / (n + k), learned by the target's examples while the source stays."""

    name = "bridge"
    shares_users = True

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return a copy of the source's networks that takes the target for the source, with the source as it is beside
        its retriever.
        """
        taken, given = super().start(source, sizes, seed, crossing), crossing.given.bridge
        beside = self.needed(source).copy(sizes, seed)
        return taken.bridged(beside, Bridging(crossing.source, given.strength, given.hidden), seed)

    def renewed(
        self, networks: Networks, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing
    ) -> Networks:
        """Return the same networks with the source's newest fit beside them."""
        return networks.with_source(self.needed(source).copy(sizes, seed))
