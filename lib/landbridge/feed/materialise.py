"""From the tables `histories` and `examples` to the arrays that are memory-mapped; one streamed pass over each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.feed.assemble import Assembler
from landbridge.feed.hashing import chained, hash_strings
from landbridge.feed.histories import rows_of
from landbridge.feed.interactions import microseconds
from landbridge.feed.kept import Kept
from landbridge.feed.states import States
from landbridge.lake.lake import Lake

SHARDS = 8
"""Virtual shards S; fixed, so that what a step sees does not depend on how many processes there are."""

HISTORY = ("item_BL", "scenario_BL", "type_BL", "outcome_BL", "age_BL", "length_B", "user_BF")
"""The parts of `States` that are stored for each history."""
ASKED = ("ds", "user_id", "ts", "scenario")
"""The columns by which `keys_of` names the history of a row."""
_TOLD = ("example_id", "item_id", "outcome", "had")
ROWS = 16_384
"""Histories of a read; a few dozen MB."""
Arrays = dict[str, NDArray[Any]]
Scan = Callable[..., pa.RecordBatchReader]
"""Streams a table of some days and scenarios."""


def materialise(
    lake: Lake,
    assembler: Assembler,
    since: dt.date | None,
    until: dt.date,
    owned: Sequence[int],
    scenarios: Sequence[str] | None = None,
    kept: Kept | None = None,
) -> Arrays:
    """Return the examples of days (since, until] whose histories fall into the owned virtual shards.

    Histories H are distinct in (user, ts, scenario) and ordered by (shard, scenario, hash), so that neighbours have
    nothing in common; examples N are ordered by (history, item, hash). Users U are the sorted hashes of their ids.

    Returns
    -------
    Arrays
        h.item_BL ... h.user_BF: see `States`, shape [H, ...]; h.shard, h.scenario, h.day, h.ts, h.user (row of users),
        h.start and h.count (its examples). u.hash: the users U. e.history, e.item, e.outcome, e.had, e.new, e.hash,
        e.feature [N, G] (scaled). pair.key (user * items + item, ascending) and pair.ts: when a user first had an item,
        in whatever scenario, up to `until`. tally [T, 4]: scenario, day, shard and the number of examples, of all
        shards. Where not all may be learned from (`kept`), taken [T, 3] too: scenario, item and the number of its
        examples.
    """
    where = None if scenarios is None else pc.field("scenario").isin(list(scenarios))
    scan = partial(lake.scan, since=since, until=until, where=where)
    examples, told = _examples(scan, assembler, owned, where, kept)
    histories = _histories(scan, assembler, owned, kept)
    if kept is not None:  # a history whose examples are all gone is nobody's
        asked_H = np.isin(histories["h.key"], examples["e.key"])
        histories = {name: values[asked_H] for name, values in histories.items()}
    return _indexed(histories, examples, assembler, lake, until, kept) | told


def _histories(scan: Scan, assembler: Assembler, owned: Sequence[int], kept: Kept | None) -> Arrays:
    """Return the owned histories, ordered by (shard, scenario, hash)."""
    parts = [_no_histories(assembler)]
    for batch in scan("histories", columns=columns_of(assembler), batch_rows=ROWS):
        keys, mine = _owned(batch, assembler, owned)
        if len(mine):
            states = states_of(batch, keys, mine, assembler, kept)
            told = {f"h.{name}": getattr(states, name) for name in HISTORY}
            parts.append(told | {f"h.{name}": values[mine] for name, values in keys.items()})
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((whole["h.key"], whole["h.scenario"], whole["h.shard"]))
    return {name: values[order] for name, values in whole.items()}


def _examples(
    scan: Scan, assembler: Assembler, owned: Sequence[int], where: pc.Expression | None, kept: Kept | None
) -> tuple[Arrays, Arrays]:
    """Return the examples of the owned histories, in the order in which they were read, and the tallies of all."""
    parts, tallies, taken = [_no_examples()], [np.empty((0, 4), np.int64)], [np.empty((0, 3), np.int64)]
    for batch in that_stay(scan, [*ASKED, *_TOLD], where, kept):
        keys, mine = _owned(batch, assembler, owned)
        item = assembler.vocabulary.encode("item_id", batch["item_id"])
        told = {name: keys[name].astype(np.int64) for name in ("scenario", "day", "shard")} | {
            "item": item.astype(np.int64),
            "one": np.ones_like(keys["ts"]),
        }
        tallies.append(_counted(np.stack([told[name] for name in ("scenario", "day", "shard", "one")], axis=1)))
        if kept is not None:
            taken.append(_counted(np.stack([told[name] for name in ("scenario", "item", "one")], axis=1)))
        own = batch.select(_TOLD).take(pa.array(mine))
        parts.append(
            {
                "e.key": keys["key"][mine],
                "e.item": item[mine],
                "e.outcome": own["outcome"].to_numpy().astype(np.float32),
                "e.had": own["had"].to_numpy(zero_copy_only=False),
                "e.hash": hash_strings(own["example_id"]),
            }
        )
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    counted = {"tally": _counted(np.concatenate(tallies))}
    return whole, counted if kept is None else counted | {"taken": _counted(np.concatenate(taken))}


def that_stay(
    scan: Scan, columns: Sequence[str], where: pc.Expression | None, kept: Kept | None
) -> Iterator[pa.RecordBatch]:
    """Yield the examples that may be learned from; with `kept` the columns hold user_id and scenario."""
    if kept is not None:
        where = kept.where if where is None else where & kept.where
    for batch in scan("examples", columns=list(columns), where=where):
        yield batch if kept is None else batch.filter(pa.array(kept.stays(batch["user_id"], batch["scenario"])))


def columns_of(assembler: Assembler) -> list[str]:
    """Return the columns of `histories` that `keys_of` and `states_of` read."""
    return [*ASKED, "history", *assembler.user_names]


def states_of(
    batch: pa.RecordBatch, keys: Arrays, rows: NDArray[np.intp], assembler: Assembler, kept: Kept | None
) -> States:
    """Return the states of some rows of a read of `histories`, without what users have lost."""
    wide = pa.Table.from_batches([batch.select(["history", *assembler.user_names]).take(pa.array(rows))])
    states = assembler.states(wide, "", ts=keys["ts"][rows], asked=keys["scenario"][rows])
    if kept is None or not kept.scenario:
        return states
    lost_in = assembler.vocabulary.id("scenario", kept.scenario)
    return kept.masked(states, batch["user_id"].take(pa.array(rows)), lost_in)


def _owned(batch: pa.RecordBatch, assembler: Assembler, owned: Sequence[int]) -> tuple[Arrays, NDArray[np.intp]]:
    """Return what names the history of each row of a read, and the rows whose history is owned."""
    keys = keys_of(batch, assembler)
    return keys, np.flatnonzero(np.isin(keys["shard"], owned))


def keys_of(batch: pa.RecordBatch, assembler: Assembler) -> Arrays:
    """Return what names the history of each row of `histories` or `examples`; one moment of a user has one key."""
    user_hash, ts = hash_strings(batch["user_id"]), microseconds(batch["ts"])
    scenario = assembler.vocabulary.encode("scenario", batch["scenario"])
    return {
        "key": chained(user_hash, ts, scenario),
        "user_hash": user_hash,
        # By history, not by user: where two customers buy half of all, an epoch would take as many steps as the larger.
        "shard": (chained(user_hash, ts) % np.uint64(SHARDS)).astype(np.int8),
        "scenario": scenario,
        "day": batch["ds"].cast(pa.int32()).to_numpy(zero_copy_only=False),
        "ts": ts,
    }


def _indexed(
    histories: Arrays, examples: Arrays, assembler: Assembler, lake: Lake, until: dt.date, kept: Kept | None
) -> Arrays:
    """Point every example to its history, order the examples by it, and add what needs the whole."""
    out, key = dict(histories), histories["h.key"]
    history = rows_of(key, examples.pop("e.key"))
    by_history = np.lexsort((examples["e.hash"], examples["e.item"], history))
    out |= {name: values[by_history] for name, values in examples.items()}
    out["e.history"] = history[by_history].astype(np.int32)
    out["h.count"] = np.bincount(out["e.history"], minlength=len(key)).astype(np.int32)
    out["h.start"] = np.cumsum(out["h.count"], dtype=np.int64) - out["h.count"]
    users = np.unique(out.pop("h.user_hash"), return_inverse=True)
    out["h.user"] = users[1].reshape(-1).astype(np.int32)
    out["u.hash"] = users[0]
    del out["h.key"]
    items = assembler.vocabulary.size("item_id")
    out["pair.key"], out["pair.ts"] = _pairs(lake, assembler, until, users[0], items, kept)
    pointer = out["e.history"]
    out["e.feature"] = assembler.item_features(out["e.item"], out["h.scenario"][pointer], out["h.day"][pointer])
    asked = out["h.user"][pointer].astype(np.int64) * items + out["e.item"]
    out["e.new"] = ~had_by(out["pair.key"], out["pair.ts"], asked, out["h.ts"][pointer] - 1)
    return out


def had_by(
    key_P: NDArray[np.int64], ts_P: NDArray[np.int64], asked: NDArray[np.int64], ts: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether the pairs `asked` (user * items + item) were had at or before `ts`; both of one shape."""
    if len(key_P) == 0:
        return np.zeros(asked.shape, np.bool_)
    row = np.minimum(np.searchsorted(key_P, asked), len(key_P) - 1)
    found: NDArray[np.bool_] = (key_P[row] == asked) & (ts_P[row] <= ts)
    return found


