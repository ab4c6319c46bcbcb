"""A night runs what is not done, skips what is, resumes what died, and says why."""

from __future__ import annotations

import datetime as dt
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.pipeline.conftest import ROOT, forget

from landbridge import config as configuration
from landbridge.config.schema import Config
from landbridge.errors import LakeError
from landbridge.lake.lake import Lake
from landbridge.pipeline.ledger import Ledger
from landbridge.pipeline.night import Ended, night_of
from landbridge.pipeline.nightly import nightly
from landbridge.pipeline.plan import plan
from landbridge.step import Step

DS = dt.date(2011, 11, 30)
NAMES = ("evaluate", "recommend", "report")


def steps_of() -> tuple[Step, ...]:
    forget()
    found: tuple[Step, ...] = importlib.import_module("toyflow.step").STEPS
    return found


def run(config: Config, lines: list[str] | None = None, ds: dt.date = DS, **rest: object) -> Ended:
    said = lines if lines is not None else []
    return nightly(config, ds, said.append, rest.pop("wanted", NAMES), steps=steps_of(), **rest)[1]  # type: ignore[arg-type]


def settings_of(config: Config) -> list[str]:
    return [
        f"root={config.root}",
        f"tracking.uri={config.tracking.uri}",
        "train.launcher=process",
        "train.processes=1",
    ]


def changed(config: Config, *overrides: str) -> Config:
    base = settings_of(config)
    return configuration.load(ROOT / "conf" / "online_retail.yaml", "local", [*base, *overrides])


def test_every_step_runs_once_in_order_and_says_so(config: Config, flow: Path) -> None:
    lines: list[str] = []
    ended = run(config, lines)
    assert tuple(ended.seconds) == NAMES
    assert lines[0] == "[1/3] evaluate: has not run for 2011-11-30"
    assert "      judging" in lines
    assert lines[-1].startswith("[3/3] report: done in ")


def test_a_second_night_skips_everything(config: Config, flow: Path) -> None:
    run(config)
    versions = {name: Lake(config).version(name) for name in ("metrics", "recommendations", "ledger")}
    ended = run(config)
    assert tuple(ended.skipped) == NAMES
    assert versions == {name: Lake(config).version(name) for name in versions}


def test_the_ledger_tells_what_ran_on_what(config: Config, flow: Path) -> None:
    run(config)
    row = Ledger(Lake(config)).last(DS, "recommend")
    assert row is not None
    assert row.generation == 1
    assert set(row.reads) == {"metrics", "step evaluate"}
    assert row.writes == {"recommendations": 1}
    assert set(row.configuration) == {"recommend"}
    assert {"toyflow.step", "toyflow.help"} <= set(row.code)
    assert row.seconds >= 0
    assert row.peak_memory_mb > 10


def test_a_comment_reruns_nothing(config: Config, flow: Path) -> None:
    run(config)
    help_file = flow / "help.py"
    help_file.write_text(
        "# A comment.\n" + help_file.read_text().replace('"""Twice."""', '"""Two times,\n\n    as before."""')
    )
    assert not run(config).seconds


def test_changed_code_reruns_the_steps_that_import_it(config: Config, flow: Path) -> None:
    run(config)
    (flow / "help.py").write_text("def double(value):\n    return 3.0 * value\n")
    lines: list[str] = []
    run(config, lines)
    assert lines[0] == "[1/3] evaluate: the code of toyflow.help changed"


def test_a_changed_section_reruns_from_the_step_that_depends_on_it(config: Config, flow: Path) -> None:
    run(config)
    lines: list[str] = []
    ended = run(changed(config, "recommend.pool=300"), lines)
    assert tuple(ended.skipped) == ("evaluate",)
    assert lines[1] == "[2/3] recommend: the configuration section recommend changed"
    assert any(line == "[3/3] report: the table recommendations changed" for line in lines)


def test_where_it_runs_is_no_science(config: Config, flow: Path) -> None:
    run(config)
    assert not run(changed(config, "spark.driver_memory=1g", "recommend.k=20")).seconds


