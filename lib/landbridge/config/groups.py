"""Groups of users by what they are interested in, scenario by scenario."""

from __future__ import annotations

from pydantic import Field

from landbridge.config.node import Node


class Groups(Node):
    """Interests are factors of the items that a user had, and groups clusters of interests."""

    count: int = Field(8, ge=2, le=100, description="Groups of a scenario, fewer where it has few users.")
    factors: int = Field(32, ge=2, le=1000, description="Numbers by which an item is described.")
    iterations: int = Field(10, ge=1, description="Of the alternating least squares that find the factors.")
    alpha: float = Field(1.0, gt=0, description="How much surer they are of what a user had more often.")
    regularization: float = Field(0.1, gt=0, description="Of the factors.")
    min_events: int = Field(2, ge=1, description="A user is of a group of a scenario from so many events there on.")
    min_users: int = Field(5, ge=1, description="A group has on the average at least so many users.")
    smoothing: float = Field(
        20.0,
        gt=0,
        description="The flow out of a group counts its users in both scenarios beside so many who stand in the other "
        "as all of its users do.",
    )
    items: int = Field(10, ge=1, description="Named of a group: those it took most beyond what its scenario did.")


def check_groups(given: Groups | None, lists: bool) -> None:
    """Refuse groups where there are no items that users take."""
    if given is not None and not lists:
        raise ValueError("groups are of users who take items, and a pointwise task has none: take the section out")