def had_of_each(
    key_P: NDArray[np.int64],
    ts_P: NDArray[np.int64],
    first_H: NDArray[np.int64],
    ts_H: NDArray[np.int64],
    items: NDArray[np.int32],
    size: int,
) -> NDArray[np.bool_]:
    """Return which of n items each of H users had at or before a moment, [H, n].

    Pairs are as in `had_by`; a user's begin at `first_H` = user * size. What a user has is walked, not what is asked: a
    catalogue's sample is a thousand items, and few of them are had.
    """
    begin_H, end_H = np.searchsorted(key_P, first_H), np.searchsorted(key_P, first_H + size)
    count_H = end_H - begin_H
    row_Q = np.repeat(np.arange(len(first_H)), count_H)
    pair_Q = np.arange(len(row_Q)) + np.repeat(begin_H - (np.cumsum(count_H) - count_H), count_H)
    distinct, place_n = np.unique(items, return_inverse=True)
    item_Q = key_P[pair_Q] - first_H[row_Q]
    column_Q = np.minimum(np.searchsorted(distinct, item_Q), len(distinct) - 1)
    hit_Q = (distinct[column_Q] == item_Q) & (ts_P[pair_Q] <= ts_H[row_Q])
    had_HD = np.zeros((len(first_H), len(distinct)), np.bool_)
    had_HD[row_Q[hit_Q], column_Q[hit_Q]] = True
    return had_HD[:, place_n]


