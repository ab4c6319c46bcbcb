"""The step recommend of a pointwise night: every subject without a label gets a score; audited, then published."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from threadpoolctl import threadpool_limits

from landbridge.contenders.point_bundle import PointScorer
from landbridge.errors import AuditError
from landbridge.feed.questions import SCORED
from landbridge.lake.spark import SparkLake
from landbridge.lake.staged import publish_day, staging
from landbridge.recommend.point_audit import audit_scores
from landbridge.recommend.stage import beside, files_of, named, staged, within_reach
from landbridge.recommend.worker import folder_of
from landbridge.step import Night, Outcome, Step
from landbridge.tracking import registry

TABLE = "scores"
SCHEMA = "scenario string, subject_id string, score double, contender string"
_ARROW = pa.schema(
    [("scenario", pa.string()), ("subject_id", pa.string()), ("score", pa.float64()), ("contender", pa.string())]
)


def recommend(night: Night) -> Outcome:
    """Publish the night's own bundle, and make it champion.

    Raises
    ------
    AuditError
        If a rule of the table is broken; the last table and the alias champion stay as they are.
    """
    bundle = night.models / "bundle"
    version = registry.version_of(night, bundle)
    try:
        return publish(night, bundle, version, lambda: registry.promote(night, bundle))
    except AuditError as error:
        raise AuditError(f"{error}. Correct it and run the same command") from None


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
        Those whose scores are made anew, all other rows of the day stay; every one when left out.

    Raises
    ------
    AuditError
        If a rule of the table is broken, as by a bundle that lacks a scenario; nothing was promoted.
    LakeError
        If the files cannot be written, or the day cannot be committed.
    """
    lake = night.spark_lake()
    asked = asked_of(lake, night)
    if scenarios is not None:
        asked = asked.where(F.col("scenario").isin(list(scenarios)))
    night.lake.create(TABLE)
    folder = staging(night.lake, TABLE, night.ds, night.fingerprint)
    rows = named(scored(asked, within_reach(lake, bundle)), night, version)
    made = staged(lake, TABLE, rows if scenarios is None else beside(lake, TABLE, rows, night, scenarios), folder)
    ours = made if scenarios is None else made.where(F.col("scenario").isin(list(scenarios)))
    counted = audit_scores(ours, asked, night.ds)
    promote()
    publish_day(night.lake, TABLE, night.ds, folder, files_of(made, "subject_id"), night.fingerprint)
    total = sum(counted.values())
    night.say(f"{total:,} subjects in {len(counted)} scenarios passed the audit, their scores are published")
    return Outcome(notes={"subjects": counted, "model_version": version}, metrics={"subjects": float(total)})


def asked_of(lake: SparkLake, night: Night) -> DataFrame:
    """Return the examples that are to be scored, with their subjects and without their labels."""
    tonight = lake.table("subjects").where((F.col("ds") == F.lit(night.ds)) & (F.col("role") == SCORED))
    examples = lake.table("examples").where(F.col("ds") <= F.lit(night.ds)).drop("ds", "ts", "label", "value", "part")
    return examples.join(tonight.select("example_id", "subject_id"), "example_id")


def scored(asked: DataFrame, bundle: str) -> DataFrame:
    """Return scenario, subject_id, score, contender of every row, sorted by scenario and subject within its files.

    Every Python worker opens the bundle once and sees Arrow batches only. A scenario that the bundle lacks is left
    out, which the audit will tell.
    """
    partitions = max(1, asked.sparkSession.sparkContext.defaultParallelism)
    ordered = asked.repartitionByRange(partitions, "scenario", "subject_id").sortWithinPartitions(
        "scenario", "subject_id"
    )

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scorer = _opened(bundle)
        with threadpool_limits(1):
            for batch in batches:
                yield from probabilities(scorer, pa.Table.from_batches([batch]))

    return ordered.mapInArrow(score, SCHEMA)


def probabilities(scorer: PointScorer, rows: pa.Table) -> Iterator[pa.RecordBatch]:
    """Return the scores of the rows, scenario by scenario."""
    for scenario in sorted(set(pc.unique(rows["scenario"]).to_pylist()) & set(scorer.scenarios)):
        own = rows.filter(pc.equal(rows["scenario"], scenario))
        count = own.num_rows
        columns = [
            pa.array([scenario] * count, pa.string()),
            own["subject_id"].cast(pa.string()),
            pa.array(scorer.probability(own, scenario).astype("float64")),
            pa.array([scorer.contender(scenario)] * count, pa.string()),
        ]
        yield from pa.table(columns, schema=_ARROW).to_batches()


@cache
def _opened(bundle: str) -> PointScorer:
    """Open the bundle, once in every worker."""
    return PointScorer.load(folder_of(bundle))


RECOMMEND = Step("recommend", ("examples", "subjects"), (TABLE,), ("name", "pointwise.numbers"), recommend)
