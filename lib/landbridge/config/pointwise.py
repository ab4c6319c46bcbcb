"""A pointwise task: every row is a question with one answer (a loan, a coupon, a rating); there is no list to rank."""

from __future__ import annotations

from pydantic import Field, model_validator

from landbridge.config.neighbours import Memory
from landbridge.config.node import Name, Node, Share, Sql
from landbridge.config.rankers import RankerSettings

_TAKEN = frozenset({"example_id", "ds", "ts", "user_id", "item_id", "scenario", "label", "value", "part", "tags"})


class Logistic(Node):
    """Logistic regression on one-hot categories and standardised numbers, means in the place of what is missing."""

    inverse_penalty: float = Field(0.5, gt=0, description="C: the inverse of the weight of the squared penalty.")
    iterations: int = Field(2000, ge=1)


class Trees(Node):
    """Gradient-boosted trees (LightGBM)."""

    learning_rate: float = Field(0.06, gt=0)
    iterations: int = Field(250, ge=1)
    leaves: int = Field(15, ge=2)
    l2: float = Field(1.0, ge=0)
    min_rows: int = Field(20, ge=1, description="Rows of a leaf, at least.")
    category_l2: float = Field(1.0, ge=0, description="The penalty in splits on categories.")
    category_smoothing: float = Field(10.0, ge=0, description="Pulls the order of rare categories to the mean.")
    pooling: Share = Field(0.5, description="Weight of the joint trees beside those of the scenario alone.")
    weight_folds: int = Field(3, ge=2, description="Folds of the training rows on which trees_weighted chooses it.")
    weight_rows: int = Field(
        1000, ge=0, description="trees_weighted: rows for which all scenarios together count in a scenario's weight."
    )


class PointContenders(Node):
    """The contenders of a pointwise task."""

    names: list[str] | None = Field(None, description="Which take part; all of them when left out.")
    logistic: Logistic = Logistic()
    trees: Trees = Trees()
    averages: dict[Name, list[str]] = Field(
        default_factory=dict,
        description="Contenders by name that are the mean of the log odds of others: two or more, all of them fitted "
        "for one scenario (logistic, trees) or all of them on every scenario (logistic_joint, trees_weighted).",
    )
    memory: Memory = Memory()
    networks: list[RankerSettings] = Field(
        default_factory=lambda: [RankerSettings()], description="Groups of networks; each has its own suffix."
    )


class Pointwise(Node):
    """What a row of `examples` holds where the task is pointwise. Expressions are over the columns of `events`."""

    label: Sql = Field("outcome > 0", description="The answer; null where it is not known yet.")
    value: Sql | None = Field(None, description="A graded answer behind the label, such as a rating; null where none.")
    numbers: dict[Name, Sql] = Field(default_factory=dict, description="Numeric columns; null is missing.")
    categories: dict[Name, Sql] = Field(default_factory=dict, description="Text columns; null is missing.")
    tags: Sql | None = Field(
        None,
        description="An array of texts of the item, such as genres; a text 'group:word' is in a group of its own.",
    )
    contenders: PointContenders = PointContenders()

    @model_validator(mode="after")
    def _distinct(self) -> Pointwise:
        both = set(self.numbers) & set(self.categories)
        if both:
            raise ValueError(f"{', '.join(sorted(both))} stand both under numbers and under categories")
        taken = _TAKEN & {*self.numbers, *self.categories}
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))} are columns of every example; give yours another name")
        return self
