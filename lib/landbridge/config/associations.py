"""The small graph of items across scenarios: which kinds of association it has, and how much of each is kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Self

from pydantic import Field, model_validator

from landbridge.config.node import Name, Node

TAKEN, TEXT = "taken", "text"
"""The kinds that are no attribute's."""


class Taken(Node):
    """Two items that the same users took."""

    user_items: int = Field(500, ge=2, description="Of a user the items that he took last count, up to so many.")
    shrinkage: float = Field(
        10.0, ge=0, description="Two items that so many users took both weigh half of their cosine; of fewer, less."
    )


class Meaning(Node):
    """Two items whose texts mean the same; it needs the section `encode`."""

    max_items: int = Field(
        50_000, ge=1, description="Where more items have a vector the kind is left out, and said so."
    )


class Associations(Node):
    """What associates items of all scenarios. An item is at home in the scenario in which most users took it."""

    neighbours: int = Field(
        100, ge=1, description="Kept of an item among the items at home in each scenario, of the kinds taken and text."
    )
    taken: Taken = Taken()
    text: Meaning | None = Field(None, description="Encoded texts that mean the same; no such kind when left out.")
    attributes: list[Name] = Field(
        default_factory=list, description="Attributes of items (data.items): items of the same value, each a kind."
    )
    max_alike: int = Field(100, ge=2, description="A value of an attribute that more items have associates none.")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds there are."""
        return (TAKEN, *([TEXT] if self.text else []), *self.attributes)

    @model_validator(mode="after")
    def _kinds_are_distinct(self) -> Self:
        if len(set(self.kinds)) < len(self.kinds) or TEXT in self.attributes:
            raise ValueError(
                f"attributes {self.attributes}: each is a kind of its own, beside {TAKEN} and {TEXT}; "
                "name an attribute once, and otherwise than those"
            )
        return self


class KindWeights(Node):
    """What each kind of association counts in the contender; it needs the section `associations`."""

    weights: dict[Name, float] = Field(
        default_factory=dict,
        description="By kind; one that is not named counts 1. Cosines of texts are ten times the weights of taken.",
    )
    decay: float = Field(
        1.0, gt=0, le=1, description="What an event of the history keeps with every later one; 1: all the user has."
    )


class Candidates(Node):
    """How many candidates the ranker scores, by where they come from; it needs the section `associations`."""

    retriever: int = Field(200, ge=1, description="The nearest of the retriever, in the place of recommend.pool.")
    associations: int = Field(
        100, ge=1, description="Beside them, what goes with what the user has, of whatever kind; each item once."
    )


def kinds_read(given: Associations | None, wanted: bool | list[str]) -> tuple[str, ...]:
    """Return the kinds that the ranker reads, in the order of the section: all of them for True."""
    if given is None or not wanted:
        return ()
    return tuple(kind for kind in given.kinds if wanted is True or kind in wanted)


def check_reading(given: Associations | None, wanted: bool | list[str], candidates: Candidates | None) -> None:
    """Refuse a ranker that reads kinds that there are not.

    Raises
    ------
    ValueError
        With the key, what was found and what to do.
    """
    if given is None:
        for key, value in (("associations", wanted), ("candidates", candidates)):
            if value:
                raise ValueError(f"ranker.{key} reads kinds of the section associations: add that section")
        return
    unknown = sorted(set([] if isinstance(wanted, bool) else wanted) - set(given.kinds))
    if unknown:
        raise ValueError(f"ranker.associations: {', '.join(unknown)} is no kind; kinds: {', '.join(given.kinds)}")


def check_associations(
    given: Associations | None, contender: KindWeights | None, attributes: Collection[str], encodes: bool, lists: bool
) -> None:
    """Refuse what does not fit the rest of the tree.

    Parameters
    ----------
    attributes
        Those that items have.
    encodes, lists
        Whether texts are encoded, and whether lists are published.

    Raises
    ------
    ValueError
        With the key, what was found and what to do.
    """
    if given is None:
        if contender is not None:
            raise ValueError("contenders.associations weighs kinds of the section associations: add that section")
        return
    if not lists:
        raise ValueError("associations are of items in lists, and a pointwise task has none: take the section out")
    if given.text is not None and not encodes:
        raise ValueError("associations.text compares encoded texts, so there must be a section encode: add it")
    missing = sorted(set(given.attributes) - set(attributes))
    if missing:
        known = ", ".join(attributes) or "none"
        raise ValueError(f"associations.attributes: {', '.join(missing)} is no attribute of items; those: {known}")
    unknown = sorted(set(contender.weights if contender else ()) - set(given.kinds))
    if unknown:
        known = ", ".join(given.kinds)
        raise ValueError(f"contenders.associations.weights: {', '.join(unknown)} is no kind; kinds: {known}")
