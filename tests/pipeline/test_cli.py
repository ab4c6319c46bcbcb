"""The command line teaches, refuses in one sentence, and ends with the exit code it promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from landbridge.config.json_schema import json_schema
from landbridge.pipeline.cli import cli, run

COMMANDS = sorted(cli.commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(cli, [command, "--help"])
    assert shown.exit_code == 0
    assert len(shown.output.split("Options:")[0].strip().splitlines()) >= 3
    assert "--" in shown.output


def test_the_commands_are_those_that_are_promised() -> None:
    steps = {
        "clean",
        "featurize",
        "adapt",
        "encode",
        "associate",
        "group",
        "pretrain",
        "finetune",
        "evaluate",
        "recommend",
        "report",
    }
    looks = {"check", "plan", "show", "diff", "schema", "sql", "measure"}
    assert set(COMMANDS) == steps | looks | {"nightly", "backfill", "rollback", "study", "tune"}


def test_the_schema_is_printed_and_written(tmp_path: Path) -> None:
    printed = CliRunner().invoke(cli, ["schema"]).output
    assert json.loads(printed) == json_schema()
    assert run(["schema", "--out", str(tmp_path / "schema.json")]) == 0
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nightly"], "Missing option '--ds'"),
        (["nightly", "--ds", "30.11.2011"], "30.11.2011 is not a date; write it as 2011-11-30"),
        (["nightly", "--ds", "2011-11-30", "--from", "cook"], "'cook' is not one of 'clean', 'featurize'"),
        (["nightly", "--ds", "2011-11-30", "--conf", "none.yaml"], "none.yaml: cannot be read"),
        (["plan", "--ds", "2011-11-30", "--profile", "moon"], "profiles there:"),
        (["study", "--seeds", "few"], "few are no seeds; write them as 0-4 or 0,2,7"),
        (["cook"], "No such command 'cook'"),
        (["backfill", "--from", "2011-11-30", "--to", "2011-11-29"], "the last day lies before the first"),
        (["nightly", "--ds", "2009-01-01"], "the first day with data is 2010-12-01"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_a_sentence(
    arguments: list[str], sentence: str, settings: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    placed = [word for pair in settings for word in ("--set", pair)] if arguments[0] in ("nightly", "backfill") else []
    assert run([*arguments, *placed]) == 2
    told = capfd.readouterr().err
    assert sentence in told
    assert "Traceback" not in told


def test_a_failure_is_exit_code_1_a_sentence_and_a_traceback_in_the_log(
    tmp_path: Path, settings: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    placed = [word for pair in settings for word in ("--set", pair)]
    assert run(["evaluate", "--ds", "2011-11-30", *placed]) == 1
    told = capfd.readouterr().err
    assert "evaluate needs what clean writes for 2011-11-30, and clean has not run" in told
    assert "Traceback" not in told
    assert "Traceback" in (tmp_path / "var" / "logs" / "2011-11-30.log").read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "var").write_text("a file where the folder should be")
    assert run(["nightly", "--ds", "2011-11-30", "--set", f"root={tmp_path / 'var'}"]) == 1
    told = capfd.readouterr().err
    assert "cannot be written" in told
    assert "name another" in told


def test_a_server_that_is_down_stops_the_night_before_anything_is_written(
    tmp_path: Path, settings: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    placed = [word for pair in [*settings, "tracking.uri=http://127.0.0.1:9"] for word in ("--set", pair)]
    assert run(["clean", "--ds", "2011-11-30", *placed]) == 1
    told = capfd.readouterr().err
    assert "http://127.0.0.1:9" in told
    assert [path.name for path in (tmp_path / "var" / "lake").iterdir()] == [".lock"]
