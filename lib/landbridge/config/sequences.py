"""Contenders that know what follows what."""

from __future__ import annotations

from pydantic import Field

from landbridge.config.node import Node


class Steps(Node):
    """How an event speaks for what comes after it."""

    distance_power: float = Field(0.3, ge=0, description="An event d moments away counts d to this power less.")
    backward: float = Field(0.15, ge=0, description="Weight of the way back, from the later item to the earlier one.")
    decay: float = Field(0.7, gt=0, le=1, description="What an event keeps with every later event of the user.")


class Transitions(Node):
    """Sequence neighbours: what follows what within a window."""

    window: int = Field(50, ge=1, description="Events that two of a pair are apart at most.")
    length_power: float = Field(0.2, ge=0, description="A user of n events counts n to this power less a pair.")
    source_power: float = Field(0.7, ge=0)
    target_power: float = Field(
        0.1, description="The users of an item to these powers divide what leads from and to it."
    )
    shrinkage: float = Field(20.0, gt=0, description="Added to the users of an item before the power is taken.")
    own: Steps = Field(Steps(), description="Between events of one scenario.")
    other: Steps = Field(Steps(), description="Between events of two scenarios.")
    across: float = Field(1.0, ge=0, description="Weight of pairs of events of two scenarios.")
    newcomer_decay: float | None = Field(
        None,
        gt=0,
        le=1,
        description="other.decay of a user who has no event of the scenario asked about; the same when left out.",
    )
    neighbours: int | None = Field(None, ge=1, description="Of an item; all when left out.")


class TextTransitions(Node):
    """What follows what, read off the items with the nearest texts; it needs `transitions` and `text`."""

    neighbours: int = Field(30, ge=1, description="Items with the nearest texts that lend to an item.")
    power: float = Field(2.0, gt=0, description="Each lends by its cosine to this power.")
    decay: float = Field(0.9, gt=0, le=1, description="What an event of the history keeps with every later one.")
    max_items: int = Field(
        200_000, ge=1, description="Above so many items with a text the contender is left out, and said so."
    )


class Walk(Node):
    """For users new to a scenario: the nearest items elsewhere, then what follows those; it needs `transitions`."""

    neighbours: int = Field(30, ge=1, description="Items that the first step leads to from each.")
