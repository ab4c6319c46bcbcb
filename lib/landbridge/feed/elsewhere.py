"""What users of several scenarios did, so that a network can be asked about one of them as if they were new to it.

Next items are mostly asked about users who are known already, so a network that learns of them alone has hardly met
anybody new to a scenario, and there are many. Here a share of the histories is taken for what the same user did
elsewhere, all of it up to the last day of the fit, with nothing of the scenario that is asked about: as `hidden` does
for methods that are fitted at once, and in the spirit of Volkovs et al. 2017 (DropoutNet), who hide what new items
lack.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from landbridge.feed.assemble import Assembler
from landbridge.feed.kept import Kept
from landbridge.feed.materialise import ASKED, HISTORY, ROWS, Arrays, columns_of, keys_of, states_of, that_stay
from landbridge.feed.states import States, no_had
from landbridge.lake.lake import Lake

_TOGETHER = 1 << 22
"""Examples that are held before what is known of users is merged."""


@dataclass(frozen=True)
class Elsewhere:
    """The last history of each of U users with events in two scenarios or more, as of one day.

    Attributes
    ----------
    hash_U
        Hashes of their ids, ascending.
    states
        Their histories, in this order; what they did last is not in them.
    """

    hash_U: NDArray[np.uint64]
    states: States

    @classmethod
    def read(cls, lake: Lake, assembler: Assembler, until: dt.date, kept: Kept | None) -> Self:
        """Read what was done up to and with a day: the moments of all examples, then those histories alone."""
        key_U = np.sort(_last(lake, assembler, until, kept))
        found, parts = [], [assembler.unknown("", 0)]
        for batch in lake.scan("histories", until=until, columns=columns_of(assembler), batch_rows=ROWS):
            keys = keys_of(batch, assembler)
            rows = np.flatnonzero(_among(keys["key"], key_U))
            if len(rows):
                found.append(keys["user_hash"][rows])
                parts.append(states_of(batch, keys, rows, assembler, kept))
        hash_R = np.concatenate([np.empty(0, np.uint64), *found])
        order = np.argsort(hash_R)
        return cls(hash_R[order], _joined(parts, assembler).take(order))

    def instead(
        self,
        states: States,
        hash_B: NDArray[np.uint64],
        chosen_B: NDArray[np.bool_],
        row_E: NDArray[np.intp],
        item_E: NDArray[np.int32],
    ) -> States:
        """Return states in which chosen users are new to the scenario that is asked about.

        Who did nothing elsewhere stays as he is. The user features, which would tell of what is hidden, are missing.

        Parameters
        ----------
        hash_B
            Hashes of the users' ids.
        row_E, item_E
            Items that are asked for, and in which row: they are not in the history, where they would be the answer.
        """
        if len(self.hash_U) == 0:
            return states
        place_B = np.minimum(np.searchsorted(self.hash_U, hash_B), len(self.hash_U) - 1)
        row_R = np.flatnonzero(chosen_B & (self.hash_U[place_B] == hash_B))
        known = self.states.take(place_B[row_R])
        size = known.had.shape[1]
        asked = np.unique(row_E.astype(np.int64) * size + item_E)
        answer_RL = _among(row_R[:, None].astype(np.int64) * size + known.item_BL, asked)
        there_RL = (known.item_BL > 0) & (known.scenario_BL != states.scenario) & ~answer_RL
        some_R = there_RL.any(axis=1)
        return states.replaced(row_R[some_R], known.take(np.flatnonzero(some_R)).keeping(there_RL[some_R]))


def _last(lake: Lake, assembler: Assembler, until: dt.date, kept: Kept | None) -> NDArray[np.uint64]:
    """Return the key of the last history of each user with examples in two scenarios or more."""
    held, parts, count = _merged([]), [], 0
    for batch in that_stay(partial(lake.scan, until=until), ASKED, None, kept):
        keys = keys_of(batch, assembler)
        parts.append(keys | {"low": keys["scenario"], "high": keys["scenario"]})
        count += batch.num_rows
        if count > _TOGETHER:
            held, parts, count = _merged([held, *parts]), [], 0
    held = _merged([held, *parts])
    return np.asarray(held["key"][held["low"] < held["high"]])


def _merged(parts: list[Arrays]) -> Arrays:
    """Return a row a user: of his last moment, with the least and the greatest scenario that he was in."""
    kinds = {"user_hash": np.uint64, "ts": np.int64, "key": np.uint64, "low": np.int32, "high": np.int32}
    whole = {name: np.concatenate([np.empty(0, kind), *(part[name] for part in parts)]) for name, kind in kinds.items()}
    order = np.lexsort((whole["key"], whole["ts"], whole["user_hash"]))
    ordered = {name: values[order] for name, values in whole.items()}
    user, begin = np.unique(ordered["user_hash"], return_index=True)
    if len(user) == 0:
        return ordered
    last = np.append(begin[1:], len(order)) - 1
    return {
        "user_hash": user,
        "ts": ordered["ts"][last],
        "key": ordered["key"][last],
        "low": np.minimum.reduceat(ordered["low"], begin),
        "high": np.maximum.reduceat(ordered["high"], begin),
    }


def _joined(parts: list[States], assembler: Assembler) -> States:
    """Return the states of several reads as one, without what the users have."""
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in HISTORY}
    count = len(whole["length_B"])
    had = no_had(count, assembler.vocabulary.size("item_id"))
    return States(scenario=0, user_ids=pa.nulls(count, pa.string()), had=had, **whole)


def _among(values: NDArray[Any], ascending: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which values are among some, any shape."""
    if len(ascending) == 0:
        return np.zeros(values.shape, np.bool_)
    place = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.asarray(ascending[place] == values)
