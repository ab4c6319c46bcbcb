"""How the source's networks become a target's: which strategies, and what each is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

from landbridge.config.node import Node, Share, beyond

GRAPH = "graph"
"""The strategy that reads edges and groups."""
BY_SCENARIO = ("ple", "pepnet", "adasparse")
"""The strategies that have a ranker of rows for their second stage, and the retriever of joint for their first."""

StrategyName = Literal[
    "joint",
    "zero_shot",
    "fine_tune",
    "freeze",
    "low_rank",
    "prompt",
    "side",
    "fusion",
    "adversarial",
    "align",
    "meta",
    "bridge",
    "generative",
    "graph",
    "ple",
    "pepnet",
    "adasparse",
]


class Adversarial(Node):
    """The strategy adversarial: a discriminator of source and target behind a gradient reversal."""

    weight: float = Field(1.0, gt=0, description="Of the discriminator's loss beside those of the examples.")
    steepness: float = Field(10.0, gt=0, description="How early the reversal grows to its full strength: gamma.")


class Align(Node):
    """The strategy align: a distance between the users of source and target."""

    by: Literal["mmd", "coral"] = Field("mmd", description="Kernel means of the users' vectors, or their covariances.")
    weight: float = Field(1.0, gt=0, description="Of the distance beside the losses of the examples.")


class Meta(Node):
    """The strategy meta: an initialisation that adapts, scenarios being the tasks."""

    rate: float = Field(0.1, gt=0, description="Of the step that adapts to a task, before it is judged.")
    turns: int = Field(8, ge=1, description="How often an epoch comes to each scenario.")


class Bridge(Node):
    """The strategy bridge: what the source knows of a user, carried over by a map of the user's own."""

    strength: float = Field(
        3.0,
        gt=0,
        description="How many of the user's own events in the target the source's word is worth: k in "
        "(n own + k carried over) / (n + k).",
    )
    hidden: int = Field(32, ge=1, description="Width of the layers that make the map.")


class Generative(Node):
    """The strategy generative: a variational autoencoder of all scenarios, with a decoder of each one's own."""

    beta: float = Field(0.01, ge=0, description="Of the divergence beside an example's loss, when it has risen.")
    anneal: Share = Field(0.5, description="Share of a fresh fit's steps over which beta rises from nothing.")


class Graph(Node):
    """The strategy graph: an item's vector takes in those of the items that the same users took."""

    layers: int = Field(2, ge=1, le=8, description="Steps from item over users to item; vectors are their mean.")
    neighbours: int = Field(30, ge=1, description="Kept of an item: those that it is tied to most.")
    user_items: int = Field(500, ge=2, description="Of a user the items that he took last count, up to so many.")
    strength: float = Field(
        10.0,
        gt=0,
        description="With the section groups: at so many own events a user's vector is half his own, half what his "
        "group of the source takes in the target.",
    )


class Crossings(Node):
    """What each strategy is told that has something of its own to be told."""

    strategies: list[StrategyName] = Field(["fine_tune"], min_length=1)
    adversarial: Adversarial = Adversarial()
    align: Align = Align()
    meta: Meta = Meta()
    bridge: Bridge = Bridge()
    generative: Generative = Generative()
    graph: Graph = Graph()

    @field_validator("strategies")
    @classmethod
    def _after_joint(cls, strategies: list[StrategyName]) -> list[StrategyName]:
        rankers = [name for name in strategies if name in BY_SCENARIO]
        if rankers and "joint" not in strategies:
            raise ValueError(f"{', '.join(rankers)} rank what joint's retriever finds: add joint to the list")
        return strategies


def check_strategies(strategies: Sequence[str], pointwise: bool, parts: bool) -> None:
    """Refuse strategies where a night fits no network by them: they learn the events of lists day by day."""
    if list(strategies) == ["fine_tune"] or not (pointwise or parts):
        return
    why = "asks about rows (pointwise)" if pointwise else "declares parts (split.part)"
    rows = "pointwise.contenders.networks.strategies names those of its rankers"
    instead = rows if pointwise else "a study fits each that --contenders names"
    raise ValueError(
        f"transfer.strategies [{', '.join(strategies)}] are of networks that learn lists day by day, and this set "
        f"{why}: leave transfer.strategies out; {instead}"
    )


def without_defaults(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the section transfer as it was before strategies were told anything, where they are told nothing new."""
    told = {"adversarial", "align", "meta", "bridge", "generative", "graph"}
    return beyond(tree, Crossings().model_dump(mode="json", include=told))
