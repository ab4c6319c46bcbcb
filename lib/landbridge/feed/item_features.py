"""Features of items as of then: windows of cumulative daily counts, by searching sorted (key, day) integers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from landbridge.config.schema import Config
from landbridge.errors import DataError
from landbridge.feed.interactions import days_since_epoch
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake

EVERYWHERE = 0
"""In the place of a scenario's id: all scenarios together."""
Day = dt.date | int | NDArray[np.integer[Any]] | None


@dataclass(frozen=True)
class ItemFeatures:
    """What is known of every item in every scenario, day by day.

    R rows sorted by (key, day); key = scenario * size + item.

    The features of an item are, first for the scenario and then over all scenarios: log(1 + events) within each of
    `windows` days, and the mean of each of `names` over everything before. G = 2 * (windows + names).
    """

    windows: tuple[int, ...]
    names: tuple[str, ...]
    size: int
    """Item ids, 0 included."""
    first: int
    """The first day of the rows, in days since the epoch."""
    span: int
    """Days from the first to the last, both counted."""
    slot_R: NDArray[np.int64]
    """key * (span + 1) + day - first."""
    start_R: NDArray[np.int64]
    """The first row of the row's key."""
    events_R: NDArray[np.int64]
    """Events of the key up to and with the row's day."""
    mean_RN: NDArray[np.float32]
    """Mean of each name over the key's days up to and with the row's day; NaN where there is none yet."""

    @classmethod
    def load(cls, lake: Lake, vocabulary: Vocabulary, config: Config, until: dt.date | None = None) -> Self:
        """Read `statistics`, streamed, up to and with `until`."""
        windows, names = tuple(config.features.item_windows), tuple(config.features.item)
        daily = _daily(lake, vocabulary, names, until)
        size = vocabulary.size("item_id")
        if len(daily) == 0:
            none = np.empty(0, np.int64)
            return cls(windows, names, size, 0, 1, none, none, none, np.empty((0, len(names)), np.float32))
        first = int(daily["day"].min())
        span = int(daily["day"].max()) - first + 1
        daily["slot"] = (daily["scenario"] * size + daily["item"]) * (span + 1) + daily["day"] - first
        wide = _wide(daily, names)
        slot = wide.index.to_numpy(np.int64)
        key = slot // (span + 1)
        start = np.searchsorted(key, key, side="left")
        # Within a key alone, so that no later day and no other item changes a bit of it.
        so_far = wide.groupby(key).cumsum()
        with np.errstate(invalid="ignore", divide="ignore"):
            means = [so_far[f"sum.{name}"].to_numpy() / so_far[f"count.{name}"].to_numpy() for name in names]
        mean = np.stack(means, axis=1).astype(np.float32) if names else np.empty((len(slot), 0), np.float32)
        return cls(windows, names, size, first, span, slot, start, so_far["events"].to_numpy(np.int64), mean)

    @property
    def width(self) -> int:
        """The number of features, G."""
        return 2 * (len(self.windows) + len(self.names))

    def features(self, items: ArrayLike, scenario: ArrayLike, day: Day) -> NDArray[np.float32]:
        """Return raw features [..., G] of item ids in scenario ids, out of days strictly before `day`.

        A day is a date or days since the epoch. Items, scenarios and days broadcast. What has never been seen has 0
        events and a mean of NaN.
        """
        item, where, days = np.broadcast_arrays(np.asarray(items, np.int64), np.asarray(scenario, np.int64), _days(day))
        shape = item.shape
        offset = days.ravel() - self.first
        halves = [self._half(key, offset) for key in ((where * self.size + item).ravel(), item.ravel())]
        return np.concatenate(halves, axis=1).reshape(*shape, self.width)

    def known(self, day: Day) -> NDArray[np.int64]:
        """Return the keys, ascending, that have a row before `day`; those below `size` are over all scenarios."""
        keys = np.unique(self.slot_R // (self.span + 1))
        seen, _ = self._last(keys, np.broadcast_to(_days(day) - self.first, keys.shape))
        return keys[seen]

    def counts(self, scenario: int, day: Day) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the items with events in a scenario before `day`, ascending, and how many events."""
        keys = self.known(day)
        keys = keys[keys // self.size == scenario]
        if len(keys) == 0:
            return np.empty(0, np.int32), np.empty(0, np.int64)
        _, last = self._last(keys, np.broadcast_to(_days(day) - self.first, keys.shape))
        events = self.events_R[last]
        return (keys[events > 0] % self.size).astype(np.int32), events[events > 0]

    def _last(self, key: NDArray[np.int64], offset: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return whether a key has a row before the day of `offset`, and its last such row (0 where it has none)."""
        base = key * (self.span + 1)
        last = np.searchsorted(self.slot_R, base + np.clip(offset, 0, self.span)) - 1
        seen = last >= 0
        last = np.maximum(last, 0)
        if len(self.slot_R):
            seen &= self.slot_R[last] >= base
        return seen, last

    def _half(self, key: NDArray[np.int64], offset: NDArray[np.int64]) -> NDArray[np.float32]:
        half = np.empty((len(key), len(self.windows) + len(self.names)), np.float32)
        half[:, : len(self.windows)] = 0.0
        half[:, len(self.windows) :] = np.nan
        seen, last = self._last(key, offset)
        rows = np.flatnonzero(seen)
        last, offset, base = last[rows], offset[rows], key[rows] * (self.span + 1)
        total, start = (self.events_R[last], self.start_R[last]) if len(rows) else (last, last)
        for column, window in enumerate(self.windows):
            before = np.zeros(len(rows), np.int64)
            if window < int(offset.max(initial=0)):
                row = np.searchsorted(self.slot_R, base + np.clip(offset - window, 0, self.span)) - 1
                inside = row >= start
                before[inside] = self.events_R[row[inside]]
            half[rows, column] = np.log1p(total - before)
        if self.names and len(rows):
            half[rows, len(self.windows) :] = self.mean_RN[last]
        return half


@dataclass(frozen=True)
class Snapshot:
    """Item features as of the start of one day: what a bundle carries. Answers for that day only."""

    windows: tuple[int, ...]
    names: tuple[str, ...]
    size: int
    day: int
    """Days since the epoch."""
    key_K: NDArray[np.int64]
    """scenario * size + item, ascending; scenario 0 is all scenarios."""
    half_KH: NDArray[np.float32]

    @classmethod
    def of(cls, items: ItemFeatures, day: dt.date) -> Self:
        """Take the answers of a day."""
        keys = items.known(day)
        raw = items.features(keys % items.size, keys // items.size, day)
        half = raw[:, : items.width // 2]
        return cls(items.windows, items.names, items.size, days_since_epoch(day), keys, half)

    @property
    def width(self) -> int:
        """The number of features, G."""
        return 2 * (len(self.windows) + len(self.names))

    def features(self, items: ArrayLike, scenario: ArrayLike, day: Day) -> NDArray[np.float32]:
        """Return raw features [..., G]; `day` is the snapshot's, or None."""
        if day is not None and np.any(_days(day) != self.day):
            raise DataError(
                f"item features of this bundle are as of day {self.day} (days since 1970-01-01), not {day}; "
                "ask for that day, or leave it out"
            )
        item, where = np.broadcast_arrays(np.asarray(items, np.int64), np.asarray(scenario, np.int64))
        halves = [self._half((where * self.size + item).ravel()), self._half(item.ravel())]
        return np.concatenate(halves, axis=1).reshape(*item.shape, self.width)

    def _half(self, key: NDArray[np.int64]) -> NDArray[np.float32]:
        half = np.full((len(key), self.half_KH.shape[1]), np.nan, np.float32)
        half[:, : len(self.windows)] = 0.0
        if len(self.key_K):
            row = np.minimum(np.searchsorted(self.key_K, key), len(self.key_K) - 1)
            known = self.key_K[row] == key
            half[known] = self.half_KH[row[known]]
        return half


def parts(items: ItemFeatures | Snapshot) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what goes into JSON and what goes into an array file; `restored` puts them together again."""
    values = {field.name: getattr(items, field.name) for field in fields(items)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    return {name: value for name, value in values.items() if name not in arrays}, arrays


def restored(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> ItemFeatures | Snapshot:
    """Return item features out of what `parts` gave; `arrays` may hold others too."""
    kind: type[ItemFeatures] | type[Snapshot] = Snapshot if "day" in meta else ItemFeatures
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in meta.items()}
    values |= {field.name: arrays[field.name] for field in fields(kind) if field.name not in values}
    return kind(**values)


def _days(day: Day) -> NDArray[np.int64]:
    if day is None:
        raise DataError("item features need a day here; only a frozen assembler has one of its own")
    return np.asarray(days_since_epoch(day) if isinstance(day, dt.date) else day, np.int64)


def _daily(lake: Lake, vocabulary: Vocabulary, names: tuple[str, ...], until: dt.date | None) -> pd.DataFrame:
    """Return the item rows of `statistics` with ids, and the same again over all scenarios."""
    kinds = ["item", *(f"item.{name}" for name in names)]
    columns = ["ds", "feature", "scenario", "value", "count", "sum"]
    stream = lake.scan("statistics", until=until, columns=columns, where=pc.field("feature").isin(kinds))
    frames = [pd.DataFrame({"name": [], "scenario": [], "item": [], "day": [], "count": [], "sum": []}, dtype=np.int64)]
    frames.extend(_frame(batch, vocabulary, kinds) for batch in stream)
    own = pd.concat(frames, ignore_index=True)
    known = own[(own["item"] > 0) & (own["scenario"] > 0)]
    own = known.sort_values(["item", "day", "name", "scenario"], kind="stable")
    return pd.concat([own.assign(scenario=EVERYWHERE), own], ignore_index=True)


def _frame(batch: pa.RecordBatch, vocabulary: Vocabulary, kinds: list[str]) -> pd.DataFrame:
    """Return rows of `statistics` as name (position in `kinds`), scenario, item, day, count, sum."""
    kind = pc.index_in(batch["feature"], value_set=pa.array(kinds))
    return pd.DataFrame(
        {
            "name": kind.to_numpy(zero_copy_only=False).astype(np.int64),
            "scenario": vocabulary.encode("scenario", batch["scenario"]).astype(np.int64),
            "item": vocabulary.encode("item_id", batch["value"]).astype(np.int64),
            "day": batch["ds"].cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64),
            "count": batch["count"].to_numpy(zero_copy_only=False),
            "sum": batch["sum"].to_numpy(zero_copy_only=False),
        }
    )


def _wide(daily: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Return one row a slot, ascending: events, and count and sum of every name."""
    slots = np.unique(daily["slot"].to_numpy())
    wide = pd.DataFrame(index=pd.Index(slots))
    for code, name in enumerate(("", *names)):
        rows = daily[daily["name"] == code]
        at = np.searchsorted(slots, rows["slot"].to_numpy())
        count = np.bincount(at, weights=rows["count"].to_numpy(np.float64), minlength=len(slots))
        if code == 0:
            wide["events"] = count.astype(np.int64)
            continue
        wide[f"count.{name}"] = count.astype(np.int64)
        wide[f"sum.{name}"] = np.bincount(at, weights=rows["sum"].to_numpy(np.float64), minlength=len(slots))
    return wide
