"""A pointwise task: every row is a question with one answer (a loan, a coupon, a rating); there is no list to rank."""

from __future__ import annotations

from pydantic import Field, model_validator

from landbridge.config.node import Name, Node, Sql


class Pointwise(Node):
    """What a row of `examples` holds where the task is pointwise. Expressions are over the columns of `events`."""

    label: Sql = Field("outcome > 0", description="The answer; null where it is not known yet.")
    value: Sql | None = Field(None, description="A graded answer behind the label, such as a rating; null where none.")
    numbers: dict[Name, Sql] = Field(default_factory=dict, description="Numeric columns; null is missing.")
    categories: dict[Name, Sql] = Field(default_factory=dict, description="Text columns; null is missing.")
    tags: Sql | None = Field(None, description="An array of texts that belongs to the item, such as its genres.")

    @model_validator(mode="after")
    def _distinct(self) -> Pointwise:
        both = set(self.numbers) & set(self.categories)
        if both:
            raise ValueError(f"{', '.join(sorted(both))} stand both under numbers and under categories")
        return self
