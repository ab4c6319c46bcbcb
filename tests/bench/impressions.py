"""Invented impressions: 8 categorical fields, 3 scenarios of very different size, and whether there was a click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

FIELDS = {
    "user": 100_000,
    "item": 20_000,
    "category": 500,
    "brand": 2_000,
    "city": 300,
    "age": 10,
    "gender": 3,
    "hour": 24,
}
"""Values by field."""
SHARES = (0.6, 0.3, 0.1)
"""Of the scenarios."""


@dataclass(frozen=True)
class Impressions:
    """N rows; ids from 0."""

    field_NC: NDArray[np.int32]
    scenario_N: NDArray[np.int32]
    label_N: NDArray[np.float32]

    @classmethod
    def drawn(cls, rows: int) -> Self:
        """Draw them: users log-normal, items by a power law, what belongs to user or item with them."""
        draw = np.random.default_rng(3)
        active, popular = draw.lognormal(0.0, 1.2, FIELDS["user"]), 1.0 / np.arange(1, FIELDS["item"] + 1) ** 1.05
        user_N = draw.choice(FIELDS["user"], rows, p=active / active.sum())
        item_N = draw.permutation(FIELDS["item"])[draw.choice(FIELDS["item"], rows, p=popular / popular.sum())]
        columns = {"user": user_N, "item": item_N, "hour": draw.integers(0, FIELDS["hour"], rows)}
        for key, names in (("item", ("category", "brand")), ("user", ("city", "age", "gender"))):
            for name in names:
                columns[name] = draw.integers(0, FIELDS[name], FIELDS[key])[columns[key]]
        scenario_N = draw.choice(len(SHARES), rows, p=SHARES)
        habit = draw.normal(size=FIELDS["user"])[user_N] + draw.normal(size=FIELDS["item"])[item_N]
        clicked = draw.random(rows) < 1.0 / (1.0 + np.exp(2.5 - habit - 0.3 * scenario_N))
        fields = np.stack([columns[name] for name in FIELDS], axis=1).astype(np.int32)
        return cls(fields, scenario_N.astype(np.int32), clicked.astype(np.float32))
