"""A pointwise night that is ready to be judged: examples and subjects of an invented log, written without Spark."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import write_deltalake
from tests.points import config_of, table_of

from landbridge.config import Config
from landbridge.contenders.points import competing
from landbridge.feed.questions import SCORED
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake
from landbridge.step import Night
from landbridge.train.job import Job
from landbridge.train.point_fits import fit_points
from landbridge.train.points import units_of
from landbridge.train.progress import Progress
from landbridge.train.ranks import Alone
from landbridge.train.watch import Watch

DS = dt.date(2011, 3, 1)
NAMES = "[constant, logistic, trees, trees_joint, trees_pooling]"
ROLES = {"0": "train", "1": "train", "2": "train", "3": "validation", "4": "test", "5": SCORED}


def night_of(root: Path, said: list[str] | None = None, *overrides: str) -> Night:
    """A night without Spark and without tracking."""
    config = config_of(f"root={root}", f"scores.contenders={NAMES}", "evaluate.resamples=100", *overrides)

    def no_spark() -> object:
        raise AssertionError("this needs Spark")

    models, say = Path(config.root) / "models" / str(DS), (said if said is not None else []).append
    return Night(config, DS, Lake(config), no_spark, say, models, root / "reports" / str(DS), "f" * 16)  # type: ignore[arg-type]


def ready(root: Path, table: pa.Table | None = None, *overrides: str) -> Night:
    """Write the tables, fit all contenders as finetune's processes do, in this process, and return the night."""
    night = night_of(root, None, *overrides)
    table = table_of(1500, folds=6) if table is None else table
    roles = pa.array([ROLES[part] for part in table["part"].to_pylist()])
    days = pa.array([DS] * len(roles), pa.date32())
    stamps = pa.array([dt.datetime(2011, 3, 1, tzinfo=dt.UTC)] * len(roles), pa.timestamp("us", "UTC"))
    _write(night.lake, "examples", table.append_column("ds", days).append_column("ts", stamps))
    subjects = {"ds": days, "example_id": table["example_id"], "scenario": table["scenario"], "role": roles}
    _write(night.lake, "subjects", pa.table({**subjects, "subject_id": table["example_id"]}))
    fit(night)
    return night


def fit(night: Night) -> None:
    night.models.mkdir(parents=True, exist_ok=True)
    units = units_of(night, competing(night.config))
    job = Job("finetune", DS, night.config, night.models, {}, night.fingerprint, "recipe", units)
    fit_points(job, Watch(math.inf, {}), Progress(job.progress, 0), Alone())


def flipped(table: pa.Table) -> pa.Table:
    """The same rows, with the opposite answers where they are to be scored."""
    scored = pc.equal(table["part"], "5")
    label = pc.if_else(scored, pc.subtract(1.0, table["label"]), table["label"])
    value = pc.if_else(scored, pc.subtract(11.0, table["value"]), table["value"])
    names = table.column_names
    return table.set_column(names.index("label"), "label", label).set_column(names.index("value"), "value", value)


def _write(lake: Lake, name: str, table: pa.Table) -> None:
    columns = list(lake.contract(name).columns)
    lake.create(name)
    rows = table.select(columns).cast(arrow_schema(lake.contract(name)))
    write_deltalake(lake.path(name), rows, mode="append")


def config(root: Path) -> Config:
    return night_of(root).config
