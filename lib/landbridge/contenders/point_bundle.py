"""The bundle of a pointwise night: a folder that gives rows a probability without Spark and without the lake.

routes.json               scenario -> contender, fit, its part and the ids that it was fitted with
parts/<content hash>/     saved contenders, codings; equal content is there once
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from landbridge.contenders.bundle import (
    fitted_folder,
    fresh,
    keep,
    made_empty,
    put,
    read_routes,
    route_of,
    write_routes,
)
from landbridge.contenders.points import CODING
from landbridge.contenders.pointwise.base import PointFitted
from landbridge.contenders.pointwise.folder import load_point
from landbridge.feed.rows import Coding, Rows
from landbridge.lake.lake import Lake

KIND = "pointwise"
_READ = ("events", "examples", "subjects")
_TEXTS = ("example_id", "user_id", "item_id", "scenario")


def build_points(night_models: Path, routes: Mapping[str, str], lake: Lake, ds: dt.date, folder: Path) -> Path:
    """Write the bundle of a night, scenario -> contender of fit C, and return its folder; one there is replaced.

    Raises
    ------
    LakeError
        If a contender that a route names has not been fitted.
    """
    work = fresh(folder)
    shutil.copyfile(night_models / "fits" / "C" / CODING, made_empty(work / "new") / CODING)
    common = {
        "fit": "C",
        "coding": keep(work / "new", work),
        "ds": ds.isoformat(),
        "versions": {name: lake.version(name) for name in _READ},
    }
    entries = {
        scenario: {
            "contender": contender,
            "part": keep(fitted_folder(night_models, "C", scenario, contender), work),
            **common,
        }
        for scenario, contender in sorted(routes.items())
    }
    task = lake.config.pointwise
    assert task is not None
    head = {
        "format": 1,
        "kind": KIND,
        "name": lake.config.name,
        "numbers": list(task.numbers),
        "categories": list(task.categories),
        "tags": task.tags is not None,
    }
    write_routes(work, head, entries)
    return put(work, folder)


@dataclass
class PointScorer:
    """A loaded bundle: the same lines of code make the nightly table and the registry's `predict`."""

    folder: Path
    routes: dict[str, Any]
    _fitted: dict[str, PointFitted] = field(default_factory=dict)
    _codings: dict[str, Coding] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> PointScorer:
        """Open a bundle."""
        return cls(folder, read_routes(folder))

    @property
    def scenarios(self) -> list[str]:
        """Scenarios that the bundle has a route for."""
        return sorted(self.routes["scenarios"])

    def contender(self, scenario: str) -> str:
        """What a scenario publishes.

        Raises
        ------
        DataError
            The bundle has no such scenario.
        """
        return str(route_of(self.routes, scenario)["contender"])

    def probability(self, rows: pa.Table, scenario: str) -> NDArray[np.float32]:
        """Return the probability of every row, shape N, in its order.

        Parameters
        ----------
        rows
            The configured numbers and categories by name, user_id and item_id, and tags where configured; a column
            that is not there is missing in every row; without ts, the moment of asking, all that is known is past. A
            label is not looked at.
        """
        route = route_of(self.routes, scenario)
        return self._part(route["part"]).probability(Rows.of(self._filled(rows, scenario), self._coding(route)))

    def _filled(self, rows: pa.Table, scenario: str) -> pa.Table:
        """Return the columns that `Rows.of` asks for, without answers."""
        count, here = rows.num_rows, set(rows.column_names)
        kinds = {name: pa.string() for name in (*_TEXTS, *self.routes["categories"])}
        kinds |= {name: pa.float64() for name in self.routes["numbers"]}
        columns = {
            name: rows[name].cast(kind) if name in here else pa.nulls(count, kind) for name, kind in kinds.items()
        }
        columns |= {"scenario": pa.repeat(pa.scalar(scenario), count), "label": pa.nulls(count, pa.float64())}
        if "ts" in here:
            columns["ts"] = rows["ts"]
        if self.routes["tags"]:
            tags = rows["tags"] if "tags" in here else pa.nulls(count, pa.list_(pa.string()))
            columns["tags"] = tags.cast(pa.list_(pa.string()))
        return pa.table(columns)

    def _part(self, name: str) -> PointFitted:
        if name not in self._fitted:
            self._fitted[name] = load_point(self.folder / "parts" / name)
        return self._fitted[name]

    def _coding(self, route: dict[str, Any]) -> Coding:
        name = route["coding"]
        if name not in self._codings:
            self._codings[name] = Coding.load(self.folder / "parts" / name / CODING)
        return self._codings[name]
