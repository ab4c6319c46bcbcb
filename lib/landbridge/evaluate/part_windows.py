"""Who is judged in a night whose split declares parts: whoever takes something new in the part of the window.

A unit is an example of the part, as in a study: its state is its history, what the user had in the
parts before is out of the race. A night never lists what a user has, so an example of something had is no unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from landbridge.config.days import Window
from landbridge.errors import DataError
from landbridge.evaluate.part_units import PartUnits, next_items
from landbridge.evaluate.units import Units
from landbridge.feed.assemble import Assembler
from landbridge.feed.hashing import hash_strings
from landbridge.feed.interactions import Interactions
from landbridge.feed.learned import FitRows


def units_of_part(
    rows: FitRows, assembler: Assembler, window: Window, scenarios: Sequence[str], users: int
) -> list[Units]:
    """Return the units of every scenario that has any in the part; of more than `users` a sample chosen by hash.

    Raises
    ------
    DataError
        No row is in the part.
    """
    part, ds = window.split, rows.ds
    named = rows.lake.read("examples", until=ds, columns=["scenario"], where=pc.field("part") == part)
    there = set(pc.unique(named["scenario"]).to_pylist())
    if not there:
        raise DataError(f"no row up to {ds} is in {part}; correct split.part")
    found = []
    for scenario in (name for name in scenarios if name in there):
        items = np.unique(rows.whole.of_scenario(scenario).item)
        asked = next_items(rows.lake, ds, part, scenario, assembler, rows.learned(window.fit), items[items > 0])
        found.append(_units(asked, window, rows.whole, users))
    return [units for units in found if len(units)]


def _units(asked: PartUnits, window: Window, whole: Interactions, users: int) -> Units:
    """Return the questions about something new, of at most so many."""
    truth = sp.csr_matrix(asked.truth - asked.truth.multiply(asked.states.had))
    new = np.flatnonzero(truth.getnnz(axis=1))
    by_hash = np.argsort(hash_strings(asked.states.user_ids.take(pa.array(new))), kind="stable")
    chosen = new[np.sort(by_hash[:users])]
    user_B = whole.codes(asked.states.user_ids)[chosen]
    return Units(asked.scenario, window, asked.states.take(chosen), asked.catalogue, truth[chosen], user_B)
