"""A batch of user histories as tensors: what both networks read of a user."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landbridge.feed.states import States
from landbridge.models.initial import mix


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
        names = ("item_HL", "scenario_HL", "type_HL", "outcome_HL", "age_HL")
        values = {name: torch.where(kept_HL, getattr(self, name), 0).gather(1, order_HL) for name in names}
        return replace(self, **values)

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


def _ids(array: NDArray[np.int32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.int64))


def _values(array: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
