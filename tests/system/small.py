"""A small shop out of the bundled logs: 45 days, five countries, a part of the British customers."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import zlib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FULL = ROOT / "tests" / "data" / "online_retail"
DS = dt.date(2011, 11, 29)
NEXT = dt.date(2011, 11, 30)
FIRST = DS - dt.timedelta(days=44)
COUNTRIES = {"United Kingdom", "Germany", "France", "EIRE", "Spain"}
BRITISH_SHARE = 8


def write_small(folder: Path) -> Path:
    """Write logs and configuration into a folder and return the configuration's path (``conf/small.yaml``)."""
    logs = folder / "logs"
    logs.mkdir(parents=True)
    day = FIRST
    while day <= NEXT:
        source = FULL / f"{day}.csv.gz"
        if source.exists():
            _write_day(source, logs / source.name)
        day += dt.timedelta(days=1)
    return _write_conf(folder, logs)


def _write_day(source: Path, target: Path) -> None:
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    kept = [rows[0], *(row for row in rows[1:] if _kept(row[6] or row[0], row[7]))]
    with gzip.open(target, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(kept)


def _kept(buyer: str, country: str) -> bool:
    if country != "United Kingdom":
        return country in COUNTRIES
    return zlib.crc32(buyer.encode()) % BRITISH_SHARE == 0


def _write_conf(folder: Path, logs: Path) -> Path:
    tree = yaml.safe_load((ROOT / "conf" / "online_retail.yaml").read_text(encoding="utf-8"))
    tree["name"] = "small"
    tree["data"]["reader"].update(path=f"{logs}/{{ds}}.csv.gz", first_day=FIRST)
    tree["split"] = {"validation_days": 9, "test_days": 7}
    tree["features"]["history"] = 20
    tree["retriever"].update(dim=16, epochs=1, negatives=128, batch=512)
    tree["ranker"].update(dim=16, hidden=[32], epochs=1, batch=512)
    tree["transfer"].update(epochs=1)
    tree["evaluate"].update(resamples=50, candidates=20)
    tree["guard"].update(min_users=5)
    tree["recommend"].update(pool=50)
    profiles = folder / "conf" / "profiles"
    profiles.mkdir(parents=True)
    (folder / "conf" / "small.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    local = yaml.safe_load((ROOT / "conf" / "profiles" / "local.yaml").read_text(encoding="utf-8"))
    local.update(root=str(folder / "var"))
    local["spark"]["driver_memory"] = "1g"
    local["spark"]["conf"].update(
        {
            "spark.sql.shuffle.partitions": "2",
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m",
        }
    )
    for name, train in {
        "local": {"launcher": "process", "processes": 1},
        "horovod": {"launcher": "horovod", "processes": 2},
    }.items():
        (profiles / f"{name}.yaml").write_text(
            yaml.safe_dump({**local, "train": train}, sort_keys=False), encoding="utf-8"
        )
    return folder / "conf" / "small.yaml"
