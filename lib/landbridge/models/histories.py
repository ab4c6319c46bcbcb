"""A batch of user histories as tensors: what both networks read of a user."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from landbridge.feed.states import States
from landbridge.models.initial import mix
from landbridge.models.noise import Noise

EVENTS = ("item_HL", "scenario_HL", "type_HL", "outcome_HL", "age_HL")
"""What `Histories` holds of every event."""
LENGTHS = (4, 12, 28)
"""While a network learns, histories up to so many events are read together, and all longer ones."""

Embed = Callable[[Tensor], Tensor]
"""Makes vectors [..., D] of ids [...]."""
Read = Callable[[Tensor, "Histories", Noise | None], tuple[Tensor, ...]]
"""What is made of item_HLD, histories and noise: tensors with a row a history."""


@dataclass(frozen=True)
class Histories:
    """H histories of L events, oldest first, right-aligned: the newest event is at L - 1; item 0 is padding.

    `age_HL` is in days before the moment of the row; `scenario_H` is the scenario that is asked about.
    """

    item_HL: Tensor
    scenario_HL: Tensor
    type_HL: Tensor
    outcome_HL: Tensor
    age_HL: Tensor
    user_HF: Tensor
    scenario_H: Tensor

    @classmethod
    def of(
        cls,
        item_HL: NDArray[np.int32],
        scenario_HL: NDArray[np.int32],
        type_HL: NDArray[np.int32],
        outcome_HL: NDArray[np.float32],
        age_HL: NDArray[np.float32],
        user_HF: NDArray[np.float32],
        scenario_H: NDArray[np.int32],
    ) -> Histories:
        """Return tensors of arrays; ids become int64, as torch indexes with."""
        return cls(
            _ids(item_HL),
            _ids(scenario_HL),
            _ids(type_HL),
            _values(outcome_HL),
            _values(age_HL),
            _values(user_HF),
            _ids(scenario_H),
        )

    def __len__(self) -> int:
        return len(self.item_HL)

    @property
    def present(self) -> Tensor:
        """present_HL: true where there is an event."""
        return self.item_HL > 0

    def kept(self, kept_HL: Tensor) -> Histories:
        """Return the events that are kept, right-aligned again; the rest is padding."""
        order_HL = torch.argsort(kept_HL.to(torch.int8), dim=1, stable=True)
        values = {name: torch.where(kept_HL, getattr(self, name), 0).gather(1, order_HL) for name in EVENTS}
        return replace(self, **values)

    def packed(self) -> tuple[Tensor, Histories]:
        """Return the ids of all events, P, and the histories with each event's place among them, from 1, for its id."""
        present_HL = self.present
        item_P = self.item_HL[present_HL]
        place_HL = torch.zeros_like(self.item_HL)
        place_HL[present_HL] = torch.arange(1, len(item_P) + 1)
        return item_P, replace(self, item_HL=place_HL)

    def newest(self, row_R: Tensor, length: int) -> Histories:
        """Return the last `length` places of some rows."""
        values = {name: getattr(self, name)[row_R, -length:] for name in EVENTS}
        return replace(self, user_HF=self.user_HF[row_R], scenario_H=self.scenario_H[row_R], **values)

    def keys(self) -> NDArray[np.uint64]:
        """Return a hash of every row's content: the same row has the same key in every batch and on every rank."""
        key_H = self.scenario_H.numpy().astype(np.uint64)
        columns = np.concatenate([self.item_HL.numpy(), self.user_HF.numpy().view(np.int32)], axis=1).astype(np.uint64)
        with np.errstate(over="ignore"):
            for column in columns.T:
                key_H = mix(key_H * np.uint64(31) + column)
        return key_H


def histories_of(states: States) -> Histories:
    """Return the histories of the states, as tensors."""
    scenario_H = np.full(len(states), states.scenario, np.int32)
    return Histories.of(
        states.item_BL, states.scenario_BL, states.type_BL, states.outcome_BL, states.age_BL, states.user_BF, scenario_H
    )


def read_of(item: Embed, read: Read, histories: Histories, noise: Noise | None, learns: bool) -> tuple[Tensor, ...]:
    """Return what is read of histories.

    While a network learns those of like length are read together, without the padding that most of them are, and items
    are embedded once for all. Only then: a product of other rows may round otherwise, and a list must not depend on who
    else asks.
    """
    if not learns:
        return read(item(histories.item_HL), histories, noise)
    item_P, placed = histories.packed()
    item_PD = F.pad(item(item_P), (0, 0, 1, 0))
    parts, rows = [], []
    for row_R, length in _lengths(placed.present):
        some, dropped = placed.newest(row_R, length), None if noise is None else noise.of(row_R)
        parts.append(read(F.embedding(some.item_HL, item_PD), some, dropped))
        rows.append(row_R)
    place_H = torch.cat(rows).argsort()
    return tuple(torch.cat(values)[place_H] for values in zip(*parts, strict=True))


def _lengths(present_HL: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Yield the rows that need so many places and more than the last ones."""
    whole = present_HL.shape[1]
    needed_H = whole - present_HL.int().argmax(1).where(present_HL.any(1), torch.tensor(whole))
    for low, high in itertools.pairwise([-1, *(bound for bound in LENGTHS if bound < whole), whole]):
        row_R = torch.nonzero((needed_H > low) & (needed_H <= high))[:, 0]
        if len(row_R):
            yield row_R, high


def _ids(array: NDArray[np.int32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.int64))


def _values(array: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
