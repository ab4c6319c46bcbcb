"""A study from its trials to its table, its pictures and its run in MLflow."""

from __future__ import annotations

import datetime as dt
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from landbridge.config.schema import Config
from landbridge.errors import ConfigError
from landbridge.feed.vectors import Texts
from landbridge.lake.lake import Lake
from landbridge.study.examples import Examples
from landbridge.study.parts import open_parts
from landbridge.study.plot import plot_map, plot_matrix, plot_table
from landbridge.study.pointwise import PointStudy
from landbridge.study.protocol import Protocol
from landbridge.study.published import with_published
from landbridge.study.runner import chosen, run_trials, trials_of
from landbridge.study.screen import lines_of
from landbridge.study.smaller import lines_of_smaller
from landbridge.study.store import Store
from landbridge.study.table import Row, table_of, tables_of, write_table
from landbridge.tracking.run import Tracker

Say = Callable[[str], None]
_RANKING = "landbridge.study.ranking"
_FIXED = ("example_id", "ts", "user_id", "item_id", "scenario", "label", "value", "part")


def folder_of(config: Config) -> Path:
    """Return the folder of a configuration's study."""
    return config.folder / "study" / config.name


def day_of(config: Config) -> dt.date:
    """Return the day whose tables are studied."""
    return config.study.ds or config.data.reader.first_day


def protocol_of(config: Config, lake: Lake, say: Say) -> Protocol:
    """Return the task as a study sees it, with the tables of the study's day.

    Raises
    ------
    ConfigError
        The task cannot be studied.
    """
    if config.pointwise is not None:
        return PointStudy(config, examples_of(config, lake, say), Texts.read(lake, config))
    if config.split.part is not None:
        return open_parts(config, lake, day_of(config), say)
    if importlib.util.find_spec(_RANKING) is None:
        raise ConfigError(f"{config.name} is a ranking task, and there is no study of those yet")
    protocol: Protocol = importlib.import_module(_RANKING).open_ranking(config, lake, day_of(config), say)
    return protocol


def examples_of(config: Config, lake: Lake, say: Say) -> Examples:
    """Read the examples up to the study's day at the version the table has now."""
    given, ds = config.pointwise, day_of(config)
    if given is None or config.split.part is None:
        raise ConfigError(f"{config.name}: a study of a pointwise task needs split.part: its parts, or its folds")
    version = lake.version("examples")
    pinned = lake.pinned(examples=version)
    columns = [*_FIXED, *given.numbers, *given.categories, *(["tags"] if given.tags else [])]
    examples = Examples.of(pinned.read("examples", until=ds, columns=columns), pinned.digest("examples", until=ds))
    say(f"{examples.table.num_rows} labelled examples up to {ds}, version {version} of the table")
    return examples


def study(protocol: Protocol, wanted: Sequence[str] | None, seeds: Sequence[int], folder: Path, say: Say) -> list[Row]:
    """Run what is not done, then write and print the table and its picture; return the table's rows."""
    entries = chosen(protocol, wanted)
    store = Store(folder)
    with tracked(protocol.config, "study", say) as tracker:
        facts = run_trials(protocol, trials_of(protocol, entries, seeds), store, say, tracker)
        entries, facts = with_published(protocol, entries, facts, seeds[0], store, say)
        controls = [entries[0].name, *protocol.config.study.controls]
        tables = tables_of(protocol, entries, list(dict.fromkeys(controls)), facts, store)
        rows, title = tables[entries[0].name], f"{protocol.config.name}: seeds {', '.join(map(str, seeds))}"
        for table in tables.values():
            _shown(table, title, say)
        for line in lines_of_smaller(facts):
            say(line)
        if rows:
            tracker.keep([write_table(rows, folder / "table.csv"), plot_table(rows, folder / "table.png")])
            say(f"The table is in {folder / 'table.csv'}, its picture beside it, all scores in {folder / 'scores'}")
        if rows and len(entries) > 1:
            tracker.keep([file for control, table in tables.items() for file in _mapped(table, control, folder)])
            say(f"The map of gains over {', '.join(tables)} is in {folder}, as over_<control>.csv and .png")
    return rows


def matrix(protocol: Protocol, wanted: Sequence[str] | None, seeds: Sequence[int], folder: Path, say: Say) -> list[Row]:
    """Measure which source helps which target; write and print the matrix; return its rows.

    It is of the contender ``study.matrix`` or, when that is left out, of the first studied one that crosses.
    """
    name = protocol.config.study.matrix or next((one.name for one in chosen(protocol, wanted) if one.crosses), None)
    if name is None:
        raise ConfigError("no contender that is studied learns from other scenarios, so there is no matrix")
    sources = protocol.matrix(name)
    entries, store = list(sources.entries()), Store(folder / "matrix" / name)
    with tracked(protocol.config, f"matrix of {name}", say) as tracker:
        facts = run_trials(sources, trials_of(sources, entries, seeds), store, say, tracker)
        rows = table_of(sources, entries, facts, store)
        _shown(rows, f"{protocol.config.name}: {name} with the rows of one source beside the target's own", say)
        if rows:
            files = [
                write_table(rows, folder / f"matrix_{name}.csv"),
                plot_matrix(rows, name, folder / f"matrix_{name}.png"),
            ]
            tracker.keep(files)
            say(f"The matrix is in {files[0]}, its picture beside it")
    return rows


def left_out(
    protocol: Protocol, wanted: Sequence[str] | None, seeds: Sequence[int], folder: Path, say: Say
) -> list[Row]:
    """Judge every scenario by what was fitted on the others alone; write and print the table; return its rows."""
    newcomers = protocol.left_out()
    entries, store = chosen(newcomers, wanted), Store(folder / "left_out")
    with tracked(protocol.config, "left out", say) as tracker:
        facts = run_trials(newcomers, trials_of(newcomers, entries, seeds), store, say, tracker)
        rows = table_of(newcomers, entries, facts, store)
        _shown(rows, f"{protocol.config.name}: each scenario by what was fitted on the others alone", say)
        if rows:
            files = [write_table(rows, folder / "left_out.csv"), plot_table(rows, folder / "left_out.png")]
            tracker.keep(files)
            say(f"The table is in {files[0]}, its picture beside it, all scores in {store.folder / 'scores'}")
    return rows


def _mapped(rows: Sequence[Row], control: str, folder: Path) -> list[Path]:
    """Write the map of a control: what each contender has over it in each scenario."""
    return [write_table(rows, folder / f"over_{control}.csv"), plot_map(rows, folder / f"over_{control}.png")]


def _shown(rows: Sequence[Row], title: str, say: Say) -> None:
    for line in lines_of(rows, title) if rows else ["nothing could be fitted, so there is no table"]:
        say(line)


@contextmanager
def tracked(config: Config, kind: str, say: Say) -> Iterator[Tracker]:
    """Give a run in MLflow that is no night: found again, and closed as it ends."""
    tracker = Tracker.open(config, day_of(config), say, kind=kind)
    try:
        yield tracker
    except BaseException:
        tracker.close(failed=True)
        raise
    tracker.close()
