"""What a person reads: the page, the summary, a user, two nights; also where pieces are missing."""

import datetime as dt
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console, RenderableType
from tests.published import DS, ROUTES, SCENARIOS, bundle_of, night_of, ready, write

from landbridge.contenders.scorer import Scorer
from landbridge.errors import DataError
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.contracts import NEW_USER
from landbridge.report.because import because_of
from landbridge.report.diff import diff, moves
from landbridge.report.facts import gather
from landbridge.report.page import page, tables
from landbridge.report.people import examples_of
from landbridge.report.show import show
from landbridge.report.step import REPORT
from landbridge.report.summary import summary
from landbridge.step import Night

BEFORE = DS - dt.timedelta(days=1)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    night = ready(tmp_path_factory.mktemp("report"))
    scorer = Scorer.load(bundle_of(night))
    for ds, k in ((BEFORE, 4), (DS, 5)):
        night.lake.replace_day("recommendations", _lists(night, scorer, ds, k), ds, "f")
    write(night.lake, "metrics", _metrics())
    write(
        night.lake,
        "quarantine",
        [
            {
                "ds": DS,
                "file": "a",
                "row_hash": str(number),
                "occurrence": 0,
                "raw": "{}",
                "rules": ["no_customer", *["cancellation"] * (number % 2)],
            }
            for number in range(6)
        ],
    )
    write(night.lake, "ledger", [_ledger(ds, step, notes) for ds in (BEFORE, DS) for step, notes in _notes(ds).items()])
    (night.models / "losses-pretrain.csv").write_text(
        "network,contender,scope,fit,epoch,step,loss\n"
        + "".join(f"ranker,target_only,United Kingdom,A,0,{step},{1 / (step + 1)}\n" for step in range(30))
    )
    return night


def _lists(night: Night, scorer: Scorer, ds: dt.date, k: int) -> pa.Table:
    rows = []
    states = night.lake.read("user_state")
    for scenario in SCENARIOS:
        made = pa.concat_tables(
            [scorer.recommend(states, scenario, k), scorer.recommend(scorer.unknown(scenario), scenario, k)]
        ).to_pylist()
        served = {
            user
            for user, own in zip(states["user_id"].to_pylist(), states["scenarios"].to_pylist(), strict=True)
            if scenario in own
        }
        rows += [
            {"ds": ds, "scenario": scenario, **row, "model_name": "online_retail", "model_version": "7", "run_id": "r"}
            for row in made
            if row["user_id"] in served | {NEW_USER}
        ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(night.lake.contract("recommendations")))


def _metrics() -> list[dict[str, object]]:
    return [
        {
            "ds": ds,
            "scenario": scenario,
            "contender": contender,
            "split": split,
            "window": -1,
            "seed": 17,
            "slice": "all",
            "metric": metric,
            "k": k,
            "value": value,
            "low": value - 0.05,
            "high": value + 0.05,
            "users": 40,
        }
        for ds in (BEFORE, DS)
        for scenario in (*SCENARIOS, "targets")
        for split in ("validation", "test")
        for contender, value in (("ease", 0.11), ("ease_across", 0.14), ("popularity", 0.07))
        for metric, k in (("ndcg", 10), ("recall", 20), ("auc", 0))
    ]


def _notes(ds: dt.date) -> dict[str, dict[str, object]]:
    routes = {
        name: {
            "contender": route.contender if ds == DS else "popularity",
            "fit": "C",
            "unknown": route.unknown,
            "against": "ease",
            "gain": 0.03,
            "low": -0.01,
            "high": 0.07,
            "probability": 0.97,
            "users": 40,
            "why": f"{name} publishes {route.contender}: because <it> helps",
        }
        for name, route in ROUTES.items()
    }
    return {
        "clean": {
            "rows": 1000,
            "events": 800,
            "quarantined": 200,
            "days": 3,
            "rules": {"no_customer": 150, "title_missing": 9},
            "missing": ["2011-02-02"],
        },
        "encode": {
            "left_out": ["2 of 3 texts of items are rewritten"],
            "modalities": {"image": {"says": "image: 57 of 60 items have a vector", "rules": {"width:image": 4}}},
        },
        "evaluate": {"routes": routes},
        "recommend": {"users": {}, "short": {"Germany": 3}},
    }


