"""The command line. Exit codes: 0 done or already done, 2 wrong usage or configuration, 1 failed."""
# ruff: noqa: D301  (click reads the backspace character)

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from landbridge import __version__
from landbridge.config.json_schema import json_schema
from landbridge.config.schema import Config
from landbridge.errors import LandbridgeError
from landbridge.pipeline import steps as flow
from landbridge.pipeline.night import log_of, night_of
from landbridge.pipeline.options import DAY, Place, ds_option, force_option, placed, wait_option
from landbridge.pipeline.screen import lines_of, speaking
from landbridge.pipeline.studies import measure, study, tune
from landbridge.step import Night


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, no_args_is_help=True)
@click.version_option(__version__)
def cli() -> None:
    """Nightly recommendation tables for many scenarios.

    \b
    landbridge nightly --ds 2011-11-30        everything, in order; what is done is skipped
    landbridge plan --ds 2011-11-30           what that would run, and why
    landbridge show 12583                     a user's history and list
    landbridge study --conf conf/anime.yaml   what crosses, against what is learned alone

    Every command takes --conf (what), --profile (where) and --set KEY=VALUE.
    Exit codes: 0 done or already done, 2 wrong usage or configuration, 1 failed.
    """


@cli.command()
@placed
@ds_option
@click.option("--from", "start", type=click.Choice(flow.NAMES), help="Run this step and all after it, even if done.")
@force_option
@wait_option
def nightly(place: Place, ds: dt.date, start: str | None, force: bool, wait: float) -> None:
    """Run all steps of a night in order, in one Spark application.

    A step whose inputs, configuration and code are unchanged is skipped; a night that was killed resumes with the
    same command.

    \b
    landbridge nightly --ds 2011-11-30
    landbridge nightly --conf conf/online_retail.yaml --profile quick --ds 2011-11-30
    landbridge nightly --ds 2011-11-30 --from evaluate
    """
    config = place.load()
    with _screen(config, log_of(config, ds)) as console:
        _night(console, config, ds, flow.NAMES, start, force, wait)


def _step_command(name: str, does: str) -> None:
    def run(place: Place, ds: dt.date, force: bool, wait: float) -> None:
        config = place.load()
        with _screen(config, log_of(config, ds)) as console:
            _night(console, config, ds, (name,), None, force, wait)

    run.__doc__ = f"""{does}

    One step of the nightly, for a scheduler; the steps before it must have run for the day.

    \b
    landbridge {name} --ds 2011-11-30
    spark-submit jobs/{name}.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
    """
    cli.command(name)(placed(ds_option(force_option(wait_option(run)))))


_step_command("clean", "Raw daily logs to events, items, users and quarantine.")
_step_command("featurize", "Events to vocabulary, statistics, examples and user_state.")
_step_command("adapt", "The text encoder is tuned by what the same users took; off unless encode.tune is there.")
_step_command("encode", "Texts of items to vectors of a pretrained model, vectors made elsewhere; only what is new.")
_step_command("associate", "Which items go with which, across scenarios: by users, by text, by attributes.")
_step_command("group", "Who is interested in what, scenario by scenario, and how groups flow between scenarios.")
_step_command("pretrain", "Train retriever and ranker on the source scenario.")
_step_command("finetune", "Fit all contenders of all scenarios, controls beside what crosses.")
_step_command("evaluate", "Judge the contenders, decide what each scenario publishes, register the bundle.")
_step_command("recommend", "Write, audit and publish the night's lists.")
_step_command("report", "Write the page a person reads in the morning.")


@cli.command()
@placed
@click.option("--ds", type=DAY, help="The day to look at; the latest with a file when left out.")
def check(place: Place, ds: dt.date | None) -> None:
    """Validate the configuration against a sample of the data; nothing is written to the lake.

    \b
    landbridge check --conf conf/my_shop.yaml
    """
    config = place.load()
    with _screen(config, config.folder / "logs" / "check.log") as console:
        from landbridge.clean.check import check as check_data
        from landbridge.encode.check import check as check_vectors

        say = _say(console)
        spark = night_of(config, ds or config.data.reader.first_day, say).spark_lake().spark
        for line in [*check_data(config, spark, ds), *check_vectors(config, spark, ds)]:
            say(line)


@cli.command()
@placed
@ds_option
def plan(place: Place, ds: dt.date) -> None:
    """Say what the nightly would run, and why; nothing is run."""
    config = place.load()
    with _screen(config, log_of(config, ds)) as console:
        from landbridge.pipeline.plan import plan as plan_night
        from landbridge.pipeline.plan import table_of

        console.print(table_of(plan_night(night_of(config, ds, _say(console)), flow.steps_until(config=config)), ds))


@cli.command()
@placed
@click.option("--from", "first", type=DAY, required=True, help="The first day.")
@click.option("--to", "last", type=DAY, required=True, help="The last day.")
@wait_option
def backfill(place: Place, first: dt.date, last: dt.date, wait: float) -> None:
    """Run the nightly of every day from one to another; what is done is skipped, the first failure stops.

    \b
    landbridge backfill --from 2011-11-28 --to 2011-11-30
    """
    config = place.load()
    with _screen(config, log_of(config, first)) as console:
        from landbridge.pipeline.backfill import backfill as run_all

        days = run_all(
            first,
            last,
            lambda ds: _night(console, config, ds, flow.NAMES, None, False, wait),
            _say(console),
            f"landbridge backfill {place.words()} --to {last}",
        )
        console.print(f"backfill: {days} days are done")


