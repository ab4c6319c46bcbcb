"""Scores users with a bundle: the same lines of code make the nightly table and the registry's `predict`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from landbridge.contenders.base import Fitted
from landbridge.contenders.bundle import read_routes, route_of
from landbridge.contenders.folder import load_fitted, top_k
from landbridge.contenders.lent import fused
from landbridge.feed.assemble import Assembler
from landbridge.feed.states import Catalogue, States
from landbridge.lake.arrow import arrow_type
from landbridge.lake.contracts import EVENT, NEW_USER, RECOMMENDED

BLOCK = 256
"""Rows scored at once. A block that is not full is filled up: a matrix product may round differently
for another number of rows, and a user's list must not depend on who else is asked for."""

LIST = pa.list_(arrow_type(RECOMMENDED))
HISTORY = pa.list_(arrow_type(EVENT))


@dataclass
class Scorer:
    """A loaded bundle; contenders, catalogues and assemblers are read at their first use."""

    folder: Path
    routes: dict[str, Any]
    _assemblers: dict[str, Assembler] = field(default_factory=dict)
    _fitted: dict[str, Fitted] = field(default_factory=dict)
    _catalogues: dict[tuple[str, str], Catalogue] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Scorer:
        """Open a bundle."""
        return cls(folder, read_routes(folder))

    @property
    def scenarios(self) -> list[str]:
        """Scenarios that the bundle has a route for."""
        return sorted(self.routes["scenarios"])

    @property
    def newcomers(self) -> list[str]:
        """Those of them without a log, whose lists come from their neighbours."""
        return [name for name in self.scenarios if "neighbours" in self.routes["scenarios"][name]]

    @property
    def k(self) -> int:
        """Items a list has, unless asked for otherwise."""
        return int(self.routes["k"])

    def recommend(self, rows: pa.Table, scenario: str, k: int | None = None) -> pa.Table:
        """Return user_id, items (best first) of every row of `rows`, in its order.

        Parameters
        ----------
        rows
            Rows as `user_state` has them: user_id, ts, history, had and the user features.
            A row with an empty history gets the list for whoever is unknown.
        """
        route, k = route_of(self.routes, scenario), self.k if k is None else k
        if "neighbours" in route:
            items_BK, scores_BK = self._lent(rows, scenario, k)
            sources = np.full(rows.num_rows, route["contender"])
        else:
            items_BK, scores_BK, sources = self._made(rows, scenario, route, scenario, k)
        lists = self._as_lists(items_BK, scores_BK, sources, self._assembler(route))
        return pa.table({"user_id": rows["user_id"].cast(pa.string()), "items": lists})

    def _lent(self, rows: pa.Table, scenario: str, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return items_BK, scores_BK of a newcomer: its neighbours' lists of its own catalogue, fused."""
        neighbours = route_of(self.routes, scenario)["neighbours"]
        depth = max(k, int(self.routes["pool"]))
        lists = [self._made(rows, scenario, one, one["scenario"], depth)[0] for one in neighbours]
        return fused(np.stack(lists), np.array([one["weight"] for one in neighbours]), k)

    def _made(
        self, rows: pa.Table, scenario: str, route: dict[str, Any], asked: str, k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.str_]]:
        """Return items_BK, scores_BK, sources_B by the parts of a route, asked as the scenario `asked` is."""
        states = self._assembler(route_of(self.routes, scenario)).states(rows, asked)
        known = states.length_B > 0
        chosen = [
            (np.flatnonzero(known), route["part"], route["contender"]),
            (np.flatnonzero(~known), route["unknown"]["part"], route["unknown"]["contender"]),
        ]
        catalogue = self._catalogue(scenario, asked)
        items_BK = np.zeros((rows.num_rows, k), np.int32)
        scores_BK = np.zeros((rows.num_rows, k), np.float32)
        for which, part, _ in chosen:
            items_BK[which], scores_BK[which] = self._lists(states, which, part, catalogue, k)
        return items_BK, scores_BK, np.where(known, route["contender"], route["unknown"]["contender"])

    def unknown(self, scenario: str) -> pa.Table:
        """Return one row as `user_state` has it, of whoever is unknown in the scenario."""
        columns = {
            "user_id": pa.array([NEW_USER]),
            "ts": pa.array([self.moment(scenario)], pa.timestamp("us", "UTC")),
            "had": pa.array([[]], pa.list_(pa.string())),
            "history": pa.array([[]], HISTORY),
        }
        return pa.table({**columns, **{name: pa.array([None], pa.float64()) for name in self.routes["features"]}})

    def moment(self, scenario: str) -> int:
        """The moment that the scenario's lists are as of, in microseconds since the epoch."""
        return int(route_of(self.routes, scenario)["moment"])

    def catalogue(self, scenario: str) -> pa.Array:
        """Return the item ids that the scenario's lists may hold."""
        route = route_of(self.routes, scenario)
        names = self._assembler(route).vocabulary.values("item_id")
        return names.take(pa.array(self._catalogue(scenario, scenario).items.astype(np.int64) - 1))

    def _lists(
        self, states: States, which: NDArray[np.intp], part: str, catalogue: Catalogue, k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return items_BK, scores_BK of the states at `which`, block by block."""
        items_BK = np.zeros((len(which), k), np.int32)
        scores_BK = np.zeros((len(which), k), np.float32)
        for start in range(0, len(which), BLOCK):
            block = which[start : start + BLOCK]
            full = np.resize(block, BLOCK)
            found = top_k(self._part(part), states.take(full), catalogue, k, int(self.routes["pool"]))
            items_BK[start : start + BLOCK], scores_BK[start : start + BLOCK] = (
                found[0][: len(block)],
                found[1][: len(block)],
            )
        return items_BK, scores_BK

    def _as_lists(
        self,
        items_BK: NDArray[np.int32],
        scores_BK: NDArray[np.float32],
        sources: NDArray[np.str_],
        assembler: Assembler,
    ) -> pa.Array:
        present_BK = items_BK > 0
        counts_B = present_BK.sum(axis=1)
        names = assembler.vocabulary.values("item_id")
        flat = [
            names.take(pa.array(items_BK[present_BK].astype(np.int64) - 1)),
            pa.array(scores_BK[present_BK].astype(np.float64)),
            pa.array(np.repeat(sources, counts_B), pa.string()),
        ]
        structs = pa.StructArray.from_arrays(flat, fields=list(LIST.value_type))
        return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(counts_B)]), pa.int32()), structs).cast(
            LIST
        )

    def _assembler(self, route: dict[str, Any]) -> Assembler:
        name = route["assembler"]
        if name not in self._assemblers:
            self._assemblers[name] = Assembler.load(self.folder / "parts" / name)
        return self._assemblers[name]

    def _part(self, name: str) -> Fitted:
        if name not in self._fitted:
            self._fitted[name] = load_fitted(self.folder / "parts" / name)
        return self._fitted[name]

    def _catalogue(self, scenario: str, asked: str) -> Catalogue:
        """Return the items of a scenario with their features as those of the scenario `asked`."""
        if (scenario, asked) not in self._catalogues:
            route = route_of(self.routes, scenario)
            items = np.load(self.folder / "parts" / route["catalogue"] / "items.npy", allow_pickle=False)
            day = dt.date.fromisoformat(route["ds"]) + dt.timedelta(days=1)
            self._catalogues[scenario, asked] = self._assembler(route).catalogue(asked, items, day)
        return self._catalogues[scenario, asked]
