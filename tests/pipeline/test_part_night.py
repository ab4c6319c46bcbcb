"""A night of lists whose split declares parts: what follows what, in an order that no day tells."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.snapshots import DS, Snapshot

from landbridge.config.days import windows_of
from landbridge.contenders.folder import read_meta, scope_folder
from landbridge.errors import ConfigError, DataError
from landbridge.evaluate.part_windows import units_of_part
from landbridge.feed.assemble import Assembler
from landbridge.feed.learned import FitRows
from landbridge.pipeline.nightly import nightly
from landbridge.pipeline.steps import NAMES, OPTIONAL
from landbridge.train.units import competing

pytestmark = pytest.mark.system

ACROSS = ["popularity", "transitions", "transitions_across"]
TREE: dict[str, Any] = {
    "name": "baskets",
    "data": {
        "reader": {
            "path": "{folder}/*.txt",
            "options": {"sep": "\t", "header": "false"},
            "header": ["line", "items"],
            "explode": {"column": "items"},
        },
        "columns": {
            "ts": {"type": "timestamp", "sql": "timestampadd(SECOND, _pos, timestamp'2020-01-01 00:00:00')"},
            "user_id": {"type": "string", "sql": "concat(split_part(_file, '.', 1), ':', line)"},
            "item_id": {"type": "string", "sql": "items"},
            "scenario": {"type": "string", "sql": "if(cast(items as int) < 50, 'Food', 'Kitchen')"},
            "outcome": {"type": "double", "sql": "1"},
            "remaining": {"type": "long", "sql": "_size - 1 - _pos"},
            "file": {"type": "string", "sql": "split_part(_file, '.', 1)"},
        },
    },
    "features": {
        "history": 10,
        "running": {"lines": {"sum": "1"}},
        "user": {"log_lines": "ln(1 + coalesce(lines, 0))"},
    },
    "ranker": {"recent": 2},
    "split": {
        "part": "case when file = 'alone' or remaining > 1 then 'train' "
        "when remaining = 1 then 'validation' else 'test' end"
    },
    "transfer": {"source": "Food"},
    "contenders": {"transitions": {"window": 5}},
    "guard": {"k": 5, "min_users": 10},
    "evaluate": {"k": [5], "resamples": 50},
    "recommend": {"k": 5, "pool": 20, "audience": "size(scenarios) > 0", "contenders": ACROSS},
    "train": {"launcher": "process", "processes": 1},
}


@dataclass
class Done:
    """The log as it was written, and its night, run twice."""

    log: Snapshot
    lines: dict[str, list[str]]
    first: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)

    @property
    def models(self) -> Path:
        return Path(self.log.config.root) / "models" / str(DS)

    def new(self, place: int) -> dict[str, int]:
        """Of each scenario the users of both whose item at this place is one that they did not have before it."""
        found = {"Food": 0, "Kitchen": 0}
        for user, items in self.lines.items():
            if user.startswith("both") and items[place] not in items[:place]:
                found["Food" if int(items[place]) < 50 else "Kitchen"] += 1
        return found


def chains(users: int = 90) -> dict[str, list[str]]:
    """User to items in their order: whoever takes n of Food takes 50 + n for the kitchen next, then n + 1 or so."""
    draw, made = random.Random(3), {}
    for number in range(users):
        at, items = draw.randrange(20), []
        for _ in range(draw.randint(2, 4)):
            items += [str(at), str(50 + at)]
            at = (at + draw.choice([0, 1, 1, 2])) % 20
        name = f"{'both' if number % 3 else 'alone'}:{number}"
        made[name] = items[draw.randint(0, 1) : len(items) - draw.randint(0, 1)]
    return made


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[Done]:
    one = Done(Snapshot(tmp_path_factory.mktemp("baskets"), spark, TREE), chains())
    for name in ("alone", "both"):
        told = [
            f"{user.split(':')[1]}\t{','.join(items)}" for user, items in one.lines.items() if user.startswith(name)
        ]
        one.log.put(f"{name}.txt", *told)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("landbridge.session.start", lambda config, file: spark)
        nightly(one.log.config, DS, one.first.append)
        nightly(one.log.config, DS, one.second.append)
        yield one


def test_each_fit_learns_its_parts_and_no_network_is_fitted(done: Done) -> None:
    sizes = [(len(items) - 2 if user.startswith("both") else len(items)) for user, items in done.lines.items()]
    last_but_one = sum(user.startswith("both") for user in done.lines)
    learned = {"A": sum(sizes), "B": sum(sizes) + last_but_one, "C": sum(sizes) + 2 * last_but_one}
    for fit, rows in learned.items():
        folder = done.models / "fits" / fit / scope_folder("*") / "transitions_across"
        assert read_meta(folder)["examples"] == rows
    fitted = {file.parent.name for file in (done.models / "fits").glob("*/*/*/meta.json")}
    assert fitted == set(ACROSS)
    assert any("networks: none, split.part declares parts" in line for line in done.first)


def test_judged_is_who_takes_something_new_in_the_part(done: Done) -> None:
    users = {
        (row["split"], row["scenario"]): row["users"] for row in done.log.rows("metrics") if row["metric"] == "ndcg"
    }
    for split, place in (("validation", -2), ("test", -1)):
        assert {name: users[split, name] for name in ("Food", "Kitchen")} == done.new(place)
        assert any(
            f"{split} part: {sum(done.new(place).values())} users judged in 2 scenarios" in line for line in done.first
        )


def test_what_crosses_is_measured_and_published_where_it_gains(done: Done) -> None:
    """What is cooked with is told by what is eaten, and by nothing else."""
    reached = {
        row["contender"]: row["value"]
        for row in done.log.rows("metrics")
        if (row["split"], row["scenario"], row["metric"], row["window"]) == ("test", "Kitchen", "ndcg", -1)
    }
    assert reached["transitions_across"] > 0.8 > reached["transitions"]
    published = {
        row["items"][0]["source"]
        for row in done.log.rows("recommendations")
        if row["scenario"] == "Kitchen" and row["user_id"] != "__new__"
    }
    assert published == {"transitions_across"}


def test_everybody_is_served_in_both_scenarios_with_what_he_does_not_have(done: Done) -> None:
    rows = done.log.rows("recommendations")
    assert {(row["scenario"], row["user_id"]) for row in rows} == {
        (scenario, user) for scenario in ("Food", "Kitchen") for user in [*done.lines, "__new__"]
    }
    for row in rows:
        listed = {item["item_id"] for item in row["items"]}
        assert listed
        assert not listed & set(done.lines.get(row["user_id"], ()))
        assert all((int(item) < 50) == (row["scenario"] == "Food") for item in listed)


def test_the_second_run_skips_everything(done: Done) -> None:
    assert [line for line in done.second if "skipped, done before" in line] == done.second
    assert len(done.second) == len(NAMES) - len(OPTIONAL)  # without their sections there are no such steps


def test_contenders_that_are_none_and_a_part_without_rows_are_said(done: Done) -> None:
    log = done.log
    for names, said in (
        (["popular"], r"there is no contender popular"),
        (["transitions"], r"popularity or .* must be"),
    ):
        log.configure({**TREE, "recommend": {"contenders": names}})
        with pytest.raises(ConfigError, match=rf"recommend\.contenders: .*{said}|recommend\.contenders: {said}"):
            competing(log.config)
    log.configure(TREE)
    assert [one.name for one in competing(log.config)] == ACROSS
    assembler = Assembler.load(done.models / "assembler")
    rows, window = FitRows(log.lake, assembler.vocabulary, DS), windows_of(log.config, DS)[0]
    with pytest.raises(DataError, match=r"no row up to 2020-01-01 is in 7; correct split\.part"):
        units_of_part(rows, assembler, replace(window, split="7"), ["Food"], 10)  # type: ignore[arg-type]
