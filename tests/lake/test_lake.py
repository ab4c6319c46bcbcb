"""The lake by delta-rs: contracts kept, one commit a write, digests that tell content."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from landbridge.config import Config, load
from landbridge.errors import LakeError
from landbridge.lake.arrow import arrow_schema, arrow_type
from landbridge.lake.contracts import contracts
from landbridge.lake.lake import Lake

DS = dt.date(2011, 11, 30)
NEXT = dt.date(2011, 12, 1)
CONF = Path(__file__).parents[2] / "conf" / "online_retail.yaml"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(load(CONF, "local", [f"root={tmp_path / 'var'}"]))


def lists(lake: Lake, ds: dt.date, *users: str) -> pa.Table:
    item = {"item_id": "22423", "score": 0.5, "source": "ease"}
    rows = [
        {"ds": ds, "scenario": "Germany", "user_id": user, "items": [item],
         "model_name": "online_retail", "model_version": "1", "run_id": ""}
        for user in users
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract("recommendations")))


def test_every_contract_is_whole() -> None:
    for contract in contracts(load(CONF)).values():
        assert contract.comment
        assert set(contract.key) <= set(contract.columns)
        assert set(contract.partition) <= set(contract.columns)
        assert all(column.comment for column in contract.columns.values())
        assert not any(contract.columns[name].nullable for name in contract.key)
        assert arrow_schema(contract).names == list(contract.columns)
        assert contract.properties["delta.enableDeletionVectors"] == "false"


def test_configured_columns_are_in_the_contracts() -> None:
    tables = contracts(load(CONF))
    assert {"quantity", "price", "title", "country"} <= set(tables["events"].columns)
    assert "log_line_value" in tables["histories"].columns
    assert {"log_line_value", "running_spend"} <= set(tables["user_state"].columns)


def test_types_nest() -> None:
    nested = arrow_type("array<struct<item_id:string,at:array<timestamp>>>")
    assert nested == pa.list_(pa.struct([("item_id", pa.string()), ("at", pa.list_(pa.timestamp("us", tz="UTC")))]))
    with pytest.raises(LakeError, match="the type money has no Arrow counterpart"):
        arrow_type("money")


def test_a_created_table_carries_its_contract(lake: Lake) -> None:
    lake.create("metrics")
    table = lake.delta("metrics")
    contract = lake.contract("metrics")
    assert table.metadata().partition_columns == ["ds"]
    assert table.metadata().configuration["landbridge.key"] == ",".join(contract.key)
    assert [field.name for field in table.schema().fields] == list(contract.columns)
    assert {field.name: field.nullable for field in table.schema().fields} == {
        name: column.nullable for name, column in contract.columns.items()
    }


def test_a_day_is_replaced_in_one_commit_and_the_others_stand(lake: Lake) -> None:
    lake.replace_day("recommendations", lists(lake, DS, "1", "2"), DS, "a")
    lake.replace_day("recommendations", lists(lake, NEXT, "1"), NEXT, "b")
    before = lake.version("recommendations")
    assert lake.replace_day("recommendations", lists(lake, DS, "3"), DS, "c") == before + 1
    assert sorted(lake.read("recommendations")["user_id"].to_pylist()) == ["1", "3"]
    assert lake.days("recommendations") == [DS, NEXT]
    assert lake.fingerprint("recommendations") == "c"


def test_rows_of_another_day_are_refused(lake: Lake) -> None:
    lake.replace_day("recommendations", lists(lake, DS, "1"), DS, "a")
    with pytest.raises(LakeError, match="recommendations"):
        lake.replace_day("recommendations", lists(lake, NEXT, "2"), DS, "b")
    assert lake.read("recommendations")["user_id"].to_pylist() == ["1"]


def test_a_null_where_the_contract_has_none_is_refused(lake: Lake) -> None:
    rows = lists(lake, DS, "1")
    broken = rows.set_column(2, "user_id", pa.array([None], pa.string()))
    with pytest.raises((LakeError, ValueError), match="user_id"):
        lake.replace_day("recommendations", broken, DS, "a")
    assert lake.days("recommendations") == []


def test_a_digest_is_of_the_content_up_to_a_day(lake: Lake) -> None:
    assert lake.digest("recommendations") == ""
    lake.replace_day("recommendations", lists(lake, DS, "1"), DS, "a")
    first, whole = lake.digest("recommendations", until=DS), lake.digest("recommendations")
    assert first == whole
    lake.replace_day("recommendations", lists(lake, NEXT, "1"), NEXT, "b")
    assert lake.digest("recommendations", until=DS) == first
    assert lake.digest("recommendations") != whole
    lake.replace_day("recommendations", lists(lake, DS, "2"), DS, "c")
    assert lake.digest("recommendations", until=DS) != first


def test_a_digest_does_not_depend_on_where_the_lake_lies(lake: Lake, tmp_path: Path) -> None:
    lake.replace_day("recommendations", lists(lake, DS, "1"), DS, "a")
    (tmp_path / "var").rename(tmp_path / "moved")
    moved = Lake(lake.config.model_copy(update={"root": str(tmp_path / "moved")}))
    assert moved.digest("recommendations") != ""
    assert moved.read("recommendations").num_rows == 1
    (tmp_path / "moved").rename(tmp_path / "var")
    assert lake.digest("recommendations") == Lake(lake.config).digest("recommendations")


def test_a_pinned_version_is_read_after_later_commits(lake: Lake) -> None:
    version = lake.replace_day("recommendations", lists(lake, DS, "1"), DS, "a")
    lake.replace_day("recommendations", lists(lake, DS, "2"), DS, "b")
    assert lake.pinned(recommendations=version).read("recommendations")["user_id"].to_pylist() == ["1"]
    assert lake.read("recommendations")["user_id"].to_pylist() == ["2"]


def test_days_columns_and_conditions_are_read(lake: Lake) -> None:
    lake.replace_day("recommendations", lists(lake, DS, "1", "2"), DS, "a")
    lake.replace_day("recommendations", lists(lake, NEXT, "1", "3"), NEXT, "b")
    read = lake.read("recommendations", since=DS, until=NEXT, columns=["user_id"], where=pc.field("user_id") != "1")
    assert read.to_pydict() == {"user_id": ["3"]}


def test_what_is_not_there_is_a_sentence(lake: Lake) -> None:
    with pytest.raises(LakeError, match="there is no table evnts; tables: events"):
        lake.path("evnts")
    with pytest.raises(LakeError, match=r"the table events does not exist at .*; run the step that writes it"):
        lake.read("events")
    assert lake.version("events") == -1
    assert lake.days("events") == []
    assert lake.fingerprint("events") is None


def test_an_object_store_is_spelled_for_both_engines(tmp_path: Path) -> None:
    config: Config = load(CONF, "local", ["root=s3a://bucket/shop", f"work={tmp_path}"])
    assert Lake(config).path("events") == "s3a://bucket/shop/lake/events"
