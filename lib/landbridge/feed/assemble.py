"""Columns to arrays: the one way from tables to what models see, wherever they learn, are judged, or answer."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from landbridge.config.schema import Config
from landbridge.errors import DataError
from landbridge.feed.arrays import digest_of, load_arrays, save_arrays
from landbridge.feed.interactions import microseconds
from landbridge.feed.item_features import Day, ItemFeatures, Snapshot, parts, restored
from landbridge.feed.scaling import item_scaling, scaled, user_scaling
from landbridge.feed.scenario_features import ScenarioFeatures
from landbridge.feed.states import Catalogue, States, no_had, right_aligned
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake

_DAY = 86_400_000_000.0
_SCALES = ("user_mean_F", "user_scale_F", "item_mean_G", "item_scale_G")


@dataclass(frozen=True)
class Assembler:
    """Vocabulary, scaling and item features of one night; saved beside every model that learned with it."""

    vocabulary: Vocabulary
    history: int
    """L, the events of a history."""
    user_names: tuple[str, ...]
    user_mean_F: NDArray[np.float64]
    user_scale_F: NDArray[np.float64]
    items: ItemFeatures | Snapshot
    item_mean_G: NDArray[np.float64]
    item_scale_G: NDArray[np.float64]
    scenarios: ScenarioFeatures

    @classmethod
    def fit(cls, lake: Lake, config: Config, until: dt.date, known: dt.date | None = None) -> Self:
        """Fit the scaling on the days up to and with `until`.

        Item features are kept for all days up to and with `known` (the ds of the night; default: whatever the
        table holds), because later days are asked about; each question uses only what lies before its day.
        """
        vocabulary = Vocabulary.load(lake)
        items = ItemFeatures.load(lake, vocabulary, config, known)
        names = tuple(config.features.user)
        user_mean, user_scale = user_scaling(lake, names, until)
        after = until + dt.timedelta(days=1)
        keys = items.known(after)
        keys = keys[keys >= items.size]
        item_mean, item_scale = item_scaling(items.features(keys % items.size, keys // items.size, after))
        told, history = ScenarioFeatures.fit(lake, vocabulary, config, until, known), config.features.history
        return cls(vocabulary, history, names, user_mean, user_scale, items, item_mean, item_scale, told)

    @property
    def n_user_features(self) -> int:
        """F: the features of a user, and of the scenario that is asked about."""
        return len(self.user_names) + self.scenarios.width

    @property
    def n_item_features(self) -> int:
        """G."""
        return self.items.width

    def states(
        self,
        rows: pa.Table,
        scenario: str,
        ts: NDArray[np.int64] | None = None,
        had: sparse.csr_matrix | None = None,
        asked: NDArray[np.integer[Any]] | None = None,
    ) -> States:
        """Return the states of rows of `histories` or `user_state`, in their order, as of `ts`.

        Parameters
        ----------
        rows
            With the columns `history` and the user features; user_id, ts and had (a list of items) are used if there.
            A feature column that is missing counts as missing values.
        scenario
            What is asked about.
        ts
            Moments in microseconds since the epoch, shape B; default: the column ts.
        had
            What the users have, shape [B, items]; default: the column had if it is a list, else nothing.
        asked
            Ids of the scenarios whose features the rows get, shape B; default: that of `scenario`.
        """
        count = rows.num_rows
        if ts is None:
            ts = microseconds(_column(rows, "ts"))
        history = _column(rows, "history")
        length = pc.fill_null(pc.list_value_length(history), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        source_BL, filled_BL = right_aligned(length, self.history)
        events = pc.list_flatten(history)

        def placed(values: NDArray[Any]) -> NDArray[Any]:
            out = np.zeros((count, self.history), values.dtype)
            out[filled_BL] = values[source_BL[filled_BL]]
            return out

        def field(name: str) -> pa.Array:
            return pc.struct_field(events, name)

        moment = placed(microseconds(field("ts")))
        age = np.where(filled_BL, np.maximum(ts[:, None] - moment, 0) / _DAY, 0.0).astype(np.float32)
        encode, where = self.vocabulary.encode, self.vocabulary.id("scenario", scenario)
        asked_B = np.full(count, where) if asked is None else asked
        return States(
            scenario=where,
            user_ids=_column(rows, "user_id").cast(pa.string())
            if "user_id" in rows.column_names
            else pa.nulls(count, pa.string()),
            item_BL=placed(encode("item_id", field("item_id"))),
            scenario_BL=placed(encode("scenario", field("scenario"))),
            type_BL=placed(encode("event_type", field("event_type"))),
            outcome_BL=placed(field("outcome").to_numpy(zero_copy_only=False).astype(np.float32)),
            age_BL=age,
            length_B=np.minimum(length, self.history).astype(np.int32),
            user_BF=np.concatenate([self._user_features(rows), self.scenarios.of(asked_B, ts)], axis=1),
            had=had if had is not None else self._had(rows),
        )

    def unknown(self, scenario: str, rows: int = 1) -> States:
        """Return the states of users of whom nothing is known."""
        event = pa.struct(
            [
                ("item_id", pa.string()),
                ("scenario", pa.string()),
                ("event_type", pa.string()),
                ("outcome", pa.float64()),
                ("ts", pa.timestamp("us", tz="UTC")),
            ]
        )
        table = pa.table({"history": pa.array([[]] * rows, pa.list_(event))})
        # As of the end of what is known: whoever is unknown tonight asks tonight.
        return self.states(table, scenario, ts=np.full(rows, np.iinfo(np.int64).max))

    def item_features(self, items: ArrayLike, scenario: ArrayLike, day: Day) -> NDArray[np.float32]:
        """Return scaled features [..., G] of item ids in scenario ids, out of days strictly before `day`."""
        return scaled(self.items.features(items, scenario, day), self.item_mean_G, self.item_scale_G)

    def none_features(self) -> NDArray[np.float32]:
        """Return the scaled features G of an item without any event."""
        half = np.array([0.0] * len(self.items.windows) + [np.nan] * len(self.items.names), np.float32)
        return scaled(np.tile(half, 2), self.item_mean_G, self.item_scale_G)

    def catalogue(self, scenario: str, items: NDArray[np.int32], day: Day) -> Catalogue:
        """Return items (ids, any order) of a scenario with their features as of the start of `day`."""
        where = self.vocabulary.id("scenario", scenario)
        ordered = np.unique(np.asarray(items, np.int32))
        return Catalogue(where, ordered, self.item_features(ordered, where, day))

    @cached_property
    def digest(self) -> str:
        """Identity of everything that `states` and `item_features` answer with."""
        return digest_of(json.dumps(self._meta(), sort_keys=True) + self.vocabulary.digest, self._arrays())

    def frozen(self, day: dt.date) -> Self:
        """Return what answers for the start of `day` only (and for day=None): small, for a bundle."""
        if isinstance(self.items, Snapshot):
            return self
        return replace(self, items=Snapshot.of(self.items, day))

    def save(self, folder: Path) -> None:
        """Write everything into an existing folder: JSON, ``.npz`` without pickle, Arrow."""
        self.vocabulary.save(folder)
        (folder / "assembler.json").write_text(json.dumps(self._meta(), indent=1, sort_keys=True), encoding="utf-8")
        save_arrays(folder / "assembler.npz", self._arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        try:
            meta = json.loads((folder / "assembler.json").read_text(encoding="utf-8"))
            arrays = load_arrays(folder / "assembler.npz")
        except (OSError, ValueError) as error:
            raise DataError(
                f"{folder} holds no readable assembler: {error}; make it anew by running pretrain for that night"
            ) from None
        vocabulary = Vocabulary.read(folder)
        return cls(
            vocabulary=vocabulary,
            history=meta["history"],
            user_names=tuple(meta["user_names"]),
            items=restored(meta["items"], arrays),
            scenarios=_scenarios_of(meta, arrays, vocabulary),
            **{name: arrays[name] for name in _SCALES},
        )

    def _meta(self) -> dict[str, Any]:
        return {
            "history": self.history,
            "user_names": list(self.user_names),
            "items": parts(self.items)[0],
            "scenario_names": list(self.scenarios.names),
        }

    def _arrays(self) -> dict[str, NDArray[Any]]:
        told = {"scenario_begin_D": self.scenarios.begin_D, "scenario_value_SDF": self.scenarios.value_SDF}
        return {**parts(self.items)[1], **told, **{name: getattr(self, name) for name in _SCALES}}

    def _user_features(self, rows: pa.Table) -> NDArray[np.float32]:
        raw = np.full((rows.num_rows, len(self.user_names)), np.nan)
        for column, name in enumerate(self.user_names):
            if name in rows.column_names:
                raw[:, column] = _column(rows, name).cast(pa.float64()).to_numpy(zero_copy_only=False)
        return scaled(raw, self.user_mean_F, self.user_scale_F)

    def _had(self, rows: pa.Table) -> sparse.csr_matrix:
        size = self.vocabulary.size("item_id")
        if "had" not in rows.column_names or not pa.types.is_list(rows.schema.field("had").type):
            return no_had(rows.num_rows, size)
        lists = _column(rows, "had")
        item = self.vocabulary.encode("item_id", pc.list_flatten(lists))
        row = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
        pair = np.unique(row[item > 0] * size + item[item > 0])
        return sparse.csr_matrix((np.ones(len(pair), np.float32), np.divmod(pair, size)), shape=(rows.num_rows, size))


def _scenarios_of(meta: dict[str, Any], arrays: dict[str, NDArray[Any]], vocabulary: Vocabulary) -> ScenarioFeatures:
    """Return what `save` wrote of the scenarios; a bundle of before there were such features has none."""
    if "scenario_names" not in meta:
        return ScenarioFeatures.none(vocabulary.size("scenario"))
    names = tuple(meta["scenario_names"])
    return ScenarioFeatures(names, arrays["scenario_begin_D"], arrays["scenario_value_SDF"])


def _column(rows: pa.Table, name: str) -> pa.Array:
    if name not in rows.column_names:
        raise DataError(f"the column {name} is missing; columns: {', '.join(rows.column_names)}")
    column = rows[name].combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
