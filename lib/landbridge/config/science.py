"""What is learned and how it is judged and published."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from landbridge.config.associations import Candidates, KindWeights
from landbridge.config.crossing import Crossings
from landbridge.config.histories import EncoderName, Reading, check_heads
from landbridge.config.node import Name, Node, Share, Sql
from landbridge.config.pools import Blend, Reserve, Stack, Trend
from landbridge.config.rankers import Sparsity
from landbridge.config.sequences import TextTransitions, Transitions, Walk
from landbridge.config.text import Adaptor


class Running(Node):
    """An aggregate over the user's earlier events."""

    sum: Sql | None = None
    min: Sql | None = None
    max: Sql | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.sum, self.min, self.max)) != 1:
            raise ValueError("needs exactly one of sum, min, max")
        return self


class Features(Node):
    """What the models see of users and items."""

    history: int = Field(50, ge=1, le=1000)
    had: Sql = Field("outcome > 0", description="Over an event: after it the user has the item.")
    running: dict[Name, Running] = Field(default_factory=dict)
    user: dict[Name, Sql] = Field(default_factory=dict)
    item: dict[Name, Sql] = Field(default_factory=dict)
    item_windows: list[int] = Field(default_factory=lambda: [30])
    scenario: list[Literal["size", "items", "users"]] = Field(
        default_factory=list,
        description="What the networks see of the scenario that is asked about, as of the day before: how many events, "
        "items and users it has; mean and spread of the features `item`, and of `user`, in it. Of a pointwise task: of "
        "the training rows, with the numbers for items and how many rows users have.",
    )


class Split(Node):
    """Days at the end of what is known: first those for validation, then those for the test; or declared parts."""

    part: Sql | None = Field(
        None,
        description="Instead of days, over an event: 'train', 'validation' or 'test', or the number of a fold as text. "
        "A night of lists then fits no networks: they learn day by day.",
    )
    validation_days: int = Field(63, ge=1)
    test_days: int = Field(21, ge=1)


class Transfer(Crossings):
    """How the source's networks become a target's; each strategy is a contender, beside the control target_only."""

    source: str
    learning_rate: float = Field(0.0005, gt=0)
    epochs: int = Field(3, ge=1)
    batch: int = Field(128, ge=8, description="Examples a step of a target's network; a multiple of 8.")
    split_above: int = Field(
        2_000_000, ge=1, description="Targets with more examples are split over the ranks; others are dealt out whole."
    )


class Network(Node):
    """What retriever and ranker share."""

    dim: int = Field(64, ge=4)
    dropout: float = Field(0.1, ge=0, lt=1)
    learning_rate: float = Field(0.001, gt=0)
    epochs: int = Field(4, ge=1)
    batch: int = Field(2048, ge=1, description="Examples a step, over all ranks.")
    averaged: Share = Field(
        0.0,
        description="Share of the steps, the last ones, whose weights are averaged; the rate stays at its top then. "
        "0: the last weights are taken, at a falling rate.",
    )
    elsewhere: Share = Field(
        0.0,
        description="Share of the histories, drawn anew every epoch, that are learned from as those of a user new to "
        "the scenario: by what he did elsewhere alone.",
    )
    vectors: Adaptor | None = Field(
        None, description="The items' vectors are read too, of texts or other modalities; ids alone when left out."
    )


class Retriever(Reading, Network):
    """Two towers; the user tower reads the history."""

    encoder: EncoderName = Field("attention", description="What reads all events of the history.")
    negatives: int = Field(1024, ge=1, description="Sampled items a step, shared by its examples.")
    temperature: float | None = Field(
        None,
        gt=0,
        description="What scores are divided by when learning begins, after which it is learned; the square root of "
        "dim when left out. Where a catalogue is large and events are few, a low one tells items apart in fewer steps.",
    )

    @model_validator(mode="after")
    def _heads(self) -> Self:
        check_heads(self.dim, self.heads)
        return self


class Ranker(Reading, Network):
    """One network for all scenarios, with the scenario as a feature."""

    encoder: EncoderName = Field("pooled", description="What reads all events of the history: the long-term part.")
    hidden: list[int] = Field(default_factory=lambda: [128, 64])
    tower: list[int] = Field(
        default_factory=lambda: [32], description="Of the strategies ple, pepnet and adasparse: layers behind `hidden`."
    )
    experts: int = Field(4, ge=1, description="Of the strategy ple: experts that a row enters, half of them its own.")
    sparsity: Sparsity = Field(Sparsity(), description="Of the strategy adasparse.")
    recent: int = Field(10, ge=1, description="Events of the short-term part, which the candidate attends to.")
    negatives: int = Field(4, ge=1, description="Drawn per positive.")
    associations: bool | list[Name] = Field(
        False,
        description="The ranker reads how a candidate goes with the user's history, kind by kind: true for all kinds "
        "of the section associations, or some of them.",
    )
    association_days: int = Field(
        28,
        ge=1,
        description="A row that is learned from reads kinds that were learned of the days before it; they are learned "
        "anew every so many days.",
    )
    candidates: Candidates | None = Field(
        None, description="Where the candidates come from; the retriever's recommend.pool nearest when left out."
    )

    @model_validator(mode="after")
    def _heads(self) -> Self:
        check_heads(self.dim, self.heads if self.encoder == "attention" else 1)
        return self


