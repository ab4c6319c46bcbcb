"""Lists of a day, scored with a bundle: staged, audited, published in one commit. A night does it, and a rollback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.contenders.scorer import Scorer
from landbridge.lake.spark import SparkLake
from landbridge.lake.staged import publish_day, staging
from landbridge.recommend.audience import audience, with_unknown
from landbridge.recommend.audit import Audited, audit
from landbridge.recommend.score import scored
from landbridge.recommend.stage import beside, files_of, named, staged, within_reach
from landbridge.step import Night, Outcome

TABLE = "recommendations"


def publish(
    night: Night, bundle: Path, version: str, promote: Callable[[], None], scenarios: Sequence[str] | None = None
) -> Outcome:
    """Replace the night's day of the table by what a bundle makes of it; return what was counted.

    Parameters
    ----------
    bundle, version
        The bundle's folder, and the version of the registry that the rows name.
    promote
        Called when the audit has passed, before the commit.
    scenarios
        Those whose lists are made anew, all other rows of the day stay; every one of the bundle when left out.

    Raises
    ------
    AuditError
        If a rule of the table is broken; nothing was promoted, and the table stays as it is.
    LakeError
        If the files cannot be written, or the day cannot be committed.
    """
    lake, scorer = night.spark_lake(), Scorer.load(bundle)
    chosen = scorer.scenarios if scenarios is None else sorted(scenarios)
    states = lake.table("user_state").where(F.col("ds") == F.lit(night.ds))
    declared = night.config.newcomers
    newcomers = {name: declared[name].audience for name in scorer.newcomers if name in chosen and name in declared}
    served = audience(states, chosen, night.config.recommend.audience, newcomers)
    night.lake.create(TABLE)
    folder = staging(night.lake, TABLE, night.ds, night.fingerprint)
    lists = named(scored(with_unknown(served, chosen), within_reach(lake, bundle)), night, version)
    made = staged(lake, TABLE, lists if scenarios is None else beside(lake, TABLE, lists, night, chosen), folder)
    ours = made if scenarios is None else made.where(F.col("scenario").isin(chosen))
    counted = audit(ours, served, _catalogue(lake, scorer, chosen), scorer.k, night.ds)
    promote()
    publish_day(night.lake, TABLE, night.ds, folder, files_of(made, "user_id"), night.fingerprint)
    _say(night, counted, scorer.k)
    return _outcome(counted, version)


def _catalogue(lake: SparkLake, scorer: Scorer, scenarios: Sequence[str]) -> DataFrame:
    """Return scenario, item_id of what the bundle's lists may hold."""
    parts = [
        pa.table({"scenario": pa.array([scenario] * len(items), pa.string()), "item_id": items})
        for scenario in scenarios
        for items in [scorer.catalogue(scenario)]
    ]
    return lake.spark.createDataFrame(pa.concat_tables(parts))


def _say(night: Night, counted: dict[str, Audited], k: int) -> None:
    users = sum(found.users for found in counted.values())
    night.say(f"{users:,} lists of {k} in {len(counted)} scenarios passed the audit and are published")
    for scenario, found in counted.items():
        if found.short:
            night.say(
                f"{scenario}: {found.short} of {found.users} lists are shorter: the catalogue has no more for them"
            )


def _outcome(counted: dict[str, Audited], version: str) -> Outcome:
    return Outcome(
        notes={
            "users": {name: found.users for name, found in counted.items()},
            "short": {name: found.short for name, found in counted.items()},
            "model_version": version,
        },
        metrics={
            "users": float(sum(found.users for found in counted.values())),
            "short": float(sum(found.short for found in counted.values())),
        },
    )
