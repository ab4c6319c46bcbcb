"""The simple contenders, each alone and across: the controls that every transferred network has to beat."""

from __future__ import annotations

from landbridge.config.schema import Config
from landbridge.contenders.base import Contender
from landbridge.contenders.ease import Ease
from landbridge.contenders.item_item import ItemItem
from landbridge.contenders.popularity import Popularity
from landbridge.contenders.transitions import Transitions

POPULARITIES = ("popularity", "popularity_recent")
"""The contenders that need not know the user, in the order of preference at a tie."""


def all_simple(config: Config) -> list[Contender]:
    """Return the simple contenders of a configuration, those alone first."""
    given = config.contenders
    alone: list[Contender] = []
    across: list[Contender] = []
    for crosses, group in ((False, alone), (True, across)):
        group += [
            Popularity(crosses),
            Popularity(crosses, given.popularity.recent_days),
            ItemItem(given.item_item.neighbours, given.item_item.across if crosses else None),
            Ease(given.ease.regularization, given.ease.max_items, given.ease.across if crosses else None),
        ]
        if given.transitions is not None:
            group.append(Transitions(given.transitions, crosses))
    return alone + across
