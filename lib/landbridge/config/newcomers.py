"""Scenarios that are declared before they have an event: whose they are like, whom they serve, with what."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from landbridge.config.node import Node, Sql

Weight = Annotated[float, Field(gt=0)]


class Newcomer(Node):
    """A scenario without a log; its lists come from its neighbours until it has one."""

    like: dict[str, Weight] | None = Field(
        None,
        min_length=1,
        description="Its neighbours, scenarios with events, and how much each counts; when left out, all of them, by "
        "how near their catalogues are in the features of items.",
    )
    catalogue: Sql = Field(
        "events > 0",
        description="Over an item, its attributes, and its events in all scenarios: what the lists may hold.",
    )
    audience: Sql = Field(
        "false", description="Over user_state: who is served. Whoever is unknown is, with the list of '__new__'."
    )


def check_newcomers(newcomers: dict[str, Newcomer], lists: bool) -> None:
    """Refuse newcomers of a pointwise task, and one that is like itself or like another newcomer.

    Raises
    ------
    ValueError
        Saying which and why.
    """
    if newcomers and not lists:
        raise ValueError(
            "newcomers are served with lists, and a pointwise task has none: leave newcomers out; "
            "`landbridge study --left-out` judges what a scenario without a log would get"
        )
    for name, newcomer in newcomers.items():
        strange = sorted(set(newcomer.like or ()) & set(newcomers))
        if strange:
            raise ValueError(
                f"newcomers.{name}.like names {', '.join(strange)}, which has no events to tell anything by: "
                "name scenarios that have a log"
            )