@cli.command()
@placed
@click.option("--to", "version", required=True, help="The registered version to go back to.")
@click.option("--scenario", help="Only this scenario's route; all of them when left out.")
@wait_option
def rollback(place: Place, version: str, scenario: str | None, wait: float) -> None:
    """Publish an earlier version of the model, for one scenario or for all.

    The alias champion moves, and the newest published lists or scores are made again with that version, in one commit;
    if they break a rule of the table, neither changes. The nightly of that day leaves them as they are and says so
    (--from recommend publishes its own again); the next night publishes by the rule.

    \b
    landbridge rollback --to 3
    landbridge rollback --scenario Germany --to 3
    """
    config = place.load()
    with _screen(config, config.folder / "logs" / "rollback.log") as console:
        from landbridge.pipeline.rollback import rollback as roll

        lines_of(console, roll(config, version, scenario, _say(console), wait))


@cli.command()
@placed
@click.argument("user")
@click.option("--ds", type=DAY, help="The day of the lists or scores; the newest when left out.")
@click.option("--alike", type=click.IntRange(0), default=0, help="Also so many users whose last items mean the same.")
def show(place: Place, user: str, ds: dt.date | None, alike: int) -> None:
    """Print a user's history, candidates and list; of a pointwise task the answers and tonight's scores.

    \b
    landbridge show 12583
    landbridge show 12583 --alike 5            with encode.users in the configuration
    landbridge show __new__ --ds 2011-11-30
    """
    config = place.load()
    with _screen(config, config.folder / "logs" / "show.log") as console:
        from landbridge.report.alike import alike_table
        from landbridge.report.point_show import show_points
        from landbridge.report.show import show as show_user

        ds = ds or _newest(config)
        night = night_of(config, ds, _say(console))
        lists = config.pointwise is None
        console.print(show_user(night.lake, night.models, user, ds) if lists else show_points(night.lake, user, ds))
        if alike:
            console.print(alike_table(night.lake, user, ds, alike))


@cli.command()
@placed
@click.argument("ds1", type=DAY)
@click.argument("ds2", type=DAY)
def diff(place: Place, ds1: dt.date, ds2: dt.date) -> None:
    """Print what changed between two nights.

    \b
    landbridge diff 2011-11-30 2011-12-01
    """
    config = place.load()
    with _screen(config, config.folder / "logs" / "diff.log") as console:
        from landbridge.report.diff import diff as diff_lists
        from landbridge.report.point_diff import diff_points

        diff_nights = diff_lists if config.pointwise is None else diff_points
        console.print(diff_nights(night_of(config, ds2, _say(console)).lake, ds1, ds2))


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of the screen.")
def schema(out: Path | None) -> None:
    """Print the JSON schema of the configuration, for editors.

    \b
    landbridge schema --out conf/schema.json
    """
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


@cli.command()
@placed
@click.argument("query")
@click.option("--rows", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many rows.")
def sql(place: Place, query: str, rows: int) -> None:
    """Ask the lake's tables in Spark SQL; every table is a view, and recommendations_by_rank has a row an item.

    \b
    landbridge sql "select scenario, count(*) from events group by 1 order by 2 desc"
    landbridge sql "select * from recommendations_by_rank where user_id = '12583' and rank <= 3"
    """
    config = place.load()
    with _screen(config, config.folder / "logs" / "sql.log") as console:
        from landbridge.pipeline.sql import ask

        console.print(ask(night_of(config, config.data.reader.first_day, _say(console)).spark_lake(), query, rows))


cli.add_command(study)
cli.add_command(tune)
cli.add_command(measure)


@contextmanager
def _screen(config: Config, log: Path) -> Iterator[Console]:
    with speaking(log) as console:
        yield console


def _say(console: Console) -> Callable[[str], None]:
    return lambda line: lines_of(console, line)


def _night(
    console: Console, config: Config, ds: dt.date, wanted: Sequence[str], start: str | None, force: bool, wait: float
) -> None:
    from landbridge.pipeline.nightly import nightly as run_night

    night, ended = run_night(config, ds, _say(console), wanted, start, force, wait)
    if tuple(wanted) == flow.NAMES:
        _summary(console, night, ended.seconds, ended.skipped)


def _summary(console: Console, night: Night, seconds: dict[str, float], skipped: dict[str, str]) -> None:
    from landbridge.report.summary import summary

    console.print(summary(night, seconds, skipped))


def _newest(config: Config) -> dt.date:
    days = night_of(config, config.data.reader.first_day, print).lake.days(flow.table_of(config))
    if not days:
        raise LandbridgeError(
            f"nothing is published in {config.root}/lake yet: run `landbridge nightly --ds DATE` first"
        )
    return days[-1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code. Errors are one sentence on standard error."""
    try:
        cli.main(list(arguments), prog_name="landbridge", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except LandbridgeError as error:
        Console(stderr=True).print(f"landbridge: {error}", markup=False, highlight=False, soft_wrap=True, style="red")
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("landbridge: interrupted; the same command resumes", err=True)
        return 1
    return 0


if __name__ == "__main__":
    main()
