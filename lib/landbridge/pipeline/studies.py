"""The commands of science: `study` and `tune`, which see to the tables of the study's day, and `measure`."""
# ruff: noqa: D301  (click reads the backspace character)

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from landbridge.config.schema import Config
from landbridge.lake.lake import Lake
from landbridge.pipeline.options import Place, placed, wait_option
from landbridge.pipeline.screen import lines_of, speaking
from landbridge.pipeline.steps import has

if TYPE_CHECKING:
    from landbridge.study.protocol import Protocol

Say = Callable[[str], None]
TABLES = ("clean", "featurize", "adapt", "encode")
"""The steps that write what a study reads."""


class Seeds(click.ParamType):  # type: ignore[type-arg]  # generic for mypy, not when it runs
    """Seeds, as 0-4 or 0,2,7."""

    name = "SEEDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the seeds, or fail with what was found."""
        if isinstance(value, tuple):
            return value
        if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", value):
            self.fail(f"{value} are no seeds; write them as 0-4 or 0,2,7", param, ctx)
        found: list[int] = []
        for part in value.split(","):
            first, _, last = part.partition("-")
            found += range(int(first), int(last or first) + 1)
        if not found:
            self.fail(f"{value} are no seeds: the first must not be above the last", param, ctx)
        return tuple(dict.fromkeys(found))


@click.command()
@placed
@click.option("--seeds", type=Seeds(), help="As 0-4; those of study.seeds when left out.")
@click.option("--contenders", help="Names with commas; those of study.contenders when left out.")
@click.option("--matrix", "with_matrix", is_flag=True, help="Also measure which source helps which target.")
@click.option("--left-out", "left_out", is_flag=True, help="Judge each scenario by what the others alone tell of it.")
@wait_option
def study(
    place: Place,
    seeds: tuple[int, ...] | None,
    contenders: str | None,
    with_matrix: bool,
    left_out: bool,
    wait: float,
) -> None:
    """Compare contenders over seeds on held-out rows, each with the control; what is done is not run again.

    \b
    landbridge study --conf conf/anime.yaml
    landbridge study --conf conf/coupon.yaml --contenders trees,trees_joint,trees_pooling --matrix
    landbridge study --conf conf/anime.yaml --seeds 0 --left-out
    """
    config = place.load()
    with speaking(config.folder / "logs" / "study.log") as console:
        from landbridge.study.study import folder_of, matrix
        from landbridge.study.study import left_out as without_each
        from landbridge.study.study import study as run_study

        say: Say = lambda line: lines_of(console, line)  # noqa: E731
        protocol = _protocol(config, say, wait)
        given, wanted = list(seeds or config.study.seeds), contenders.split(",") if contenders else None
        if left_out:
            without_each(protocol, wanted, given, folder_of(config), say)
            return
        run_study(protocol, wanted, given, folder_of(config), say)
        if with_matrix:
            matrix(protocol, wanted, given, folder_of(config), say)


@click.command()
@placed
@wait_option
def tune(place: Place, wait: float) -> None:
    """Search the hyper-parameters of study.tune, judged on validation rows; print the best as YAML.

    \b
    landbridge tune --conf conf/coupon.yaml
    """
    config = place.load()
    with speaking(config.folder / "logs" / "study.log") as console:
        from landbridge.study.study import folder_of, tracked
        from landbridge.study.tune import tune as search

        say: Say = lambda line: lines_of(console, line)  # noqa: E731
        protocol = _protocol(config, say, wait)
        with tracked(config, "tune", say) as tracker:
            search(protocol, folder_of(config), say, tracker)


@click.command()
@placed
@click.argument("scores")
@click.option("--by", default="contender,scenario", show_default=True, help="Columns to group by, with commas.")
@click.option("--k", type=click.IntRange(min=1), default=10, show_default=True, help="Length of a list.")
def measure(place: Place, scores: str, by: str, k: int) -> None:
    """Compute the measures of kept scores in Spark: those of a study, or of anybody, however many rows they have.

    \b
    landbridge measure var/study/coupon/scores --by contender
    landbridge measure var/study/online_retail/scores --by contender,scenario,window --k 20
    """
    config = place.load()
    with speaking(config.folder / "logs" / "measure.log") as console:
        from landbridge.pipeline.measure import measure as measured
        from landbridge.pipeline.measure import shown
        from landbridge.pipeline.night import night_of

        spark = night_of(config, config.data.reader.first_day, console.print).spark_lake().spark
        console.print(shown(measured(spark, scores, [name for name in by.split(",") if name], k)))


def _protocol(config: Config, say: Say, wait: float) -> Protocol:
    """Return the task as a study sees it, after the steps that write its tables; they are skipped if they are done."""
    from landbridge.pipeline.nightly import nightly
    from landbridge.study.study import day_of, protocol_of

    nightly(config, day_of(config), say, [name for name in TABLES if has(name, config)], wait=wait)
    return protocol_of(config, Lake(config), say)