def _ledger(ds: dt.date, step: str, notes: dict[str, object]) -> dict[str, object]:
    return {
        "ds": ds,
        "step": step,
        "generation": 1,
        "fingerprint": "0123456789abcdef",
        "code": "{}",
        "configuration": "{}",
        "reads": "{}",
        "writes": json.dumps({"events": 3}),
        "notes": json.dumps(notes),
        "git_revision": "a" * 40,
        "seconds": 12.5,
        "peak_memory_mb": 640.0,
    }


class _Tags(HTMLParser):
    """Collects the tags that are open, and the addresses that the page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br", "line", "rect", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that closes itself opens nothing."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _text(what: RenderableType, width: int = 160) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(what)
    return console.export_text()


def test_the_page_is_one_file_that_loads_nothing(night: Night) -> None:
    outcome = REPORT.run(night)
    page = outcome.artifacts[0].read_text(encoding="utf-8")
    assert outcome.artifacts[0] == night.reports / "report.html"
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert len(tags.loads) == 3
    assert all(load.startswith("data:image/svg+xml;base64,") for load in tags.loads)


def test_the_page_says_what_is_published_and_why(night: Night) -> None:
    REPORT.run(night)
    page = (night.reports / "report.html").read_text(encoding="utf-8")
    for said in (
        "ease_across",
        "because &lt;it&gt; helps",
        "+0.0300",
        "-0.0100 to +0.0700",
        "1,000",
        "20.0% of the rows",
        "models:/online_retail/7",
        "NDCG@10",
        "2011-02-02",
        "2 of 3 texts of items are rewritten",
        "image: 57 of 60 items have a vector",
        "<td>width:image</td>",
        "3 lists hold fewer than 5 items",
        "no_customer",
        "Title Of 2",
    ):
        assert said in page, said


def test_the_same_night_gives_the_same_page(night: Night) -> None:
    pages = [REPORT.run(night).artifacts[0].read_bytes() for _ in range(2)]
    assert pages[0] == pages[1]


def test_a_lake_with_nothing_in_it_gives_a_page_too(tmp_path: Path) -> None:
    empty = night_of(tmp_path)
    page = REPORT.run(empty).artifacts[0].read_text(encoding="utf-8")
    assert "1 March 2011" in page
    assert "0" in _text(summary(empty, {}, {}))


def test_rows_are_counted_by_rule_and_day(night: Night) -> None:
    facts = gather(night.lake, night.models, DS)
    assert facts.quarantined_by_day == {DS: {"no_customer": 6, "cancellation": 3}}
    events = night.lake.read("events", since=DS - dt.timedelta(days=30), until=DS)
    assert sum(facts.events_by_day.values()) == events.num_rows
    states = night.lake.read("user_state")["scenarios"].to_pylist()
    assert facts.lists == {scenario: sum(scenario in own for own in states) for scenario in SCENARIOS}


def test_the_same_users_are_shown_every_night(night: Night) -> None:
    today, yesterday = examples_of(night.lake, DS), examples_of(night.lake, BEFORE)
    assert [(one.scenario, one.user_id) for one in today] == [(one.scenario, one.user_id) for one in yesterday]
    assert [one.scenario for one in today] == ["Germany", "United Kingdom"]
    assert all(item.title == f"Title Of {item.item_id}" for one in today for item in one.items)


def test_the_summary_puts_controls_beside_what_crossed(night: Night) -> None:
    text = _text(summary(night, {"clean": 30.25, "evaluate": 12.0}, {"featurize": "done before"}))
    for said in (
        "1,000 rows of 3 days: 800 events, 200 in quarantine",
        "no_customer",
        "● 0.1400",
        "0.1100",
        "learned across",
        "image: 57 of 60 items have a vector",
        "Title Of",
        "30.2",
        "skipped: done before",
        "report.html",
        "mlflow ui --backend-store-uri sqlite:///",
    ):
        assert said in text, said


def test_a_narrow_screen_drops_contenders_and_never_digits(night: Night) -> None:
    wide = _text(summary(night, {}, {}))
    values = set(re.findall(r"\d[.]\d{4}\b", wide))
    for width in (100, 80, 64, 56):
        narrow = _text(summary(night, {}, {}), width)
        table = narrow[narrow.index("test") :].splitlines()
        assert "● 0.1400" in narrow, "what is published stays"
        assert set(re.findall(r"\d[.]\d{4}\b", narrow)) <= values
        assert not any("…" in line for line in table[1:4])
    left_out = "more contenders the screen"
    assert left_out in " ".join(narrow.split())
    assert left_out not in " ".join(wide.split())


def test_a_user_is_shown_with_history_list_and_next_candidates(night: Night) -> None:
    row = next(
        row for row in night.lake.read("recommendations").to_pylist() if row["ds"] == DS and row["user_id"] != NEW_USER
    )
    text = _text(show(night.lake, night.models, row["user_id"], DS))
    assert "History, newest first" in text
    assert f"{row['scenario']}: list (online_retail 7)" in text
    places = [text.index(f"Title Of {item['item_id']}", text.index("list (")) for item in row["items"]]
    assert places == sorted(places)
    assert "whoever is unknown" in _text(show(night.lake, night.models, NEW_USER, DS))


def test_a_user_is_shown_what_each_item_goes_with_where_that_is_known(tmp_path: Path) -> None:
    known = ready(tmp_path)
    known.lake.replace_day("recommendations", _lists(known, Scorer.load(bundle_of(known)), DS, 4), DS, "f")
    assert "Because of" not in _text(show(known.lake, known.models, "u000", DS))
    history = next(row["history"] for row in known.lake.read("user_state").to_pylist() if row["user_id"] == "u000")
    listed = next(row for row in known.lake.read("recommendations").to_pylist() if row["user_id"] == "u000")["items"]
    first, second = sorted({event["item_id"] for event in history})[:2]
    told = [(first, "taken", 0.5), (second, "taken", 0.4), (second, "title", 0.2), ("of nobody", "taken", 9.0)]
    edge = {"ds": DS, "scenario": "Germany", "other_scenario": "France", "other_id": listed[0]["item_id"]}
    rows = [edge | {"item_id": item, "kind": kind, "weight": weight} for item, kind, weight in told]
    write(known.lake, "associations", rows)
    where = [event["scenario"] for event in history if event["item_id"] == second][-1]
    text = _text(show(known.lake, known.models, "u000", DS), 200)
    assert f"Title Of {second}, {where} (taken, title)" in text
    assert "(taken)" not in text
    assert because_of(known.lake, BEFORE, history, [listed[0]["item_id"]], {}) == {}


def test_a_user_is_shown_where_the_bundle_is_gone(night: Night, tmp_path: Path) -> None:
    assert "list (online_retail 7)" in _text(show(night.lake, tmp_path, "u000", DS))


def test_a_user_nobody_knows_is_a_sentence(night: Night) -> None:
    with pytest.raises(DataError, match="the user 'nobody' is not known on 2011-03-01"):
        show(night.lake, night.models, "nobody", DS)


def test_two_nights_are_compared(night: Night) -> None:
    text = _text(diff(night.lake, BEFORE, DS))
    for said in (
        "2011-02-28 → 2011-03-01",
        "popularity",
        "ease_across",
        "0.0700",
        "0.1400",
        "because <it> helps",
        "80%",
        "100%",
    ):
        assert said in text, said
    known = "nothing was published for 2011-01-01; the last days in recommendations: 2011-02-28, 2011-03-01"
    with pytest.raises(DataError, match=known):
        diff(night.lake, dt.date(2011, 1, 1), DS)


def test_moves_are_counted_user_by_user(night: Night) -> None:
    for scenario, one in moves(night.lake, BEFORE, DS).items():
        served = gather(night.lake, night.models, DS).lists[scenario]
        assert (one.before, one.after, one.both, one.same_first) == (served,) * 4
        assert one.kept == pytest.approx(served * 4 / 5)
        assert sum(one.entered.values()) == served
        assert not one.left


def test_a_recovered_step_is_told(night: Night) -> None:
    facts = gather(night.lake, night.models, DS)
    facts.steps["clean"] = replace(facts.steps["clean"], notes={"recovered": True})
    from landbridge.report.page import page

    assert "clean was resumed after its tables were written" in page(facts, [])


def test_the_page_says_who_is_served_by_neighbours_and_who_no_longer(night: Night) -> None:
    facts = gather(night.lake, night.models, DS)
    evaluated = facts.steps["evaluate"]
    why = "Sweden publishes zero_shot_neighbours: it has no event yet, so its neighbours answer for it: Germany 1.00"
    routes = {**evaluated.notes["routes"], "Sweden": {"contender": "zero_shot_neighbours", "why": why, "users": 0}}
    told = {**evaluated.notes, "routes": routes, "left_out": ["Norway has events of its own"]}
    facts.steps["evaluate"] = replace(evaluated, notes=told)
    html = page(facts, [])
    assert "it has no event yet, so its neighbours answer for it: Germany 1.00" in html
    assert "Norway has events of its own" in html
    assert not [table for table in tables(facts) if table["scenario"] == "Sweden"]
