"""The simple contenders, each alone and across: the controls that every transferred network has to beat."""

from __future__ import annotations

from landbridge.config.schema import Config
from landbridge.contenders.als import Als
from landbridge.contenders.associations import Associations
from landbridge.contenders.base import Contender
from landbridge.contenders.blend import Blend
from landbridge.contenders.content import Content
from landbridge.contenders.ease import Ease
from landbridge.contenders.item_item import ItemItem
from landbridge.contenders.popularity import Popularity
from landbridge.contenders.reserve import Reserve
from landbridge.contenders.stack import Stack
from landbridge.contenders.text import Text
from landbridge.contenders.text_transitions import TextTransitions
from landbridge.contenders.transitions import Transitions
from landbridge.contenders.walk import Walk

POPULARITIES = ("popularity", "popularity_recent")
"""The contenders that need not know the user, in the order of preference at a tie."""


def all_simple(config: Config) -> list[Contender]:
    """Return the simple contenders of a configuration, those alone first."""
    alone, across = (_closed_forms(config, crosses) for crosses in (False, True))
    alone += _blends(config, False, alone)
    across += _blends(config, True, [*alone, *across])
    return [*alone, *_reserve(config, False, alone), *across, *_reserve(config, True, across), *_stack(config, across)]


def _closed_forms(config: Config, crosses: bool) -> list[Contender]:
    given = config.contenders
    chosen: list[Contender] = [] if given.transitions is None else [Transitions(given.transitions, crosses)]
    chosen += [] if given.cooccurrence is None else [Transitions(given.cooccurrence, crosses, "cooccurrence")]
    chosen += [] if given.als is None else [Als(given.als, crosses)]
    chosen += [] if given.content is None else [Content(given.content, crosses)]
    chosen += [] if given.text is None else [Text(given.text, crosses)]
    if crosses and given.walk is not None and given.transitions is not None:
        chosen.append(Walk(given.walk, Transitions(given.transitions, crosses)))
    if given.text_transitions is not None and given.transitions is not None:
        chosen.append(TextTransitions(given.text_transitions, Transitions(given.transitions, crosses)))
    if crosses and given.associations is not None and config.associations is not None:
        chosen.append(Associations(config.associations, given.associations))
    return [
        Popularity(crosses),
        Popularity(crosses, given.popularity.recent_days),
        ItemItem(given.item_item.neighbours, given.item_item.across if crosses else None),
        Ease(given.ease.regularization, given.ease.max_items, given.ease.across if crosses else None),
        *chosen,
    ]


def _blends(config: Config, crosses: bool, known: list[Contender]) -> list[Contender]:
    """Return the trend and the blend of the known contenders, those that have parts."""
    found: list[Contender] = []
    for stem, given in (("trend", config.contenders.trend), ("blend", config.contenders.blend)):
        weights = {str(name): weight for name, weight in (given.across if crosses else given.alone).items()}
        if weights:
            parts = tuple((contender, weights[contender.name]) for contender in known if contender.name in weights)
            floors = {str(name): floor for name, floor in given.floors.items()}
            found.append(Blend(stem, crosses, parts, given.floor, given.held_out_days, given.prior, floors))
    return found


def _reserve(config: Config, crosses: bool, known: list[Contender]) -> list[Contender]:
    """Return what keeps places for new items, where it is configured and has both its parts."""
    given = config.contenders.reserve
    by_name = {contender.name.removesuffix("_across"): contender for contender in known}
    if given is None or not {given.known, given.new} <= set(by_name):
        return []
    return [Reserve(crosses, by_name[given.known], by_name[given.new], given.every)]


def _stack(config: Config, across: list[Contender]) -> list[Contender]:
    """Return what orders for newcomers, where it is configured."""
    given, by_name = config.contenders.stack, {contender.name: contender for contender in across}
    return [] if given is None else [Stack(given, tuple(by_name[str(part)] for part in given.parts))]
