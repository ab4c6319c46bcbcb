"""The benchmarks' command line."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import pyarrow as pa
import torch
from rich.console import Console
from tests.bench import encoding, feeding, topk, training
from tests.bench.rounds import Measured, Work, measure
from tests.bench.tables import table_of, write_csv
from threadpoolctl import threadpool_limits

_WORKS: dict[str, Callable[[float, Path], Sequence[Work]]] = {
    "topk": topk.works,
    "feeding": feeding.works,
    "training": training.works,
    "encoding": encoding.works,
}
_OTHER_PROCESSES = ("encoding",)
"""Whose work other processes do too, so that processor seconds of this one would flatter it."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("works", nargs=-1, type=click.Choice(list(_WORKS)))
@click.option("--scale", default=0.1, show_default=True, help="Share of the whole work; rates hardly depend on it.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(3), help="Timed rounds, in turns.")
@click.option("--threads", type=click.IntRange(1), help="Threads of torch and BLAS; default: one a core.")
@click.option("--cpu", is_flag=True, help="Count processor seconds, with one thread: for a machine that others use.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("var/bench"), show_default=True, help="For CSV.")
def main(works: tuple[str, ...], scale: float, rounds: int, threads: int | None, cpu: bool, out: Path) -> None:
    """Time our code beside peers and beside the floor, in one process and in turns.

    \b
    topk      the best 100 of 20,000 items for users, what they have left out    1.0 is 100,000 users
    feeding   shuffled batches of 4096 examples with their histories             1.0 is 5,000,000 examples
    training  MMoE and STAR on pointwise rows, batches of 4096                   1.0 is 1,228,800 rows
    encoding  titles into vectors of MiniLM, on Spark; never with --cpu          1.0 is 36,298 titles

    \b
    python -m tests.bench                             everything, a few minutes
    python -m tests.bench topk --scale 0.02           a quick look
    python -m tests.bench topk --threads 1            as one worker of Spark scores
    python -m tests.bench --cpu                       where others use the machine

    The floor is what cannot be saved: matrix products alone, or one gather of the same bytes. "of floor" and "of best
    peer" are shares of their rates; below 1 ours is slower. Lines are appended to <out>/<date>.csv. Nothing else should
    run on the machine, or --cpu count what the process itself used; low and high of the rounds, and the load below
    the table, tell whether something did.
    """
    chosen = works or tuple(name for name in _WORKS if not (cpu and name in _OTHER_PROCESSES))
    if cpu and set(chosen) & set(_OTHER_PROCESSES):
        raise click.UsageError("encoding is done by other processes, which --cpu does not count: leave out --cpu")
    started, threads = dt.datetime.now(), 1 if cpu else threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    pa.set_cpu_count(threads)
    out.mkdir(parents=True, exist_ok=True)
    console, found = Console(width=None if Console().is_terminal else 150), list[Measured]()
    with threadpool_limits(threads), tempfile.TemporaryDirectory(dir=out) as folder:
        for name in chosen:
            for work in _WORKS[name](scale, Path(folder)):
                console.print(f"{work.name}: {work.note}", soft_wrap=True, highlight=False)
                found += measure(work, rounds, time.process_time if cpu else time.perf_counter)
    console.print(table_of(found, rounds, cpu))
    console.print(f"written to {write_csv(out, started, found, scale, cpu)}", soft_wrap=True, highlight=False)
