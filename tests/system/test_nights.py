"""What a person or a scheduler does with nights: twice, at once, from a step on, day after day, step by step."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.system.nights import STEPS, Place, assert_same, contents, environment
from tests.system.small import DS, NEXT, ROOT


def test_a_second_night_skips_every_step_in_seconds(undisturbed: Place, tmp_path: Path) -> None:
    place = undisturbed.copied(tmp_path / "var")
    begun = time.monotonic()
    said = place.nightly()
    assert said.count("skipped, done before") == len(STEPS)
    assert time.monotonic() - begun < 60
    assert "would" in place.run("plan", "--ds", str(DS))


def test_from_a_step_on_the_rest_is_run_again_to_the_same_tables(undisturbed: Place, tmp_path: Path) -> None:
    place = undisturbed.copied(tmp_path / "var")
    said = place.nightly("--from", "evaluate")
    assert said.count("skipped, done before") == 4
    assert all(f"] {step}: done in" in said for step in ("evaluate", "recommend", "report"))
    assert_same(contents(undisturbed), contents(place))


def test_two_nightlies_at_once_the_second_stops_or_waits(undisturbed: Place, tmp_path: Path) -> None:
    place = undisturbed.copied(tmp_path / "var")
    first = place.start("nightly", "--ds", str(DS), "--from", "evaluate")
    first.says("[5/7] evaluate: asked for")
    refused = place.nightly(code=1)
    assert f"is being written by process {first.process.pid} since" in refused
    assert "Traceback" not in refused
    waited = place.nightly("--wait", "300")
    assert first.end() == 0
    assert waited.count("skipped, done before") == len(STEPS)
    assert_same(contents(undisturbed), contents(place))


@pytest.fixture(scope="module")
def two_nights(undisturbed: Place, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, str]:
    """The next night after the undisturbed one, and what it said."""
    place = undisturbed.copied(tmp_path_factory.mktemp("two") / "var")
    return place, place.nightly(ds=NEXT)


def test_the_next_night_continues_models_and_vocabulary(undisturbed: Place, two_nights: tuple[Place, str]) -> None:
    place, said = two_nights
    assert "loading 1 day" in said
    assert "no earlier night" not in said
    before, after = contents(undisturbed), contents(place)
    ids = {(row["field"], row["value"]): row["id"] for row in after["vocabulary"].to_pylist()}
    assert all(ids[row["field"], row["value"]] == row["id"] for row in before["vocabulary"].to_pylist())
    assert len(ids) > before["vocabulary"].num_rows
    assert place.lake().days("recommendations") == [DS, NEXT]


def test_the_next_night_leaves_the_night_before_done(two_nights: tuple[Place, str]) -> None:
    place, _ = two_nights
    assert place.nightly(ds=DS).count("skipped, done before") == len(STEPS)


def test_backfill_skips_what_is_done_and_names_the_command_that_resumes(two_nights: tuple[Place, str]) -> None:
    place, _ = two_nights
    said = place.run("backfill", "--from", str(DS), "--to", str(NEXT))
    assert said.count("skipped, done before") == 2 * len(STEPS)
    assert "backfill: 2 days are done" in said
    beyond = NEXT + dt.timedelta(days=1)
    failed = place.run("backfill", "--from", str(NEXT), "--to", str(beyond), code=1)
    assert f"backfill stopped at {beyond}, 1 of 2 days are done; resume with: landbridge backfill" in failed
    assert f"--from {beyond}" in failed


def test_a_person_looks_at_nights(two_nights: tuple[Place, str]) -> None:
    place, _ = two_nights
    user = place.lake().read("recommendations", columns=["user_id"])["user_id"].to_pylist()[-1]
    assert user in place.run("show", user)
    assert str(NEXT) in place.run("diff", str(DS), str(NEXT))
    assert "Germany" in place.run("sql", "select scenario, count(*) from recommendations_by_rank group by 1")
    assert "the query was refused" in place.run("sql", "select nothing from nowhere", code=2)


def test_a_scenario_is_rolled_back_and_then_all(two_nights: tuple[Place, str]) -> None:
    place, _ = two_nights
    said = place.run("rollback", "--scenario", "Germany", "--to", "1")
    assert "version 3: Germany as in version 1, the others unchanged" in said
    assert f"lists of Germany of {NEXT} differ from before" in said
    said = place.nightly(ds=NEXT)
    assert "recommend: skipped, done before, nothing it depends on has changed; it stands rolled back" in said
    assert "report: the table recommendations changed" in said
    assert "Rolled back by hand" in (place.root / "reports" / str(NEXT) / "report.html").read_text()
    assert "is version 1 for every scenario" in place.run("rollback", "--to", "1")
    newest = place.lake().read("recommendations", since=DS)
    assert set(newest["model_version"].to_pylist()) == {"1"}
    assert "no such version; versions: 3, 2, 1" in place.run("rollback", "--to", "9", code=2)


def test_each_job_alone_by_spark_submit_is_the_nightly(undisturbed: Place, tmp_path: Path) -> None:
    place = Place(undisturbed.conf, tmp_path / "var")
    submit = Path(sys.executable).parent / "spark-submit"
    for step in STEPS:
        command = [str(submit), "--master", "local[2]", f"jobs/{step}.py", *place.arguments(), "--ds", str(DS)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=600, env=environment(), cwd=ROOT, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr + place.log_tail()
        assert f"[1/1] {step}: done in" in done.stdout
    assert_same(contents(undisturbed), contents(place))
    assert place.nightly().count("skipped, done before") == len(STEPS)


def test_spark_submit_hands_on_the_exit_code(undisturbed: Place) -> None:
    submit = Path(sys.executable).parent / "spark-submit"
    command = [
        str(submit),
        "--master",
        "local[1]",
        "jobs/clean.py",
        "--conf",
        str(undisturbed.conf),
        "--ds",
        "yesterday",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        env={**environment(), "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8")},
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 2
    assert "yesterday is not a date" in done.stdout + done.stderr
