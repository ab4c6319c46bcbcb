"""Who is judged on what. A unit is a user of a scenario in a window: what he had before, what he took as new.

The state of a unit is the user's first history of the window, over all scenarios; as nothing happened between the
window's start and that moment, it is the history at the start. What he had, and what the catalogue holds, is as of the
window's start. Judged are users with an event in the scenario before the window who
take something in it that they did not have, in whatever scenario they might have got it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.days import Window
from landbridge.evaluate.lists import Known
from landbridge.feed.assemble import Assembler
from landbridge.feed.hashing import hash_strings
from landbridge.feed.interactions import Interactions
from landbridge.feed.states import Catalogue, States
from landbridge.feed.taken import taken
from landbridge.lake.lake import Lake

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Units:
    """The judging units of a scenario in a window, B of them, in the order of their users."""

    scenario: str
    window: Window
    states: States
    catalogue: Catalogue
    truth: sp.csr_matrix
    """Ones at what the user took for the first time, float32 [B, items]; some of it may be new to the catalogue too."""
    user_B: NDArray[np.int32]
    """The user's code in the night's Interactions: the cluster that is resampled."""

    def __len__(self) -> int:
        """The number of units B."""
        return len(self.user_B)

    @cached_property
    def known(self) -> Known:
        """What its users had, as lists are compared with it."""
        return Known(self.states.had)


def units_of(
    lake: Lake, interactions: Interactions, assembler: Assembler, window: Window, scenarios: Sequence[str], users: int
) -> list[Units]:
    """Return the units of every scenario that has any in the window; of more than `users` a sample chosen by hash."""
    before = interactions.before(window.since + _DAY)
    had = before.matrix()
    taken = {scenario: _taken(interactions, before, had, scenario, window, users) for scenario in scenarios}
    taken = {scenario: pairs for scenario, pairs in taken.items() if len(pairs[0])}
    if not taken:
        return []
    everybody = np.unique(np.concatenate([user_B for user_B, _ in taken.values()]))
    first = _first_histories(lake, assembler, window, interactions.user_ids.take(pa.array(everybody)))
    # The row of every user in `first`, which is sorted by user id like the codes are.
    place = np.full(len(interactions.user_ids), -1, np.int64)
    place[interactions.codes(first["user_id"])] = np.arange(first.num_rows)
    return [
        _units(scenario, window, first.take(pa.array(place[user_B])), user_B, truth, had, before, assembler)
        for scenario, (user_B, truth) in taken.items()
    ]


def _units(
    scenario: str,
    window: Window,
    rows: pa.Table,
    user_B: NDArray[np.int32],
    truth: sp.csr_matrix,
    had: sp.csr_matrix,
    before: Interactions,
    assembler: Assembler,
) -> Units:
    start = window.since + _DAY
    states = assembler.states(rows, scenario, had=had[user_B])
    catalogue = assembler.catalogue(scenario, before.catalogue(scenario, start), start)
    return Units(scenario, window, states, catalogue, truth, user_B)


def _taken(
    interactions: Interactions, before: Interactions, had: sp.csr_matrix, scenario: str, window: Window, users: int
) -> tuple[NDArray[np.int32], sp.csr_matrix]:
    """Return the users judged, ascending, and what each took that he did not have, csr [B, items]."""
    user_B, truth = taken(interactions, before, had, scenario, window.since, window.until)
    chosen = _sample(user_B, interactions.user_ids, users)
    return user_B[chosen], truth[chosen]


def _sample(codes: NDArray[np.int32], user_ids: pa.StringArray, users: int) -> NDArray[np.intp]:
    """Return the places of at most so many codes, chosen by the hash of the user's id."""
    if len(codes) <= users:
        return np.arange(len(codes))
    order = np.lexsort((codes, hash_strings(user_ids.take(pa.array(codes)))))
    return np.sort(order[:users])


def _first_histories(lake: Lake, assembler: Assembler, window: Window, user_ids: pa.StringArray) -> pa.Table:
    """Return the first history of each user in the window, one row a user, by user id; no more is held in memory."""
    columns = ["user_id", "ts", "scenario", "history", *assembler.user_names]
    wanted = pc.field("user_id").isin(user_ids)
    parts = [
        _first_of_each(pa.Table.from_batches([batch]))
        for batch in lake.scan("histories", window.since, window.until, columns, wanted)
        if batch.num_rows
    ]
    return _first_of_each(pa.concat_tables(parts))


def _first_of_each(rows: pa.Table) -> pa.Table:
    rows = rows.take(
        pc.sort_indices(
            rows.select(["user_id", "ts", "scenario"]),
            sort_keys=[("user_id", "ascending"), ("ts", "ascending"), ("scenario", "ascending")],
        )
    )
    code = rows["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    # Two scenarios at one moment have the same history, so the tie decides nothing but the order.
    return rows.take(pa.array(np.flatnonzero(np.diff(code, prepend=-1))))
