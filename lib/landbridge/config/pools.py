"""Contenders that are made of other contenders: trend, blend, reserve and stack."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from landbridge.config.node import Node

OwnPart = Literal[
    "popularity",
    "popularity_recent",
    "item_item",
    "ease",
    "transitions",
    "als",
    "content",
    "text",
    "text_transitions",
]
Stem = Literal[
    "popularity",
    "item_item",
    "ease",
    "transitions",
    "als",
    "content",
    "text",
    "text_transitions",
    "trend",
    "blend",
]
"""Contenders that are fitted alone or across, by what both names begin with."""
AcrossPart = Literal[
    "popularity_across",
    "popularity_recent_across",
    "item_item_across",
    "ease_across",
    "transitions_across",
    "walk",
    "als_across",
    "content_across",
    "text_across",
    "text_transitions_across",
    "associations",
]
Part = Literal[OwnPart, AcrossPart]


class Pool(Node):
    """A weighted sum of logarithms of what other contenders score; without a part it does not compete."""

    alone: dict[OwnPart, float] = Field(description="Weights by contender, of the one that learns alone.")
    across: dict[Part, float] = Field(description="Weights of the one that learns across.")
    floor: float = Field(0.01, gt=0, description="Added to what neighbours score; to counts of users 1 is added.")
    floors: dict[Part, float] = Field(
        default_factory=dict, description="The same by contender, where one scores on another scale."
    )
    held_out_days: int = Field(
        0, ge=0, description="Last days of training on which the weights are fitted; 0 takes them as they are."
    )
    prior: float = Field(10.0, gt=0, description="How many users with new items the configured weights are worth.")


_TREND_ALONE: dict[OwnPart, float] = {"popularity_recent": 1.0, "popularity": -0.5}
_TREND_ACROSS: dict[Part, float] = {"popularity_recent_across": 1.0, "popularity_across": -0.7, "popularity": 0.5}
_BLEND_ALONE: dict[OwnPart, float] = {"ease": 1.0, "item_item": 1.0, "popularity_recent": 1.0, "popularity": -1.0}
_BLEND_ACROSS: dict[Part, float] = {
    "ease_across": 1.0,
    "item_item_across": 1.0,
    "popularity_recent_across": 1.0,
    "popularity_across": -1.25,
    "popularity": 0.4,
}


class Trend(Pool):
    """Popularity of the recent days against that of all time; it ignores who is asking."""

    alone: dict[OwnPart, float] = Field(_TREND_ALONE)
    across: dict[Part, float] = Field(_TREND_ACROSS)


class Blend(Pool):
    """Neighbours and trend together."""

    alone: dict[OwnPart, float] = Field(_BLEND_ALONE)
    across: dict[Part, float] = Field(_BLEND_ACROSS)


class Reserve(Node):
    """Every n-th place of a list for an item that nobody has had; two contenders order the items, each its own."""

    every: int = Field(3, ge=2, description="The places n, 2n, 3n ... are for new items.")
    known: Stem = Field(description="The contender, or blend, that orders what somebody has had.")
    new: Stem = Field("text", description="The contender, or blend, that orders what nobody has.")


class Stack(Node):
    """For users new to a scenario: trees order what the parts choose, learned from users who lose it for that."""

    parts: list[AcrossPart] = Field(
        min_length=1, description="Who chooses candidates; the first also serves users with events in the scenario."
    )
    candidates: int = Field(150, ge=10, description="The best of each part.")
    folds: int = Field(8, ge=2, description="The parts are fitted this often, each time without a fold's lost events.")
    users: int = Field(20_000, ge=100, description="Of a scenario and fold, at most.")
    iterations: int = Field(200, ge=1)
    learning_rate: float = Field(0.05, gt=0)
    leaves: int = Field(7, ge=2)
    l2: float = Field(10.0, ge=0)
    min_rows: int = Field(200, ge=1, description="Candidates of a leaf, at least.")
