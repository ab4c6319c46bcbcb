"""A study: contenders times seeds, compared with a control; and what `landbridge tune` searches."""

from __future__ import annotations

import datetime as dt
from typing import Self

from pydantic import Field, model_validator

from landbridge.config.node import Name, Node, Share


class Range(Node):
    """What a key may be: between two bounds (whole numbers if both are whole), or one of some choices."""

    low: int | float | None = None
    high: int | float | None = None
    log: bool = Field(False, description="Drawn evenly in the logarithm.")
    choices: list[bool | int | float | str] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        bounds = self.low is not None and self.high is not None
        if bounds == (self.choices is not None):
            raise ValueError("needs either low and high or choices")
        if self.low is not None and self.high is not None and (self.low > self.high or (self.log and self.low <= 0)):
            raise ValueError("low must not be above high, and is above zero where log is true")
        return self


class Tune(Node):
    """A search over keys of this configuration, judged on validation rows only."""

    contender: str | None = Field(None, description="Which contender is tuned.")
    aim: str | None = Field(
        None, description="Whose measure is raised, as the table names its rows; that of all (targets) when left out."
    )
    trials: int = Field(30, ge=1)
    keys: dict[str, Range] = Field(
        default_factory=dict, description="By the key's path, as pointwise.contenders.trees.leaves."
    )


class ColdUsers(Node):
    """Users who lose a scenario, so that only what they did elsewhere tells what they want there."""

    scenario: str
    one_in: int = Field(5, ge=2, description="Users whose id has a CRC-32 that this divides are chosen.")


class ColdItems(Node):
    """Items that nothing is learned of: only their texts tell who wants them."""

    by: Name = Field("item_id", description="An attribute of items (data.items), or item_id.")
    one_in: int = Field(10, ge=3, description="Items whose `by` has a CRC-32 that this divides are left out.")
    groups: int = Field(3, ge=2, description="Of users of several scenarios; one is judged by the others' rows.")


class LeftOut(Node):
    """Each scenario judged by what was fitted on the others alone (--left-out), for pointwise tasks."""

    control: str = Field("biases_across", description="What the others are compared with.")
    contenders: list[str] = Field(
        default_factory=lambda: ["biases_across", "zero_shot"],
        min_length=1,
        description="Those that are compared: fitted once for all scenarios, or zero_shot.",
    )
    sharpness: float = Field(
        1.0, ge=0, description="zero_shot: how fast a neighbour's weight falls with its distance; 0: all weigh alike."
    )


class Study(Node):
    """What is compared, how often, and with what.

    `cold`, `cold_items` and `shares` are of ranking tasks with declared parts.
    """

    ds: dt.date | None = Field(None, description="The day whose tables are studied; the first day when left out.")
    seeds: list[int] = Field(default_factory=lambda: [0, 1, 2, 3, 4], min_length=1)
    control: str | None = Field(None, description="What the others are compared with; the first when left out.")
    controls: list[str] = Field(
        default_factory=list, description="Further ones that the others are compared with, as joint: a table each."
    )
    contenders: list[str] | None = Field(
        None, description="Those studied; when left out all but the networks of lists, which are studied where named."
    )
    validation: bool = Field(True, description="Whether the measure on validation rows is computed beside the test's.")
    published: list[str] = Field(
        default_factory=list,
        description="Pointwise: the contenders among which the rule of publishing chooses on other rows than those "
        "judged; what it chose is a row 'published' of the table.",
    )
    windows: list[dt.date] = Field(
        default_factory=list, description="Ranking: the last days of training; the days after each are judged."
    )
    days: int = Field(21, ge=1, description="Ranking: how many days after the last of training are judged.")
    chosen_on: int | None = Field(
        None,
        ge=1,
        description="Ranking: a configuration is chosen on so many windows, the first ones; a search is judged on them "
        "alone, and the table tells them from the rest.",
    )
    matrix: str | None = Field(None, description="The contender whose source x target gains --matrix measures.")
    left_out: LeftOut = LeftOut()
    cold: ColdUsers | None = Field(None, description="Judges users who are known in other scenarios only.")
    cold_items: ColdItems | None = Field(None, description="Judges items that nobody is known to have had.")
    shares: list[Share] = Field(
        default_factory=list, description="Learning curve: shares of a scenario's users whose events there are learned."
    )
    tune: Tune = Tune()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.windows != sorted(set(self.windows)):
            raise ValueError("windows must ascend, each day once")
        if self.chosen_on is not None and self.chosen_on > len(self.windows):
            raise ValueError(f"chosen_on is {self.chosen_on}, but there are {len(self.windows)} windows")
        return self
