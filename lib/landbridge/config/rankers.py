"""Networks that answer pointwise rows: which rankers, which strategies, and how they are fitted."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from landbridge.config.histories import Reading, check_heads
from landbridge.config.node import Name, Node, Share

Kind = Literal["single", "shared", "shared_bottom", "mmoe", "star", "ple", "pepnet", "adasparse"]
Crossing = Literal[
    "joint",
    "target_only",
    "zero_shot",
    "fine_tune",
    "freeze",
    "low_rank",
    "side",
    "fusion",
    "bridge",
    "graph",
    "adversarial",
    "align",
    "meta",
    "prompt",
]


class Sparsity(Node):
    """What share of each layer adasparse prunes; only a share outside the bounds costs anything."""

    low: Share = Field(0.15, description="The least share of a layer's neurons that a row goes without.")
    high: Share = Field(0.25, description="The largest.")
    weight: float = Field(1.0, ge=0, description="Of the squared distance to the middle, beside the log loss.")

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low is {self.low}, above high {self.high}; a share cannot lie between them")
        return self


class Distill(Node):
    """Which contender a group's networks learn from beside the labels."""

    teacher: str = Field(description="A contender that is fitted once for all scenarios, such as mmoe or blend_across.")
    weight: Share = Field(0.5, description="Of its probability in what a network is asked for; the rest is the label.")


class RankerSettings(Reading):
    """A group of contenders: every kind with every strategy. A joint fit is named as its kind; `single` has none."""

    suffix: Name | None = Field(None, description="Ends the names, so that a second group stands beside the first.")
    kinds: tuple[Kind, ...] = Field(("single", "shared", "shared_bottom", "mmoe", "star"), min_length=1)
    strategies: tuple[Crossing, ...] = Field(
        ("joint",), min_length=1, description="All scenarios at once, or from transfer.source to each target."
    )
    pooling: Share | None = Field(
        None, description="Weight of a kind's joint fit in <kind>_pooling, beside the own one; none when left out."
    )
    distill: Distill | None = Field(None, description="The networks are smaller ones that stand in for this contender.")
    int8: bool = Field(
        False, description="Weights of 8 bits after the fit: files of a quarter, scoring as fast as before."
    )
    dim: int = Field(32, ge=2)
    hidden: list[int] = Field(default_factory=lambda: [128, 64], min_length=1)
    tower: list[int] = Field(default_factory=lambda: [32])
    experts: int = Field(4, ge=1, description="That a row enters: of mmoe all are shared, of ple half are its own.")
    sparsity: Sparsity = Sparsity()
    heads: int = Field(4, ge=1, description="Of the candidate's attention on the history, and of the encoder's.")
    history: int = Field(0, ge=0, description="Events of the user beside a row, those nearest to its item; 0: none.")
    across: bool = Field(True, description="The history holds events of all scenarios, not only of the row's own.")
    recent: int = Field(10, ge=1, description="Events of the encoder's short-term part, which the scenario attends to.")
    neighbours: int = Field(400, ge=1, description="Items that count as near to an item.")
    shrink: float = Field(20.0, ge=0, description="Users that an item-item similarity is pulled to zero by.")
    tasks: tuple[Literal["label", "value"], ...] = Field(
        ("label",), min_length=1, description="Heads: the label first, and the graded answer behind it."
    )
    epochs: int = Field(6, ge=1, description="At most; the epoch with the best AUC on held-out rows is kept.")
    batch: int = Field(2048, ge=1)
    learning_rate: float = Field(0.003, gt=0)
    fine_tune_rate: float = Field(0.3, gt=0, description="Share of the learning rate with which a target continues.")
    dropout: float = Field(0.2, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0, description="Decoupled from the gradient (AdamW).")
    user_rows: int = Field(2, ge=1, description="A user with fewer training rows has no embedding.")

    @field_validator("strategies", mode="before")
    @classmethod
    def _of_rows(cls, given: Any) -> Any:
        if isinstance(given, list | tuple) and "generative" in given:
            raise ValueError(
                "generative models which of all items a user takes, and a row asks about one: it is a strategy of "
                "lists (transfer.strategies); leave it out here"
            )
        return given

    @model_validator(mode="after")
    def _reads_what_is_there(self) -> Self:
        if self.encoder is not None and self.history == 0:
            raise ValueError(f"encoder {self.encoder} reads the history, which is 0; set history to a number of events")
        if self.augment.any and self.encoder is None:
            raise ValueError(
                "augment makes views of the history, which nothing encodes; set encoder to attention, recurrent, "
                "convolutional or pooled"
            )
        if self.distill is not None and (self.strategies != ("joint",) or "single" in self.kinds or self.pooling):
            raise ValueError(
                f"distill: {self.distill.teacher} teaches networks of all scenarios at once; write "
                "strategies: [joint], and leave the kind single and pooling out"
            )
        if self.encoder == "attention":
            check_heads(self.dim, self.heads)
        return self
