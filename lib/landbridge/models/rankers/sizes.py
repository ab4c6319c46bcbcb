"""What a ranker of pointwise rows is shaped by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class RankerSizes:
    """Shapes. Every vocabulary size counts id 0, which is padding and the unknown.

    A vocabulary of size 1 knows nothing, so that the network has no table for it. `tasks` heads answer; the first is
    the label. `outcomes`, `pairs` and `tastes` are the widths of `Events`, all zero where no history is read; `encoder`
    names what reads it beside the candidate's attention, empty where nothing does, with `recent` events of its
    short-term part and `types` of events: an answer is the only one. `features` are those of the scenario.
    """

    users: int
    items: int
    scenarios: int
    tags: int
    categories: tuple[int, ...]
    numbers: int
    dim: int
    hidden: tuple[int, ...]
    tower: tuple[int, ...]
    experts: int
    dropout: float
    tasks: int = 1
    outcomes: int = 0
    pairs: int = 0
    tastes: int = 0
    heads: int = 4
    encoder: str = ""
    layers: int = 1
    recent: int = 10
    types: int = 2
    features: int = 0

    @property
    def reads_history(self) -> bool:
        """Whether the network attends to the user's past events."""
        return self.outcomes > 0

    @property
    def user_features(self) -> int:
        """Numbers that the encoder is told of user and scenario."""
        return self.tastes + self.features

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        given: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**given)