def _pairs(
    lake: Lake, assembler: Assembler, until: dt.date, users: NDArray[np.uint64], items: int, kept: Kept | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs (user * items + item, ascending) that these users had by the end of `until`, and since when."""
    keys, moments = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    columns = ["user_id", "item_id", "ts", *([] if kept is None else ["scenario"])]
    for batch in that_stay(partial(lake.scan, until=until), columns, pc.field("had"), kept):
        if batch.num_rows == 0 or len(users) == 0:
            continue
        user = hash_strings(batch["user_id"])
        row = np.minimum(np.searchsorted(users, user), len(users) - 1)
        mine = users[row] == user
        keys.append(row[mine] * items + assembler.vocabulary.encode("item_id", batch["item_id"])[mine])
        moments.append(microseconds(batch["ts"])[mine])
    key, ts = np.concatenate(keys), np.concatenate(moments)
    order = np.lexsort((ts, key))
    key, first = np.unique(key[order], return_index=True)
    return key, ts[order][first]


def _counted(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum the last column over equal others."""
    keys, inverse = np.unique(rows[:, :-1], axis=0, return_inverse=True)
    total = np.bincount(inverse.reshape(-1), weights=rows[:, -1], minlength=len(keys))
    return np.concatenate([keys, total[:, None].astype(np.int64)], axis=1)


def _no_histories(assembler: Assembler) -> Arrays:
    kinds = {
        "key": np.uint64,
        "user_hash": np.uint64,
        "shard": np.int8,
        "scenario": np.int32,
        "day": np.int32,
        "ts": np.int64,
    }
    states = assembler.unknown("", 0)
    told: Arrays = {f"h.{name}": getattr(states, name) for name in HISTORY}
    return told | {f"h.{name}": np.empty(0, kind) for name, kind in kinds.items()}


def _no_examples() -> Arrays:
    kinds = {"key": np.uint64, "item": np.int32, "outcome": np.float32, "had": np.bool_, "hash": np.uint64}
    return {f"e.{name}": np.empty(0, kind) for name, kind in kinds.items()}
