"""Other formats than CSV make the same events, and pseudonyms stand wherever a person would."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.logs import HEADER, Shop, day, line, lines

from landbridge.clean.step import CLEAN
from landbridge.errors import ConfigError

KEY = "a key of at least sixteen letters"


def _events(shop: Shop) -> list[tuple[object, ...]]:
    names = ("ts", "user_id", "item_id", "scenario", "quantity", "price", "title")
    return sorted(tuple(row[name] for name in names) for row in shop.rows("events"))


def _as_json(folder: Path) -> str:
    with gzip.open(folder / f"{day(0)}.json.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in lines(day(0)))
    return "json.gz"


def _as_parquet(folder: Path) -> str:
    columns = {name: list(values) for name, values in zip(HEADER, zip(*lines(day(0)), strict=True), strict=True)}
    typed = pa.table(columns).set_column(3, "Quantity", pa.array([int(value) for value in columns["Quantity"]]))
    pq.write_table(typed, folder / f"{day(0)}.parquet")
    return "parquet"


@pytest.mark.parametrize("write", [_as_json, _as_parquet])
def test_the_same_rows_in_another_format_are_the_same_events(
    shop: Shop, make_shop: Callable[..., Shop], write: Callable[[Path], str]
) -> None:
    shop.write(day(0))
    shop.run(day(0), CLEAN)
    other = make_shop("other")
    ending = write(other.logs)
    other.with_config(
        f"data.reader.path={other.logs}/{{ds}}.{ending}",
        f"data.reader.format={ending.split('.')[0]}",
        "data.reader.options={}",
    )
    other.run(day(0), CLEAN)
    assert _events(other) == _events(shop)


def test_a_person_is_a_pseudonym_in_events_users_and_quarantine(shop: Shop) -> None:
    shop.with_config(f"data.pseudonyms={{columns: [CustomerID], key: {KEY}}}")
    shop.write(day(0), [line(day(0), user="4711"), line(day(0), user="4711", quantity="-1")])
    shop.run(day(0), CLEAN)
    (event,), (user,), (bad,) = shop.rows("events"), shop.rows("users"), shop.rows("quarantine")
    assert event["user_id"] == user["user_id"] != "4711"
    assert len(event["user_id"]) == 64
    assert "4711" not in bad["raw"]
    assert event["user_id"] in bad["raw"]


def test_the_key_of_the_pseudonyms_is_in_no_print_of_the_configuration(shop: Shop) -> None:
    shop.with_config(f"data.pseudonyms={{columns: [CustomerID], key: {KEY}}}")
    assert KEY not in repr(shop.config)
    with pytest.raises(ConfigError) as caught:
        shop.with_config("data.pseudonyms={columns: [CustomerID], key: short}")
    assert "data.pseudonyms.key" in str(caught.value)
    assert "short'" not in str(caught.value)
