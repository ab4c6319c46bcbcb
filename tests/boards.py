"""Interactions and states without a lake: checkerboards, whose right answer is known in closed form."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config import Config, load
from landbridge.feed.interactions import Interactions
from landbridge.feed.states import Catalogue, States
from landbridge.feed.vocabulary import Vocabulary
from landbridge.feed.words import Words

BIG, SMALL = "United Kingdom", "Germany"
UNTIL = dt.date(2011, 6, 30)
HISTORY = 12
CONF = Path(__file__).parents[1] / "conf" / "online_retail.yaml"
Event = tuple[int, int, str, dt.date]
"""User, item, scenario, day; users and items are numbers from 0."""


def config_of(*overrides: str) -> Config:
    """The retail configuration with changes."""
    return load(CONF, "local", [f"features.history={HISTORY}", *overrides])


def checkerboard(users: int, items: int, scenario: str = SMALL, first_user: int = 0) -> list[Event]:
    """User u has the items of his colour, (u + i) even, but for item u: that is the one to recommend to him."""
    pairs = [(u, i) for u in range(users) for i in range(items) if (u + i) % 2 == 0 and u != i]
    return [(first_user + u, i, scenario, UNTIL - dt.timedelta(days=(u + i) % 20)) for u, i in pairs]


def interactions_of(events: Iterable[Event], items: int, had: Sequence[bool] | None = None) -> Interactions:
    """The events as Interactions; item i has the id i + 1, user u the id u0000u."""
    rows = list(events)
    names = sorted({row[0] for row in rows})
    vocabulary = vocabulary_of(items)
    user = np.searchsorted(names, [row[0] for row in rows]).astype(np.int32)
    item = np.array([row[1] + 1 for row in rows], np.int32)
    day = np.array([(row[3] - dt.date(1970, 1, 1)).days for row in rows], np.int32)
    scenario = np.array([vocabulary.id("scenario", row[2]) for row in rows], np.int32)
    is_had = np.ones(len(rows), np.bool_) if had is None else np.array(had, np.bool_)
    ts = day.astype(np.int64) * 86_400_000_000
    order = np.lexsort((item, ts, user))
    ids = pa.array([f"u{name:05d}" for name in names], pa.string())
    return Interactions(
        user[order], item[order], scenario[order], ts[order], day[order], is_had[order], ids, vocabulary
    )


def vocabulary_of(items: int) -> Vocabulary:
    """Items i0000..., two scenarios, one event type."""
    return Vocabulary(
        {
            "item_id": pa.array([f"i{number:04d}" for number in range(items)], pa.string()),
            "scenario": pa.array([BIG, SMALL], pa.string()),
            "event_type": pa.array(["purchase"], pa.string()),
        }
    )


def words_of(items: int) -> Words:
    """A text for every item of a board: its colour, whether it is a square or an edge, and its number."""
    ids = np.arange(1, items + 1, dtype=np.int32)
    texts = tuple(f"{'black' if item % 2 else 'white'} {'edge' if item % 3 else 'square'} {item}" for item in ids)
    return Words(ids, np.zeros(items, np.int32), texts, items + 1)


def colours_of(items: int) -> Words:
    """The colour of every item of a board."""
    colours = tuple("black" if item % 2 else "white" for item in range(1, items + 1))
    return Words(np.arange(1, items + 1, dtype=np.int32), np.zeros(items, np.int32), colours, items + 1)


def states_of(had: sp.csr_matrix, scenario: int = 2, features: int = 4) -> States:
    """States of users who had these items [B, items], each a day before the next."""
    rows = had.shape[0]
    item, age = np.zeros((rows, HISTORY), np.int32), np.zeros((rows, HISTORY), np.float32)
    length = np.zeros(rows, np.int32)
    for row in range(rows):
        own = had.indices[had.indptr[row] : had.indptr[row + 1]][-HISTORY:]
        length[row] = len(own)
        if len(own):
            item[row, -len(own) :] = own
            age[row, -len(own) :] = np.arange(len(own), 0, -1)
    filled = item > 0
    return States(
        scenario,
        pa.array([f"u{row:05d}" for row in range(rows)], pa.string()),
        item,
        np.where(filled, scenario, 0).astype(np.int32),
        filled.astype(np.int32),
        filled.astype(np.float32),
        age,
        length,
        np.zeros((rows, features), np.float32),
        sp.csr_matrix(had, dtype=np.float32),
    )


def catalogue_of(items: int, scenario: int = 2, features: int = 6) -> Catalogue:
    """All items of a board."""
    return Catalogue(scenario, np.arange(1, items + 1, dtype=np.int32), np.zeros((items, features), np.float32))


def had_of(lists: Sequence[Sequence[int]], items: int) -> sp.csr_matrix:
    """Ones at item ids, [B, items + 1]."""
    dense: NDArray[np.float32] = np.zeros((len(lists), items + 1), np.float32)
    for row, ids in enumerate(lists):
        dense[row, list(ids)] = 1
    return sp.csr_matrix(dense)
