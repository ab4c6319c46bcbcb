"""A rollback publishes an earlier version's lists of the newest day, or changes nothing, and later nights say so."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from tests.published import DS, SCENARIOS, bundle_of, config_of, ready

from landbridge.config import Config
from landbridge.contenders.bundle import Route
from landbridge.contenders.scorer import Scorer
from landbridge.errors import AuditError, ConfigError, LakeError
from landbridge.lake.contracts import NEW_USER
from landbridge.lake.lake import Lake
from landbridge.pipeline.ledger import Ledger, Row
from landbridge.pipeline.night import decide, night_of
from landbridge.pipeline.nightly import nightly
from landbridge.pipeline.rollback import rollback
from landbridge.pipeline.steps import load, steps_until
from landbridge.tracking import registry
from landbridge.tracking.run import Tracker

POPULAR = {name: Route("popularity", "C", "popularity") for name in SCENARIOS}
GERMANY = {"Germany": POPULAR["Germany"]}


@dataclass
class Place:
    """A lake in which version 1 was published the night before, and version 2 on DS; version 3 knows Germany alone."""

    root: Path
    said: list[str] = field(default_factory=list)
    told: str = ""

    @property
    def config(self) -> Config:
        return config_of(self.root)

    @property
    def lake(self) -> Lake:
        return Lake(self.config)

    def copied(self, folder: Path) -> Place:
        shutil.copytree(self.root, folder / "var")
        return Place(folder / "var")

    def bundle(self, version: str) -> Path:
        return self.root / "models" / str(DS) / {"1": "earlier/bundle", "2": "bundle", "3": "small/bundle"}[version]

    def back(self, version: str, scenario: str | None = None) -> str:
        return rollback(self.config, version, scenario, self.said.append)

    def nightly(self, **rest: object) -> list[str]:
        lines: list[str] = []
        nightly(self.config, DS, lines.append, ("recommend",), steps=steps_until("recommend"), **rest)  # type: ignore[arg-type]
        return lines

    def rows(self, scenario: str | None = None) -> list[dict[str, object]]:
        """The day's rows by key."""
        found = self.lake.read("recommendations").to_pylist()
        kept = [row for row in found if scenario in (None, row["scenario"])]
        return sorted(kept, key=lambda row: (row["scenario"], row["user_id"]))

    def champion(self) -> str:
        return next(one.version for one in registry.versions(self.config) if "champion" in one.aliases)

    def add(self, ds: dt.date, **notes: str) -> None:
        """Tell the ledger that evaluate has run for a day."""
        Ledger(self.lake).add(Row(ds, "evaluate", 1, f"of {ds}", {}, {}, {}, {}, notes, "", 0.0, 0.0))


@pytest.fixture(scope="module", autouse=True)
def session(spark: SparkSession) -> Iterator[None]:
    """The nights of these tests run in the session of all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("landbridge.session.start", lambda config, log: spark)
        yield


@pytest.fixture(scope="module")
def published(session: None, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Not to be written: tests work on copies."""
    place = Place(tmp_path_factory.mktemp("published") / "var")
    night = ready(place.root)
    run_id = Tracker.open(night.config, DS, print).run_id
    yesterday = replace(night, run_id=run_id, ds=DS - dt.timedelta(days=1))
    assert registry.register(yesterday, bundle_of(night, "earlier/bundle")) == "1"
    assert registry.register(replace(night, run_id=run_id), bundle_of(night, "bundle", POPULAR)) == "2"
    assert registry.register(yesterday, bundle_of(night, "small/bundle", GERMANY)) == "3"
    place.add(DS, model_version="2")
    place.nightly()
    assert place.champion() == "2"
    return place


