"""What a step is, what it is given, and what it hands back. The pipeline runs steps; the rooms define them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landbridge.config.schema import Config
from landbridge.lake.lake import Lake

if TYPE_CHECKING:
    from landbridge.lake.spark import SparkLake

FLOW = (
    "clean",
    "featurize",
    "adapt",
    "encode",
    "associate",
    "group",
    "pretrain",
    "finetune",
    "evaluate",
    "recommend",
    "report",
)
"""The steps of a night, in their order."""


@dataclass
class Night:
    """One night's work: the configuration, the day, the lake, and where to speak.

    `spark_lake` starts Spark at its first call, so that a step without Spark never waits for it.
    `say` prints one line of progress. `fingerprint` is the running step's; it travels in its Delta commits.
    `models` is the folder of this ds's fitted contenders and networks.
    `again` asks for everything anew: what an earlier run of the step left behind is not taken up.
    """

    config: Config
    ds: dt.date
    lake: Lake
    spark_lake: Callable[[], SparkLake]
    say: Callable[[str], None]
    models: Path
    reports: Path
    fingerprint: str = ""
    run_id: str = ""
    again: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a step tells the ledger, the tracker and the person: counts, metrics, and files to keep as artifacts."""

    notes: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    artifacts: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Step:
    """A step: what it reads and writes, the configuration sections it depends on, and one function.

    `inputs` tells of what lies outside the lake (files, folders) as name to digest; it enters the fingerprint.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    sections: tuple[str, ...]
    run: Callable[[Night], Outcome]
    inputs: Callable[[Night], Mapping[str, str]] = lambda night: {}
