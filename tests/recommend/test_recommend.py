"""The daily table: every user of the audience has his list, the audit stops what is wrong, the day is written once."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.published import DS, ITEMS, SCENARIOS, bundle_of, ready, tonight

from landbridge.contenders.bundle import Route, compose
from landbridge.contenders.scorer import Scorer
from landbridge.errors import AuditError, ConfigError, LakeError
from landbridge.lake.catalogue import catalogues
from landbridge.lake.contracts import NEW_USER, RECOMMENDED
from landbridge.lake.lake import Lake
from landbridge.lake.spark import SparkLake, by_rank
from landbridge.recommend import score
from landbridge.recommend.audience import audience
from landbridge.recommend.audit import Audited, audit
from landbridge.recommend.step import RECOMMEND
from landbridge.step import Night
from landbridge.tracking import registry
from landbridge.tracking.run import Tracker

LISTS = f"scenario string, user_id string, items array<{RECOMMENDED}>"


@pytest.fixture(scope="module")
def night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Night:
    night = ready(tmp_path_factory.mktemp("recommend"), said=[])
    bundle_of(night)
    spark_lake = SparkLake(spark, night.lake)
    return replace(night, spark_lake=lambda: spark_lake)


@pytest.fixture(scope="module")
def published(night: Night) -> list[dict[str, object]]:
    RECOMMEND.run(night)
    return list(night.lake.read("recommendations").to_pylist())


def test_every_user_of_the_audience_has_k_distinct_items_that_he_lacks(
    night: Night, published: list[dict[str, object]]
) -> None:
    states = {row["user_id"]: row for row in night.lake.read("user_state").to_pylist()}
    expected = {(scenario, user) for user, row in states.items() for scenario in row["scenarios"]}
    found = {(row["scenario"], row["user_id"]) for row in published}
    assert found == expected | {(scenario, NEW_USER) for scenario in SCENARIOS}
    assert len(found) == len(published)
    for row in published:
        items = [one["item_id"] for one in row["items"]]  # type: ignore[union-attr]
        assert len(items) == len(set(items)) == 5
        if row["user_id"] != NEW_USER:
            assert not set(items) & set(states[row["user_id"]]["had"])


def test_the_table_equals_the_scorer_on_one_row_at_a_time(night: Night, published: list[dict[str, object]]) -> None:
    scorer, states = Scorer.load(night.models / "bundle"), night.lake.read("user_state")
    rows = {user: states.slice(number, 1) for number, user in enumerate(states["user_id"].to_pylist())}
    for row in published:
        scenario = str(row["scenario"])
        asked = scorer.unknown(scenario) if row["user_id"] == NEW_USER else rows[row["user_id"]]
        assert scorer.recommend(asked, scenario)["items"][0].as_py() == row["items"]


def test_the_day_is_one_commit_with_the_fingerprint_and_spark_reads_it(
    night: Night, published: list[dict[str, object]]
) -> None:
    before = night.lake.version("recommendations")
    RECOMMEND.run(night)
    assert night.lake.version("recommendations") == before + 1
    assert night.lake.fingerprint("recommendations") == night.fingerprint
    assert night.lake.days("recommendations") == [DS]
    order = lambda row: (row["scenario"], row["user_id"])  # noqa: E731
    assert sorted(night.lake.read("recommendations").to_pylist(), key=order) == sorted(published, key=order)
    ranked = by_rank(night.spark_lake().table("recommendations"))
    assert ranked.count() == 5 * len(published)
    assert ranked.agg(F.min("rank"), F.max("rank")).first() == (1, 5)


def test_another_day_stands_beside_the_first(night: Night, published: list[dict[str, object]], tmp_path: Path) -> None:
    night.lake.replace_day("recommendations", _other_day(night), dt.date(2011, 2, 28), "other")
    RECOMMEND.run(night)
    assert night.lake.days("recommendations") == [dt.date(2011, 2, 28), DS]
    kept = night.lake.read("recommendations", until=dt.date(2011, 2, 28))
    assert kept["user_id"].to_pylist() == ["somebody"]


def _other_day(night: Night) -> pa.Table:
    table = night.lake.read("recommendations").slice(0, 1)
    day = pa.array([dt.date(2011, 2, 28)])
    return table.set_column(0, "ds", day).set_column(2, "user_id", pa.array(["somebody"]))


def test_a_failed_audit_leaves_table_and_champion_as_they_were(
    night: Night, published: list[dict[str, object]], tmp_path: Path
) -> None:
    tracked = tonight(night, Tracker.open(night.config, night.ds, night.say).run_id)
    bundle = night.models / "bundle"
    champion = registry.register(tracked, bundle)
    registry.promote(tracked, bundle)
    before, rows = night.lake.version("recommendations"), night.lake.read("recommendations")
    # Tonight's bundle is another one, and a user stands twice in tonight's states.
    wrong = replace(tracked, models=tmp_path)
    other = bundle_of(night, "other", {name: Route("popularity", "C", "popularity") for name in SCENARIOS})
    registry.register(wrong, compose(other, other, None, tmp_path / "bundle"))
    states = night.lake.read("user_state")
    twice = pa.concat_tables([states, states.slice(0, 1)])
    _write_states(night.lake, twice)
    try:
        with pytest.raises(
            AuditError, match=r"recommendations of 2011-03-01 are not published .* are there more than once"
        ):
            RECOMMEND.run(wrong)
    finally:
        _write_states(night.lake, states)
    assert night.lake.version("recommendations") == before
    assert night.lake.read("recommendations").equals(rows)
    assert [one.version for one in registry.versions(night.config) if "champion" in one.aliases] == [champion]


def _write_states(lake: Lake, rows: pa.Table) -> None:
    lake._write("user_state", rows, mode="overwrite", predicate=None, fingerprint="")


def test_an_audience_that_does_not_parse_is_a_sentence(night: Night) -> None:
    states = night.spark_lake().table("user_state")
    with pytest.raises(ConfigError, match=r"recommend\.audience: the expression `nobody > 1` does not work"):
        audience(states, SCENARIOS, "nobody > 1")


def test_who_is_served_is_an_expression(night: Night) -> None:
    states = night.spark_lake().table("user_state")
    everyone = audience(states, SCENARIOS, "size(had) > 0")
    assert everyone.count() == len(SCENARIOS) * states.count()


def test_the_catalogue_is_what_had_events_in_the_scenario_up_to_ds(night: Night) -> None:
    rows = night.lake.read("examples").to_pylist()
    seen = {(row["scenario"], row["item_id"]) for row in rows}
    assert {tuple(row) for row in catalogues(night.spark_lake(), DS).collect()} == seen
    early = dt.date(2011, 1, 20)
    seen = {(row["scenario"], row["item_id"]) for row in rows if row["ds"] <= early}
    assert {tuple(row) for row in catalogues(night.spark_lake(), early).collect()} == seen


def test_a_catalogue_may_hold_items_without_events(night: Night) -> None:
    science = night.config.recommend.model_copy(update={"catalogue": "events >= 0 and title like 'Title%'"})
    lake = Lake(night.config.model_copy(update={"recommend": science}))
    found = catalogues(SparkLake(night.spark_lake().spark, lake), DS)
    assert found.count() == len(SCENARIOS) * len(ITEMS)


def test_a_worker_can_get_the_bundle_as_an_archive(
    night: Night, monkeypatch: pytest.MonkeyPatch, published: object
) -> None:
    from landbridge.recommend import stage

    monkeypatch.setattr(stage, "_is_local", lambda master: False)
    place = stage.within_reach(night.spark_lake(), night.models / "bundle")
    states = night.spark_lake().table("user_state").withColumn("scenario", F.lit("Germany"))
    made = score.scored(states, place)
    assert not Path(place).is_absolute()
    assert made.count() == states.count()


@pytest.fixture
def made(spark: SparkSession) -> DataFrame:
    lists = [("Germany", user, [("a", 3.0, "x"), ("b", 2.0, "x")]) for user in ("u", NEW_USER)]
    return spark.createDataFrame(lists, LISTS)


def _audited(
    spark: SparkSession, made: DataFrame, had: str = "c", items: str = "abcd", k: int = 2
) -> dict[str, Audited]:
    served = spark.createDataFrame([("Germany", "u", list(had))], "scenario string, user_id string, had array<string>")
    catalogue = spark.createDataFrame([("Germany", item) for item in items], "scenario string, item_id string")
    return audit(made, served, catalogue, k, DS)


def test_a_sound_table_passes(spark: SparkSession, made: DataFrame) -> None:
    assert _audited(spark, made) == {"Germany": Audited(users=1, short=0)}


def test_a_short_list_passes_where_the_catalogue_has_no_more_and_is_counted(spark: SparkSession) -> None:
    lists = [
        ("Germany", "u", [("a", 3.0, "x")]),
        ("Germany", NEW_USER, [("a", 3.0, "x"), ("b", 2.0, "x"), ("c", 1.0, "x")]),
    ]
    assert _audited(spark, spark.createDataFrame(lists, LISTS), had="bc", items="abc", k=3) == {
        "Germany": Audited(users=1, short=1)
    }


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([("a", 3.0, "x")], "another number of items"),
        ([("a", 3.0, "x"), ("a", 2.0, "x")], "an item twice"),
        ([("a", 3.0, "x"), ("c", 2.0, "x")], "the user has already"),
        ([("a", 3.0, "x"), ("z", 2.0, "x")], "not in the catalogue"),
        ([("a", 3.0, "x"), ("b", float("nan"), "x")], "a score that is no number"),
        ([("a", float("inf"), "x"), ("b", 2.0, "x")], "a score that is no number"),
        ([("a", 2.0, "x"), ("b", 3.0, "x")], "not in the order"),
    ],
)
def test_a_list_that_is_wrong_is_named(spark: SparkSession, items: list[tuple[str, float, str]], said: str) -> None:
    good = [("a", 3.0, "x"), ("b", 2.0, "x")]
    lists = spark.createDataFrame([("Germany", "u", items), ("Germany", NEW_USER, good)], LISTS)
    with pytest.raises(AuditError, match=said):
        _audited(spark, lists)


def test_missing_uninvited_and_repeated_rows_and_a_missing_new_row_are_named(
    spark: SparkSession, made: DataFrame
) -> None:
    good = [("a", 3.0, "x"), ("b", 2.0, "x")]
    for rows, said in (
        ([("Germany", NEW_USER, good)], "have no list"),
        ([("Germany", "u", good), ("Germany", "v", good), ("Germany", NEW_USER, good)], "not in the audience"),
        ([("Germany", "u", good), ("Germany", "u", good), ("Germany", NEW_USER, good)], "more than once"),
        ([("Germany", "u", good)], f"the row {NEW_USER} is there 0"),
    ):
        with pytest.raises(AuditError, match=said):
            _audited(spark, spark.createDataFrame(rows, LISTS))


def test_a_place_that_cannot_be_written_is_a_sentence_and_the_table_stands(night: Night, published: object) -> None:
    table = Path(night.lake.path("recommendations"))
    day = table / f"ds={DS}"
    before = night.lake.version("recommendations")
    moved = day.rename(table / "away")
    day.write_text("no folder")
    try:
        with pytest.raises(LakeError, match="were not written, the last table stands"):
            RECOMMEND.run(night)
    finally:
        day.unlink()
        moved.rename(day)
    assert night.lake.version("recommendations") == before