@pytest.fixture(scope="module")
def all_back(published: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Rolled back to version 1."""
    place = published.copied(tmp_path_factory.mktemp("all"))
    place.told = place.back("1")
    return place


@pytest.fixture(scope="module")
def one_back(published: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Germany rolled back to version 1."""
    place = published.copied(tmp_path_factory.mktemp("one"))
    place.told = place.back("1", "Germany")
    return place


def assert_made_by(place: Place, version: str, rows: list[dict[str, object]]) -> None:
    """Each list is what the version's bundle makes of the user's state, asked for alone."""
    scorer, states = Scorer.load(place.bundle(version)), place.lake.read("user_state")
    numbers = {user: number for number, user in enumerate(states["user_id"].to_pylist())}
    assert len(rows) > 20
    for row in rows:
        scenario, user = str(row["scenario"]), str(row["user_id"])
        asked = scorer.unknown(scenario) if user == NEW_USER else states.slice(numbers[user], 1)
        assert scorer.recommend(asked, scenario)["items"][0].as_py() == row["items"]


def differing(before: list[dict[str, object]], after: list[dict[str, object]]) -> int:
    """How many lists, of the same users, hold other items or another order."""

    def items(row: dict[str, object]) -> list[str]:
        return [item["item_id"] for item in row["items"]]  # type: ignore[attr-defined]

    assert [(row["scenario"], row["user_id"]) for row in before] == [(row["scenario"], row["user_id"]) for row in after]
    return sum(items(old) != items(new) for old, new in zip(before, after, strict=True))


def test_all_scenarios_publish_what_the_earlier_version_makes_of_the_newest_day(
    published: Place, all_back: Place
) -> None:
    before, rows = published.rows(), all_back.rows()
    assert_made_by(all_back, "1", rows)
    assert {row["model_version"] for row in rows} == {"1"} == {all_back.champion()}
    assert all_back.lake.version("recommendations") == published.lake.version("recommendations") + 1
    differ = differing(before, rows)
    assert 0 < differ < len(rows)
    name = "models:/online_retail@champion"
    assert all_back.told == (
        f"{name} is version 1 for every scenario; {differ} of {len(rows)} lists of {DS} differ from before"
    )
    assert all_back.said[0] == f"scoring {DS} again with version 1"
    assert f"the nightly of {DS} leaves this as it is; the next night publishes by the rule again" in all_back.said


def test_the_next_night_publishes_by_the_rule_and_says_what_ends(all_back: Place) -> None:
    tomorrow = DS + dt.timedelta(days=1)
    all_back.add(tomorrow)
    decision = decide(load("recommend"), steps_until("recommend"), night_of(all_back.config, tomorrow, print))
    ends = f"the rollback of {DS} (every scenario as in version 1) ends here"
    assert (decision.run, decision.why) == (True, f"has not run for {tomorrow}; {ends}")


def test_who_asks_for_the_nights_own_lists_gets_them_and_is_told_what_ends(
    published: Place, all_back: Place, tmp_path: Path
) -> None:
    place = all_back.copied(tmp_path)
    lines = place.nightly(start="recommend")
    assert lines[0] == f"[1/1] recommend: asked for; the rollback of {DS} (every scenario as in version 1) ends here"
    assert (place.rows(), place.champion()) == (published.rows(), "2")
    assert place.nightly() == ["[1/1] recommend: skipped, done before, nothing it depends on has changed"]


def test_one_scenario_is_made_again_and_the_rows_of_the_others_stay_exactly(published: Place, one_back: Place) -> None:
    before, rows, others = published.rows("Germany"), one_back.rows("Germany"), published.rows("United Kingdom")
    assert_made_by(one_back, "1", rows)
    assert {row["model_version"] for row in rows} == {"4"} == {one_back.champion()}
    assert one_back.rows("United Kingdom") == others
    assert_made_by(one_back, "2", others)
    assert "version 4: Germany as in version 1, the others unchanged; " in one_back.told
    assert f"; {differing(before, rows)} of {len(rows)} lists of Germany of {DS} differ from before" in one_back.told
    row = Ledger(one_back.lake).last(DS, "recommend")
    assert row is not None
    assert set(row.notes["users"]) == set(SCENARIOS)


def test_the_same_nightly_leaves_it_alone_and_says_so(one_back: Place) -> None:
    before = one_back.rows()
    assert one_back.nightly() == [
        "[1/1] recommend: skipped, done before, nothing it depends on has changed; it stands rolled back "
        "(Germany as in version 1), --from recommend publishes the night's own lists again"
    ]
    assert (one_back.rows(), one_back.champion()) == (before, "4")


def test_going_back_to_the_nights_own_version_is_no_rollback_any_more(
    published: Place, one_back: Place, tmp_path: Path
) -> None:
    place = one_back.copied(tmp_path)
    assert "is version 2: Germany as in version 2" in place.back("2", "Germany")
    assert place.rows() == published.rows()
    assert "stands rolled back" not in place.nightly()[0]


def test_a_broken_rule_leaves_alias_table_and_ledger_as_they_were(published: Place, tmp_path: Path) -> None:
    place = published.copied(tmp_path)
    states = place.lake.read("user_state")
    scenario = states["scenarios"][0].as_py()[0]
    twice = pa.concat_tables([states, states.slice(0, 1)])
    place.lake._write("user_state", twice, mode="overwrite", predicate=None, fingerprint="")
    with pytest.raises(AuditError, match=r"nothing is rolled back, the alias stays .* are there more than once"):
        place.back("1", scenario)
    assert place.champion() == "2"
    for table in ("recommendations", "ledger"):
        assert place.lake.version(table) == published.lake.version(table)
    assert place.rows() == published.rows()


def test_a_scenario_that_the_version_does_not_know_loses_its_lists_and_it_is_said(
    published: Place, tmp_path: Path
) -> None:
    place = published.copied(tmp_path)
    with pytest.raises(LakeError, match="has no route for United Kingdom"):
        place.back("3", "United Kingdom")
    lists = len(place.rows("United Kingdom"))
    assert place.back("3").endswith(f"; gone, because version 3 makes none: {lists} of United Kingdom")
    assert {row["scenario"] for row in place.rows()} == {"Germany"}


def test_a_version_that_does_not_exist_changes_nothing(published: Place) -> None:
    with pytest.raises(ConfigError, match="no such version; versions: 3, 2, 1"):
        published.back("9")
    assert published.champion() == "2"
