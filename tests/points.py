"""Rows of a pointwise task without a lake: three scenarios, telling features, users and items with habits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from landbridge.config import Config, load

CONF = Path(__file__).parents[1] / "conf" / "online_retail.yaml"
SCENARIOS = ("big", "middle", "small")
NUMBERS, CATEGORIES = ("age", "income"), ("colour", "shape")
POINTWISE = "pointwise={numbers: {age: age, income: income}, categories: {colour: colour, shape: shape}, tags: tags}"


def config_of(*overrides: str) -> Config:
    """The retail configuration, turned into a pointwise task of these columns; small forests."""
    small = (
        "pointwise.contenders.trees.iterations=30",
        "pointwise.contenders.memory.trees.min_rows=5",
        "pointwise.contenders.memory.trees.iterations=20",
        "pointwise.contenders.memory.trees.most_iterations=40",
        "transfer.source=big",
        "features.history=12",
        "scores.subject=concat(user_id, '/', item_id)",
        "study.control=null",
        "study.windows=[]",
        "study.chosen_on=null",
    )
    return load(CONF, "local", [POINTWISE, *small, *overrides])


def table_of(rows: int = 1200, seed: int = 0, folds: int | None = None, users: int = 150) -> pa.Table:
    """Examples: half of them big, a sixth small. Age matters alike everywhere, colour in each scenario otherwise.

    Users and items have a habit each, of which `value`, a rating of 1 to 10, knows as well. The part is a fold, or
    train, validation and test 8 : 1 : 1.
    """
    draw = np.random.default_rng(seed)
    scenario = draw.choice(3, rows, p=[0.5, 0.34, 0.16])
    user, item = draw.integers(0, users, rows), draw.integers(0, 40, rows) * 3 + scenario
    age, income = draw.normal(40, 10, rows), draw.normal(0, 1, rows)
    colour, shape = draw.integers(0, 5, rows), draw.integers(0, 3, rows)
    habit_U, habit_I = draw.normal(0, 1, users), draw.normal(0, 1, 120)
    logit = (age - 40) / 10 + (colour - 2) * (scenario - 1) * 0.7 + habit_U[user] + habit_I[item]
    value = np.clip(np.round(6 + 1.5 * logit + draw.normal(0, 1, rows)), 1, 10)
    part = (
        draw.integers(0, folds, rows).astype(str)
        if folds
        else draw.choice(["train", "validation", "test"], rows, p=[0.8, 0.1, 0.1])
    )
    return pa.table(
        {
            "example_id": [f"r{number:06d}" for number in range(rows)],
            "user_id": [f"u{one:04d}" for one in user],
            "item_id": [f"i{one:04d}" for one in item],
            "scenario": [SCENARIOS[one] for one in scenario],
            "label": (value >= 7).astype(float),
            "value": value,
            "part": part,
            "age": pa.array(age, mask=draw.random(rows) < 0.05),
            "income": income,
            "colour": pa.array([f"c{one}" for one in colour], mask=draw.random(rows) < 0.05),
            "shape": [f"s{one}" for one in shape],
            "tags": [[f"t{one % 7}", f"t{one % 5}"] for one in item],
        }
    )
