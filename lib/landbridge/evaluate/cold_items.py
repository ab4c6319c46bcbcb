"""Cold items of a task with declared parts: what is taken that nothing was learned of.

Items chosen by a hash are left out of everything that is learned. A unit is an example of such an item whose user has
events in several scenarios: its state is the user's history before it, the other cold items in it included, its truth
the item, and what the user had by then is out of the race. The catalogue is every item with an event in the scenario.

What a person takes after a cold item would give it away. So those users are dealt into groups, and a group is judged
by what is learned of the other groups, and of the users of one scenario, who are not judged.

Beside them other items are judged alike that are learned of: what helps the one may cost the other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.study import ColdItems
from landbridge.errors import ConfigError, DataError
from landbridge.evaluate.part_units import PartUnits, units_of
from landbridge.feed.assemble import Assembler
from landbridge.feed.hashing import crc32, hash_strings, uniform
from landbridge.feed.histories import with_histories
from landbridge.feed.interactions import Interactions, microseconds
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake

_COLUMNS = ["ds", "scenario", "user_id", "item_id", "ts", "example_id"]


def cold_items(
    lake: Lake,
    ds: dt.date,
    given: ColdItems,
    judged: int,
    left: tuple[int, ...],
    assembler: Assembler,
    log: Interactions,
) -> Iterator[tuple[Interactions, PartUnits]]:
    """Yield what is learned of and the units, for each group and in it for each scenario.

    Parameters
    ----------
    judged
        The remainder of the hashes, by `one_in`, of the items that are asked for.
    left
        The remainders of those that are not learned of.
    log
        The rows of all parts.
    """
    remainder_M = _remainders(lake, ds, given, log.vocabulary)
    cold_M, judged_M = np.isin(remainder_M, left), remainder_M == judged
    shared_U = _shared(log)
    group_U = (uniform(hash_strings(log.user_ids)) * given.groups).astype(np.int64)
    examples = _examples(lake, ds, judged_M, log.user_ids.filter(pa.array(shared_U)), log.vocabulary)
    if not examples.num_rows:
        raise DataError("study.cold_items: no user of several scenarios has taken a chosen item; lower one_in")
    for group in range(given.groups):
        ours_U = shared_U & (group_U == group)
        learn = log.where(~ours_U[log.user] & ~cold_M[log.item])
        ours = examples.filter(pa.array(ours_U[log.codes(examples["user_id"])]))
        for scenario in sorted(pc.unique(ours["scenario"]).to_pylist()):
            rows = with_histories(lake, ours.filter(pc.field("scenario") == scenario), assembler.user_names)
            items = np.unique(log.of_scenario(scenario).item)
            catalogue = assembler.catalogue(scenario, items[items > 0], ds)
            yield learn, units_of(rows, scenario, had_before(log, rows), assembler, catalogue)


def had_before(log: Interactions, rows: pa.Table) -> sp.csr_matrix:
    """Return ones at what the user of each row had before its moment, csr float32 [rows, items]."""
    code_B, ts_B = log.codes(rows["user_id"]), microseconds(rows["ts"].combine_chunks())
    # The log is sorted by user and moment, so what came before is a run of rows.
    moments = np.unique(log.ts)
    key_N = log.user.astype(np.int64) * len(moments) + np.searchsorted(moments, log.ts)
    asked_B = code_B.astype(np.int64) * len(moments) + np.searchsorted(moments, ts_B)
    begin_B = np.searchsorted(log.user, code_B)
    count_B = np.searchsorted(key_N, asked_B) - begin_B
    unit_N = np.repeat(np.arange(len(code_B)), count_B)
    place_N = np.arange(count_B.sum()) - np.repeat(np.cumsum(count_B) - count_B, count_B) + np.repeat(begin_B, count_B)
    had_N = log.had[place_N]
    cells = (np.ones(int(had_N.sum()), np.float32), (unit_N[had_N], log.item[place_N][had_N]))
    had = sp.csr_matrix(cells, shape=(len(code_B), log.vocabulary.size("item_id")))
    had.data[:] = 1.0  # what was had twice is had
    return had


def _shared(log: Interactions) -> NDArray[np.bool_]:
    """Return which users have events in several scenarios."""
    homes = np.unique(np.stack([log.user, log.scenario]), axis=1)[0]
    shared: NDArray[np.bool_] = np.bincount(homes, minlength=len(log.user_ids)) > 1
    return shared


def _remainders(lake: Lake, ds: dt.date, given: ColdItems, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Return the remainder of the hash of each item id, -1 where nothing is known of it."""
    contract = lake.contract("items").columns
    if given.by not in contract:
        known = ", ".join(name for name in contract if name != "valid_from")
        raise ConfigError(f"study.cold_items.by: {given.by} is no attribute of items; those: {known}")
    names = list(dict.fromkeys(["item_id", given.by, "valid_from"]))
    table = lake.read("items", columns=names, where=pc.field("valid_from") <= pa.scalar(ds))
    table = table.filter(pc.is_valid(table[given.by])).sort_by("valid_from")
    item_N = vocabulary.encode("item_id", table["item_id"].combine_chunks())
    found: NDArray[np.int64] = np.full(vocabulary.size("item_id"), -1, np.int64)
    found[item_N] = crc32(table[given.by].combine_chunks()) % given.one_in  # the last value stands
    found[0] = -1
    return found


def _examples(
    lake: Lake, ds: dt.date, judged_M: NDArray[np.bool_], users: pa.StringArray, vocabulary: Vocabulary
) -> pa.Table:
    """Return the examples of judged items by users, in the order of the users."""
    kept = []
    for batch in lake.scan("examples", until=ds, columns=_COLUMNS):
        judged = pa.array(judged_M[vocabulary.encode("item_id", batch["item_id"])])
        kept.append(batch.filter(pc.and_(judged, pc.is_in(batch["user_id"], value_set=users))))
    rows = pa.Table.from_batches(kept)
    return rows.sort_by([(name, "ascending") for name in ("user_id", "ts", "example_id")])
