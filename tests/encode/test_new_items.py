"""An item on the day it arrives: nobody has taken it, its title says whom it is for, and it stands in their lists."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
from pyspark.sql import SparkSession
from tests.logs import LISTED, Line, Shop, day, line

from landbridge.pipeline.nightly import nightly

pytestmark = pytest.mark.system

TITLES = {
    "tea": ["green tea", "black tea", "white tea", "herbal tea", "iced tea", "mint tea", "tea with lemon", "milk tea"],
    "tool": ["claw hammer", "steel saw", "wrench", "pliers", "screwdriver", "power drill", "chisel", "spirit level"],
}
NEW = "99001"
NIGHT = (
    LISTED,
    "encode={text: title}",
    "contenders.text={}",
    "recommend.contenders=[popularity, popularity_recent, text]",
    "recommend.k=3",
    "evaluate.resamples=50",
    "split={part: \"case quantity when 1 then 'train' when 2 then 'validation' else 'test' end\"}",
    "train.launcher=process",
    "train.processes=1",
)
"""Two kinds of items; what a user takes in the parts says the quantity of a line."""


def bought(number: int, kind: str, draw: random.Random) -> list[Line]:
    """Five items of one kind: three to learn from, one to choose by, one to report."""
    chosen = draw.sample(range(len(TITLES[kind])), 5)
    first = {"tea": 10000, "tool": 20000}[kind]
    return [
        line(
            day(at // 3),
            str(first + item),
            f"{kind}{number}",
            minute=10 * at + number,
            quantity=str(max(1, at - 1)),
            title=TITLES[kind][item],
            country="United Kingdom",
        )
        for at, item in enumerate(chosen)
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[Shop]:
    """A shop of two days; the catalogue of the second lists an item that no line names."""
    folder, draw = tmp_path_factory.mktemp("new"), random.Random(1)
    shop = Shop(folder, spark, NIGHT)
    rows = [row for number in range(15) for kind in TITLES for row in bought(number, kind, draw)]
    for number in (0, 1):
        shop.write(day(number), [row for row in rows if str(row[4]).startswith(str(day(number)))])
    shop.catalogue(day(1), f"{NEW},Jasmine tea")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("landbridge.session.start", lambda config, file: spark)
        yield shop


def who_is_shown_it(shop: Shop, catalogue: str) -> dict[str, float]:
    """Publish the night of the second day, and return the users whose list holds the new item, with its score."""
    shop.with_config(*NIGHT, f"recommend.catalogue={catalogue}")
    nightly(shop.config, day(1), shop.said.append)
    lists = {row["user_id"]: row["items"] for row in shop.rows("recommendations") if row["ds"] == day(1)}
    assert len(lists) == 31
    assert {item["source"] for user, items in lists.items() if user != "__new__" for item in items} == {"text"}
    return {user: item["score"] for user, items in lists.items() for item in items if item["item_id"] == NEW}


def test_an_item_that_nobody_took_is_shown_on_its_day_where_the_catalogue_lets_it_in(shop: Shop) -> None:
    shown = who_is_shown_it(shop, "'true'")
    drinkers = [score for user, score in shown.items() if user.startswith("tea")]
    others = [score for user, score in shown.items() if not user.startswith("tea")]
    assert len(drinkers) == 15
    assert np.mean(drinkers) > np.mean(others or [-np.inf])
    assert NEW not in {row["item_id"] for row in shop.rows("events")}
    assert who_is_shown_it(shop, "events > 0") == {}