def test_a_changed_input_outside_the_lake_reruns(config: Config, flow: Path) -> None:
    run(config)
    (config.folder / "input.txt").write_text("new")
    lines: list[str] = []
    run(config, lines)
    assert lines[0] == "[1/3] evaluate: the input input.txt changed"


def test_from_reruns_a_step_and_all_after_it(config: Config, flow: Path) -> None:
    run(config)
    ended = run(config, start="recommend")
    assert tuple(ended.skipped) == ("evaluate",)
    assert tuple(ended.seconds) == ("recommend", "report")


def test_force_reruns_everything(config: Config, flow: Path) -> None:
    run(config)
    assert tuple(run(config, force=True).seconds) == NAMES
    row = Ledger(Lake(config)).last(DS, "evaluate")
    assert row is not None
    assert row.generation == 2


def test_a_later_night_leaves_the_earlier_one_done(config: Config, flow: Path) -> None:
    run(config)
    run(config, ds=DS + dt.timedelta(days=1))
    assert not run(config).seconds


def test_a_step_alone_asks_for_what_lies_before_it(config: Config, flow: Path) -> None:
    with pytest.raises(LakeError, match="report needs what evaluate writes for 2011-11-30"):
        run(config, wanted=("report",))


def test_steps_one_by_one_are_the_nightly(config: Config, flow: Path) -> None:
    for name in NAMES:
        assert tuple(run(config, wanted=(name,)).seconds) == (name,)
    assert not run(config).seconds


def test_plan_says_what_would_run_and_why_and_runs_nothing(config: Config, flow: Path) -> None:
    def planned(of: Config) -> list[tuple[str, bool, str]]:
        return [(one.step, one.run, one.why) for one in plan(night_of(of, DS, print), steps_of())]

    assert planned(config)[:2] == [
        ("evaluate", True, "has not run for 2011-11-30"),
        ("recommend", True, "evaluate runs before it"),
    ]
    assert not Lake(config).exists("ledger")
    run(config)
    assert [run for _, run, _ in planned(config)] == [False, False, False]
    assert planned(changed(config, "recommend.pool=300")) == [
        ("evaluate", False, "done before, nothing it depends on has changed"),
        ("recommend", True, "the configuration section recommend changed"),
        ("report", True, "recommend runs before it"),
    ]


def process(config: Config, flow: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "toyflow.run", str(ROOT / "conf" / "online_retail.yaml"), str(DS)]
    command += settings_of(config)
    paths = os.pathsep.join([str(flow.parent), str(ROOT / "lib")])
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths, **environment}, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("place", ["evaluate", "recommend before", "report"])
def test_a_killed_night_resumes_at_the_step_that_died(config: Config, flow: Path, place: str) -> None:
    assert process(config, flow, TOYFLOW_DIE=place).returncode == -signal.SIGKILL
    second = process(config, flow)
    assert second.returncode == 0, second.stderr
    died = place.split()[0]
    for name in NAMES:
        expected = "skipped" if NAMES.index(name) < NAMES.index(died) else "done in"
        assert any(f"] {name}: {expected}" in line for line in second.stdout.splitlines())
    assert Lake(config).read("recommendations").num_rows == 1


def test_killed_between_commit_and_ledger_is_done_and_not_repeated(config: Config, flow: Path) -> None:
    assert process(config, flow, TOYFLOW_DIE="recommend after").returncode == -signal.SIGKILL
    version = Lake(config).version("recommendations")
    lines: list[str] = []
    run(config, lines)
    assert lines[1] == "[2/3] recommend: skipped, its tables were written by a run that died before the ledger knew"
    assert Lake(config).version("recommendations") == version
    assert not run(config).seconds


def test_a_failed_step_leaves_the_ledger_as_it_was(config: Config, flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOYFLOW_FAIL", "recommend before")
    with pytest.raises(ZeroDivisionError):
        run(config)
    assert Ledger(Lake(config)).last(DS, "recommend") is None
    monkeypatch.delenv("TOYFLOW_FAIL")
    assert tuple(run(config).skipped) == ("evaluate",)
