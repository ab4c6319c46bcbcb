"""From the table `examples` to the arrays that are memory-mapped; one streamed pass for any number of scenarios."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.feed.assemble import Assembler
from landbridge.feed.hashing import chained, hash_strings
from landbridge.feed.interactions import microseconds
from landbridge.lake.lake import Lake

SHARDS = 8
"""Virtual shards S; fixed, so that what a step sees does not depend on how many processes there are."""

HISTORY = ("item_BL", "scenario_BL", "type_BL", "outcome_BL", "age_BL", "length_B", "user_BF")
"""The parts of `States` that are stored for each history."""
_NARROW = ("example_id", "ds", "ts", "user_id", "item_id", "scenario", "outcome", "had")
_ROWS = 16_384
"""Rows of a read; with their histories a few dozen MB."""
Arrays = dict[str, NDArray[Any]]


def materialise(
    lake: Lake,
    assembler: Assembler,
    since: dt.date | None,
    until: dt.date,
    owned: Sequence[int],
    scenarios: Sequence[str] | None = None,
) -> Arrays:
    """Return the examples of days (since, until] whose histories fall into the owned virtual shards.

    Histories H are distinct in (user, ts, scenario) and ordered by (shard, scenario, hash), so that neighbours have
    nothing in common; examples N are ordered by (history, item, hash). Users U are the sorted hashes of their ids.

    Returns
    -------
    Arrays
        h.item_BL ... h.user_BF: see `States`, shape [H, ...]; h.shard, h.scenario, h.day, h.ts, h.user (row of users),
        h.start and h.count (its examples). e.history, e.item, e.outcome, e.had, e.new, e.hash, e.feature [N, G]
        (scaled). pair.key (user * items + item, ascending) and pair.ts: when a user first had an item, in whatever
        scenario, up to `until`. tally [T, 4]: scenario, day, shard and the number of examples, of all shards.
    """
    parts, tally = _scan(lake, assembler, since, until, owned, scenarios)
    if not parts:
        return _indexed(_empty(assembler), assembler, lake, until) | {"tally": tally}
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return _indexed(whole, assembler, lake, until) | {"tally": tally}


def _scan(
    lake: Lake,
    assembler: Assembler,
    since: dt.date | None,
    until: dt.date,
    owned: Sequence[int],
    scenarios: Sequence[str] | None,
) -> tuple[list[Arrays], NDArray[np.int64]]:
    where = None if scenarios is None else pc.field("scenario").isin(list(scenarios))
    parts, tallies, past = [], [np.empty((0, 4), np.int64)], 0
    for batch in lake.scan("examples", since, until, [*_NARROW, "history", *assembler.user_names], where, _ROWS):
        if batch.num_rows == 0:
            continue
        keys = _keys(batch, assembler)
        tallies.append(
            _counted(np.stack([keys["scenario"], keys["day"], keys["shard"], np.ones_like(keys["ts"])], axis=1))
        )
        mine = np.flatnonzero(np.isin(keys["shard"], owned))
        if len(mine):
            parts.append(_part(batch, assembler, mine, {name: values[mine] for name, values in keys.items()}, past))
            past += len(parts[-1]["h.ts"])
    return parts, _counted(np.concatenate(tallies))


def _keys(batch: pa.RecordBatch, assembler: Assembler) -> Arrays:
    user_hash, ts = hash_strings(batch["user_id"]), microseconds(batch["ts"])
    return {
        "user_hash": user_hash,
        # By history, not by user: where two customers buy half of all, an epoch would take as many steps as the larger.
        "shard": (chained(user_hash, ts) % np.uint64(SHARDS)).astype(np.int8),
        "scenario": assembler.vocabulary.encode("scenario", batch["scenario"]),
        "day": batch["ds"].cast(pa.int32()).to_numpy(zero_copy_only=False),
        "ts": ts,
    }


def _part(batch: pa.RecordBatch, assembler: Assembler, mine: NDArray[np.intp], keys: Arrays, past: int) -> Arrays:
    """Return the arrays of the rows `mine` of a read; `past` histories came before it."""
    key = chained(keys["user_hash"], keys["ts"], keys["scenario"])
    key, first, pointer = np.unique(key, return_index=True, return_inverse=True)
    # Histories are wide: only one of each is taken out of the read.
    wide = pa.Table.from_batches([batch.select(["history", *assembler.user_names]).take(pa.array(mine[first]))])
    states = assembler.states(wide, "", ts=keys["ts"][first], asked=keys["scenario"][first])
    narrow = batch.select(["example_id", "item_id", "outcome", "had"]).take(pa.array(mine))
    return {
        **{f"h.{name}": getattr(states, name) for name in HISTORY},
        **{f"h.{name}": values[first] for name, values in keys.items()},
        "h.key": key,
        "e.history": pointer.reshape(-1) + past,
        "e.item": assembler.vocabulary.encode("item_id", narrow["item_id"]),
        "e.outcome": narrow["outcome"].to_numpy().astype(np.float32),
        "e.had": narrow["had"].to_numpy(zero_copy_only=False),
        "e.hash": hash_strings(narrow["example_id"]),
    }


def _indexed(raw: Arrays, assembler: Assembler, lake: Lake, until: dt.date) -> Arrays:
    """Merge histories that two reads both met, bring everything into its order, and add what needs the whole."""
    key, first, pointer = np.unique(raw["h.key"], return_index=True, return_inverse=True)
    order = np.lexsort((key, raw["h.scenario"][first], raw["h.shard"][first]))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    out = {name: values[first[order]] for name, values in raw.items() if name.startswith("h.")}
    history = place[pointer.reshape(-1)][raw["e.history"]]
    by_history = np.lexsort((raw["e.hash"], raw["e.item"], history))
    out |= {name: values[by_history] for name, values in raw.items() if name.startswith("e.")}
    out["e.history"] = history[by_history].astype(np.int32)
    out["h.count"] = np.bincount(out["e.history"], minlength=len(order)).astype(np.int32)
    out["h.start"] = np.cumsum(out["h.count"], dtype=np.int64) - out["h.count"]
    users = np.unique(out.pop("h.user_hash"), return_inverse=True)
    out["h.user"] = users[1].reshape(-1).astype(np.int32)
    del out["h.key"]
    items = assembler.vocabulary.size("item_id")
    out["pair.key"], out["pair.ts"] = _pairs(lake, assembler, until, users[0], items)
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


def _pairs(
    lake: Lake, assembler: Assembler, until: dt.date, users: NDArray[np.uint64], items: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs (user * items + item, ascending) that these users had by the end of `until`, and since when."""
    keys, moments = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for batch in lake.scan("examples", until=until, columns=["user_id", "item_id", "ts"], where=pc.field("had")):
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
    keys, inverse = np.unique(rows[:, :3], axis=0, return_inverse=True)
    total = np.bincount(inverse.reshape(-1), weights=rows[:, 3], minlength=len(keys))
    return np.concatenate([keys, total[:, None].astype(np.int64)], axis=1)


def _empty(assembler: Assembler) -> Arrays:
    states = assembler.unknown("", 0)
    history: Arrays = {f"h.{name}": getattr(states, name) for name in HISTORY}
    kinds = {
        "h.key": np.uint64,
        "h.shard": np.int8,
        "h.scenario": np.int32,
        "h.day": np.int32,
        "h.ts": np.int64,
        "h.user_hash": np.uint64,
        "e.history": np.int64,
        "e.item": np.int32,
        "e.outcome": np.float32,
        "e.had": np.bool_,
        "e.hash": np.uint64,
    }
    return history | {name: np.empty(0, kind) for name, kind in kinds.items()}