class Negatives(Node):
    """The distribution of negatives over the scenario's catalogue: count ** power, mixed with a uniform share."""

    power: float = Field(0.75, ge=0)
    uniform: Share = 0.1


class Popularity(Node):
    """Counts of users, of all time and of the recent days."""

    recent_days: int = Field(30, ge=1)


class ItemItem(Node):
    """Cosine between items over users."""

    neighbours: int = Field(
        2000, ge=1, description="Kept of every item; few spare memory in a large catalogue and cost quality."
    )
    across: float = Field(1.0, ge=0, description="Weight of the other scenarios' evidence.")


class Ease(Node):
    """Closed-form linear item-item weights (Steck 2019)."""

    regularization: float = Field(300.0, gt=0)
    across: float = Field(1.0, ge=0)
    max_items: int = Field(20_000, ge=1, description="Above this catalogue the contender is left out, and said so.")


class Als(Node):
    """Alternating least squares for implicit feedback (Hu, Koren and Volinsky 2008)."""

    factors: int = Field(64, ge=1)
    iterations: int = Field(10, ge=1)
    alpha: float = Field(1.0, ge=0, description="How much surer it is of what a user has than of what he lacks.")
    regularization: float = Field(0.1, gt=0, description="A user's or an item's, times the pairs it has.")


class Content(Node):
    """The items whose words are those of what the user has."""

    columns: list[Name] = Field(["title"], min_length=1, description="Attributes of items (data.items) that are read.")
    decay: float = Field(
        1.0, gt=0, le=1, description="What an event of the history keeps with every later one; 1: all the user has."
    )


class Text(Node):
    """The items whose texts mean what those of the user's items mean; it needs the section `encode`."""

    decay: float = Field(
        0.8, gt=0, le=1, description="What an event of the history keeps with every later one; 1: all the user has."
    )


class Contenders(Node):
    """The simple contenders that stand beside the networks."""

    popularity: Popularity = Popularity()
    item_item: ItemItem = ItemItem()
    ease: Ease = Ease()
    trend: Trend = Trend()
    blend: Blend = Blend()
    transitions: Transitions | None = Field(None, description="Sequence neighbours; not fitted when left out.")
    cooccurrence: Transitions | None = Field(
        None, description="The same with other settings, as a control: item-item by distance; not fitted when left out."
    )
    als: Als | None = Field(None, description="Implicit factors; not fitted when left out.")
    content: Content | None = Field(None, description="Words of the items; not fitted when left out.")
    text: Text | None = Field(None, description="Encoded texts of the items; not fitted when left out.")
    text_transitions: TextTransitions | None = Field(
        None, description="Transitions lent by items with near texts; not fitted when left out."
    )

    walk: Walk | None = Field(None, description="A step aside, then transitions; not fitted when left out.")

    @model_validator(mode="after")
    def _lenders(self) -> Self:
        if self.walk is not None and self.transitions is None:
            raise ValueError("walk reads transitions: add them to contenders")
        if self.text_transitions is not None and (self.transitions is None or self.text is None):
            raise ValueError("text_transitions reads transitions and text: add both to contenders")
        return self

    reserve: Reserve | None = Field(None, description="Places for new items; not fitted when left out.")
    stack: Stack | None = Field(
        None, description="Trees over other contenders, for newcomers; not fitted when left out."
    )
    associations: KindWeights | None = Field(
        None, description="All kinds of associations of the items, across scenarios only; not fitted when left out."
    )

    @model_validator(mode="after")
    def _parts(self) -> Self:
        pools = (("trend", self.trend), ("blend", self.blend))
        taken = {name: (*given.alone, *given.across, *given.floors) for name, given in pools}
        taken["stack"] = () if self.stack is None else tuple(self.stack.parts)
        for pool, parts in taken.items():
            for part in parts:
                name = part.removesuffix("_across")
                if name in type(self).model_fields and getattr(self, name) is None:
                    raise ValueError(f"{pool} takes {part}, and {name} is not among contenders: add it, or take it out")
        for stem in (self.reserve.known, self.reserve.new) if self.reserve is not None else ():
            if getattr(self, stem) is None:
                raise ValueError(f"reserve takes {stem}, which is not among contenders: add it, or name another")
        return self


class Guard(Node):
    """The rule of publishing."""

    windows: int = Field(3, ge=1)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    min_users: int = Field(100, ge=1)
    metric: Literal["ndcg", "recall", "hit_rate"] = "ndcg"
    k: int = Field(10, ge=1)


class Evaluate(Node):
    """How the contenders are judged."""

    k: list[int] = Field(default_factory=lambda: [10, 20], min_length=1)
    users: int = Field(20_000, ge=1, description="Users judged per scenario and window, chosen by hash.")
    resamples: int = Field(500, ge=50, description="Bootstrap resamples of users.")
    candidates: int = Field(100, ge=1, description="Drawn items per positive for AUC, GAUC and log loss.")


class Recommend(Node):
    """What is published every night."""

    k: int = Field(20, ge=1)
    pool: int = Field(200, ge=1)
    audience: Sql = "array_contains(scenarios, scenario)"
    catalogue: Sql = "events > 0"
    contenders: list[str] | None = Field(
        None, min_length=1, description="Which simple contenders compete in a night; all when left out."
    )
