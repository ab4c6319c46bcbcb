"""A small shop's raw logs: gzipped CSV files as Online Retail has them, a configuration, and nights run on them."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from landbridge.config import Config, load
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake
from landbridge.lake.spark import SparkLake
from landbridge.step import Night, Outcome, Step

CONF = Path(__file__).parents[1] / "conf" / "online_retail.yaml"
HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
MONDAY = dt.date(2011, 3, 7)
LISTED = (
    "data.catalogue={path: '{logs}/listed-{ds}.csv', header: [sku, name], item_id: trim(sku), items: {title: name}}"
)
"""The day's catalogue beside its logs."""
Line = tuple[str | None, ...]
_SPARK = {
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.ui.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC",
    # Ten rows are not worth a compiler, nor a plan that is made anew after each stage.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}


def day(number: int) -> dt.date:
    """The day with a number: 0 is Monday, 2011-03-07."""
    return MONDAY + dt.timedelta(days=number)


def shop_config(logs: Path, root: Path, *overrides: str) -> Config:
    """The retail configuration on the files of `logs`, with a history of 4 events and small splits."""
    spark = [f"spark.conf={json.dumps(_SPARK)}", "spark.master=local[2]", "spark.driver_memory=1g"]
    small = [
        f"root={root}",
        f"data.reader.path={logs}/{{ds}}.csv.gz",
        f"data.reader.first_day={MONDAY}",
        "data.reader.closed='dayofweek(ds) = 7'",
        "features.history=4",
        "ranker.recent=2",
        "split={validation_days: 3, test_days: 1}",
    ]
    return load(CONF, "local", [*spark, *small, *(one.replace("{logs}", str(logs)) for one in overrides)])


def line(
    ds: dt.date,
    item: str = "10000",
    user: str = "1",
    *,
    invoice: str = "500",
    minute: int = 0,
    quantity: str = "1",
    price: str = "2.5",
    title: str = "mug",
    country: str = "Germany",
    at: str | None = None,
) -> Line:
    """A line of a file; every value is text, as in a file."""
    return (
        invoice,
        item,
        title,
        quantity,
        at or f"{ds} {9 + minute // 60:02}:{minute % 60:02}:00",
        price,
        f"{user}.0" if user else "",
        country,
    )


def lines(ds: dt.date, rows: int = 12, seed: int = 0, users: int = 4, items: int = 6) -> list[Line]:
    """Clean lines of a day: invoices of several lines, users who come again, one user in two countries."""
    draw = random.Random(f"{seed} {ds}")
    made: list[Line] = []
    while len(made) < rows:
        user, minute = draw.randrange(users), draw.randrange(300)
        country = ("United Kingdom", "Germany", "France")[user % 3] if draw.random() < 0.8 else "Germany"
        basket = draw.sample(range(items), draw.randint(1, 3))
        made += [_drawn(ds, draw, item, user, minute, country) for item in basket]
    return list(dict.fromkeys(made))[:rows]


def _drawn(ds: dt.date, draw: random.Random, item: int, user: int, minute: int, country: str) -> Line:
    title, price, quantity = f"thing {item} {draw.choice('ab')}", str(draw.randint(1, 9)), str(draw.randint(1, 5))
    told = {"invoice": str(500 + minute), "minute": minute, "title": title, "price": price, "quantity": quantity}
    return line(ds, str(10000 + item), str(user), country=country, **told)  # type: ignore[arg-type]


class Shop:
    """A folder of logs and a lake over it."""

    def __init__(self, folder: Path, spark: SparkSession, overrides: Sequence[str] = ()) -> None:
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.config = shop_config(self.logs, folder / "var", *overrides)
        self.spark = spark
        self.said: list[str] = []

    @property
    def lake(self) -> Lake:
        return Lake(self.config)

    def with_config(self, *overrides: str) -> Shop:
        """Change the configuration of the same logs and lake."""
        self.config = shop_config(self.logs, Path(self.config.root), *overrides)
        return self

    def path(self, ds: dt.date) -> Path:
        return self.logs / f"{ds}.csv.gz"

    def write(
        self, ds: dt.date, rows: Iterable[Line] | None = None, header: Sequence[str] = HEADER, encoding: str = "utf-8"
    ) -> Path:
        """Write a day's file; `lines(ds)` unless rows are given."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines(ds) if rows is None else rows)
        self.path(ds).write_bytes(gzip.compress(text.getvalue().encode(encoding), mtime=0))
        return self.path(ds)

    def catalogue(self, ds: dt.date, *items: str) -> Path:
        """Write a day's catalogue, a line an item, as `LISTED` reads it."""
        path = self.logs / f"listed-{ds}.csv"
        path.write_text("".join(f"{row}\n" for row in ("sku,name", *items)), encoding="utf-8")
        return path

    def night(self, ds: dt.date) -> Night:
        spark_lake = SparkLake(self.spark, self.lake)
        root = Path(self.config.root)
        return Night(
            self.config,
            ds,
            self.lake,
            lambda: spark_lake,
            self.said.append,
            root / "models" / str(ds),
            root / "reports" / str(ds),
            "test",
        )

    def run(self, ds: dt.date, *steps: Step) -> Outcome:
        """Run steps as the pipeline does: their notes go into the ledger."""
        for step in steps:
            outcome = step.run(self.night(ds))
            self._remember(step, ds, outcome)
        return outcome

    def rows(self, table: str, *columns: str, until: dt.date | None = None) -> list[dict[str, Any]]:
        """A table's rows as dicts, sorted by its key."""
        if not self.lake.exists(table):
            return []
        found = self.lake.read(table, until=until, columns=list(columns) or None).to_pylist()
        return sorted(found, key=lambda row: str([row[name] for name in self.lake.contract(table).key if name in row]))

    def _remember(self, step: Step, ds: dt.date, outcome: Outcome) -> None:
        contract = self.lake.contract("ledger")
        blank: dict[str, Any] = {
            name: {"string": "", "double": 0.0, "bigint": 0}.get(column.type)
            for name, column in contract.columns.items()
        }
        generation = sum(row["step"] == step.name and row["ds"] == ds for row in self.rows("ledger", "ds", "step")) + 1
        row = blank | {"ds": ds, "step": step.name, "generation": generation, "notes": json.dumps(dict(outcome.notes))}
        self.lake.append("ledger", pa.Table.from_pylist([row], schema=arrow_schema(contract)), "test")
