"""An item on the day it arrives, of which there is an image alone: the networks know whom it is for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from io import StringIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from rich.console import Console
from tests.logs import LISTED, Line, Shop, day, line

from landbridge.contenders.folder import find_fitted, load_fitted
from landbridge.feed.assemble import Assembler
from landbridge.pipeline.nightly import nightly
from landbridge.report.show import show

pytestmark = pytest.mark.system

SOURCE, LAST = "United Kingdom", 7
KINDS = {"tea": 10000, "tool": 20000}
NEW = {"tea": "99001", "tool": "99002"}
BARE = "99003"
"""New, and without an image."""
NIGHT = (
    LISTED,
    "data.reader.closed='false'",
    "modalities={image: {path: '{logs}/image-{ds}', vector: embedding, width: 6}}",
    "retriever={dim: 16, epochs: 20, learning_rate: 0.01, batch: 64, negatives: 64, vectors: {of: [image], width: 6}}",
    "ranker={dim: 8, hidden: [16], epochs: 2, batch: 64, recent: 2, vectors: {of: [image], width: 6}}",
    "transfer.epochs=1",
    "recommend={contenders: [popularity, item_item], k: 3, pool: 10, catalogue: 'true'}",
    "contenders={popularity: {}}",
    "evaluate.resamples=50",
    "train.launcher=process",
    "train.processes=1",
)


def taken(number: int, kind: str, draw: random.Random) -> list[Line]:
    """A user takes six items of one kind, one a day; every fourth user is in another country."""
    chosen, days = draw.sample(range(8), 6), sorted(draw.sample(range(LAST + 1), 6))
    country = "Germany" if number % 4 == 3 else SOURCE
    return [
        line(day(at), str(KINDS[kind] + item), f"{kind}{number}", minute=number, title=f"thing {item}", country=country)
        for at, item in zip(days, chosen, strict=True)
    ]


def images(rng: np.random.Generator) -> dict[str, list[float]]:
    """Of all items but one of each kind; they say the kind and nothing else."""
    centre = {kind: rng.standard_normal(6) * 2 for kind in KINDS}
    named = [(kind, str(first + item)) for kind, first in KINDS.items() for item in range(7)]
    return {item: list(centre[kind] + 0.3 * rng.standard_normal(6)) for kind, item in [*named, *NEW.items()]}


def deliver(shop: Shop, number: int, rows: dict[str, list[float]]) -> None:
    folder = shop.logs / f"image-{day(number)}"
    folder.mkdir()
    pq.write_table(pa.table({"item_id": list(rows), "embedding": list(rows.values())}), folder / "0.parquet")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[Shop]:
    """A shop of eight days; the catalogue of the last lists three items that no line names."""
    draw, shop = random.Random(1), Shop(tmp_path_factory.mktemp("seen"), spark, NIGHT)
    rows = [row for number in range(40) for kind in KINDS for row in taken(number, kind, draw)]
    for number in range(LAST + 1):
        shop.write(day(number), [row for row in rows if str(row[4]).startswith(str(day(number)))])
    shop.catalogue(day(LAST), *(f"{item},Thing" for item in (*NEW.values(), BARE)))
    deliver(shop, LAST, {**images(np.random.default_rng(2)), "10007": [1.0] * 5})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("landbridge.session.start", lambda config, file: spark)
        nightly(shop.config, day(LAST), shop.said.append)
        yield shop


def scores(shop: Shop, scenario: str, contender: str) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return the users of a scenario, and of each new item the scores of what would be published, by user."""
    night = shop.night(day(LAST))
    fitted = load_fitted(find_fitted(night.models, "C", scenario)[contender])
    assembler = Assembler.load(night.models / "assembler")
    states = shop.lake.read("user_state")
    states = states.filter(pa.array([scenario in one for one in states["scenarios"].to_pylist()]))
    names = sorted([*NEW.values(), BARE])
    ids = assembler.vocabulary.encode("item_id", pa.array(names))
    catalogue = assembler.catalogue(scenario, np.sort(ids), day(LAST + 1))
    found = fitted.score(assembler.states(states, scenario), catalogue)
    at = {name: int(np.searchsorted(catalogue.items, one)) for name, one in zip(names, ids, strict=True)}
    return states["user_id"].to_pylist(), {name: found[:, place] for name, place in at.items()}


@pytest.mark.parametrize(("scenario", "contender"), [(SOURCE, "target_only"), ("Germany", "fine_tune")])
def test_an_item_with_an_image_alone_is_ranked_by_it(shop: Shop, scenario: str, contender: str) -> None:
    users, found = scores(shop, scenario, contender)
    own = np.where([user.startswith("tea") for user in users], found[NEW["tea"]], found[NEW["tool"]])
    other = np.where([user.startswith("tea") for user in users], found[NEW["tool"]], found[NEW["tea"]])
    assert (own > other).mean() > 0.8
    assert np.isfinite(found[BARE]).all()
    assert not {*NEW.values(), BARE} & {row["item_id"] for row in shop.rows("events")}


def test_the_night_says_how_many_items_have_an_image_and_which(shop: Shop) -> None:
    says = "image: 16 of 19 items have a vector, 16 of them new; 1 of 17 rows are in quarantine (width:image 1)"
    assert any(says in said for said in shop.said)
    page = (shop.night(day(LAST)).reports / "report.html").read_text(encoding="utf-8")
    assert says in page
    assert "<td>width:image</td>" in page
    console = Console(width=200, file=StringIO())
    console.print(show(shop.lake, shop.night(day(LAST)).models, "tea0", day(LAST)))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Vectors" in text
    assert "image" in text
