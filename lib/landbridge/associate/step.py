"""The step `associate`: which items go with which, over all scenarios, up to the end of ds."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.associate.attributes import as_of, by_value
from landbridge.associate.log import homes_of, ids_of, log_of, named
from landbridge.associate.taken import by_taking, latest
from landbridge.associate.texts import by_text, space_of
from landbridge.config.associations import TAKEN, TEXT, Associations
from landbridge.errors import DataError
from landbridge.feed.vectors import revision_for
from landbridge.lake.expressions import explained
from landbridge.lake.spark import SparkLake
from landbridge.step import Night, Outcome, Step


def run(night: Night) -> Outcome:
    """Write the day's associations; a kind that cannot be found is left out, and said so."""
    settings = night.config.associations
    if settings is None:
        night.say("nothing is associated: no section associations")
        return Outcome(notes={"left_out": ["no section associations"]})
    lake = night.spark_lake()
    log = log_of(lake.table("examples").where(F.col("ds") <= F.lit(night.ds)), lake.table("vocabulary"))
    homes, had = homes_of(log).persist(), latest(log, settings.taken.user_items).persist()
    try:
        with explained("the items cannot be associated"):
            kinds = {TAKEN: by_taking(had, homes, settings), **_by_value(night, lake, settings)}
            left_out = _add_text(kinds, night, lake, homes, settings)
            rows = _rows(kinds, homes, lake.table("vocabulary")).withColumn("ds", F.lit(night.ds))
            ordered = rows.hint("rebalance", "ds").sortWithinPartitions("scenario", "item_id", "kind", "other_id")
            lake.replace_days("associations", ordered, night.ds, night.ds, night.fingerprint)
    finally:
        homes.unpersist()
        had.unpersist()
    return _told(night, lake, settings, left_out)


def _by_value(night: Night, lake: SparkLake, settings: Associations) -> dict[str, DataFrame]:
    attributes = as_of(lake.table("items"), lake.table("vocabulary"), settings.attributes, night.ds)
    return {name: by_value(attributes, name, settings) for name in settings.attributes}


def _add_text(
    kinds: dict[str, DataFrame], night: Night, lake: SparkLake, homes: DataFrame, settings: Associations
) -> list[str]:
    """Add the kind text, or return why it is left out."""
    if settings.text is None or night.config.encode is None:
        return []
    revision = revision_for(lake.lake, night.ds)
    same = (F.col("encoder") == night.config.encode.model) & (F.col("revision") == revision)
    ids = ids_of(lake.table("vocabulary"), "item_id", "item")
    vectors = lake.table("item_vectors").where(same).join(ids, "item_id").join(homes, "item")
    try:
        space = space_of(vectors, settings.text.max_items)
    except DataError as error:
        night.say(str(error))
        return [str(error)]
    kinds[TEXT] = by_text(lake.spark.range(len(space.items)), space, settings)
    return []


def _rows(kinds: dict[str, DataFrame], homes: DataFrame, vocabulary: DataFrame) -> DataFrame:
    edges = [edges.withColumn("kind", F.lit(kind)) for kind, edges in kinds.items()]
    return named(reduce(DataFrame.unionByName, edges), homes, vocabulary)


def _told(night: Night, lake: SparkLake, settings: Associations, left_out: list[str]) -> Outcome:
    """Say how many associations of each kind the day has, and how many lead from one scenario into another."""
    day = lake.table("associations").where(F.col("ds") == F.lit(night.ds))
    crossing = F.count_if(F.col("scenario") != F.col("other_scenario"))
    found = {row[0]: row[1:] for row in day.groupBy("kind").agg(F.count("*"), crossing).collect()}  # a row a kind
    counts = {kind: found.get(kind, (0, 0)) for kind in settings.kinds}
    for kind, (every, between) in counts.items():
        night.say(f"{every:,} associations of the kind {kind}, {between:,} of them between two scenarios")
    notes = {"associations": {kind: every for kind, (every, _) in counts.items()}, "left_out": left_out}
    return Outcome(notes, {f"associations.{kind}": float(every) for kind, (every, _) in counts.items()})


ASSOCIATE = Step(
    "associate",
    reads=("examples", "items", "vocabulary", "item_vectors"),
    writes=("associations",),
    sections=("associations", "encode"),
    run=run,
)
