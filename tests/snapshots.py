"""Small data sets that are not one file a day: a few files, a configuration in YAML, and nights run on them."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import SparkSession
from tests.logs import _SPARK, CONF, Shop

from landbridge.clean.files import find
from landbridge.clean.read import read_raw
from landbridge.clean.rows import cleaned, events_of, quarantine_of
from landbridge.config import load

DS = dt.date(2020, 1, 1)
BASE: dict[str, Any] = {
    "name": "ratings",
    "data": {
        "reader": {
            "path": "{folder}/ratings.tsv.gz",
            "options": {"sep": "\t"},
            "header": ["user", "item", "rating"],
            "first_day": DS,
        },
        "columns": {
            "ts": {"type": "timestamp", "sql": "'2020-01-01 00:00:00'"},
            "user_id": {"type": "string", "sql": "user"},
            "item_id": {"type": "string", "sql": "item"},
            "scenario": {"type": "string", "sql": "'all'"},
            "event_type": {"type": "string", "sql": "'rating'"},
            "outcome": {"type": "double", "sql": "rating"},
        },
    },
    "transfer": {"source": "all"},
}
"""Tab-separated ratings in one file; `{folder}` is the folder of the files."""


class Snapshot(Shop):
    """A folder of files and a lake over it, configured by a tree that is laid over `BASE`."""

    def __init__(self, folder: Path, spark: SparkSession, tree: dict[str, Any] | None = None) -> None:
        self.logs = folder / "raw"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.spark = spark
        self.said: list[str] = []
        self.configure(tree or {})

    def configure(self, tree: dict[str, Any]) -> None:
        """Lay a tree over `BASE` and load it."""
        text = yaml.safe_dump(_laid_over(BASE, tree)).replace("{folder}", str(self.logs))
        file = self.folder / "conf.yaml"
        file.write_text(text, encoding="utf-8")
        (self.folder / "profiles").mkdir(exist_ok=True)
        local = CONF.parent / "profiles" / "local.yaml"
        overrides = [f"root={self.folder / 'var'}", f"spark.conf={json.dumps(_SPARK)}", "spark.master=local[2]"]
        self.config = load(file, local, overrides)

    def cleaned(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """What clean would write to `events` and to `quarantine`, without writing it."""
        data = self.config.data
        files = find(self.config, DS, DS)[DS]
        rows = cleaned(read_raw(self.spark, data, files), self.config).persist()
        try:
            events, bad = ([row.asDict() for row in made(rows).collect()] for made in (events_of, quarantine_of))
            return events, bad
        finally:
            rows.unpersist()

    def put(self, name: str, *lines: str) -> None:
        """Write a file of lines, compressed where its name ends in .gz."""
        content = "".join(f"{line}\n" for line in lines).encode()
        (self.logs / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)


def _laid_over(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        both = isinstance(merged.get(key), dict) and isinstance(value, dict)
        merged[key] = _laid_over(merged[key], value) if both else value
    return merged
