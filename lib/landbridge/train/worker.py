"""One training process: ``python -m landbridge.train.worker JOB``. It reads the job, fits its part, and writes
folders.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from landbridge.contenders.base import ALL
from landbridge.errors import LandbridgeError
from landbridge.feed.assemble import Assembler
from landbridge.feed.shards import Store
from landbridge.train.bench import Bench
from landbridge.train.fitting import Chain
from landbridge.train.job import Job, Unit, deal
from landbridge.train.point_fits import fit_points
from landbridge.train.progress import Progress
from landbridge.train.ranks import Alone, HorovodRanks, Ranks
from landbridge.train.simple import Simple
from landbridge.train.vectors import stored_of
from landbridge.train.watch import Watch
from landbridge.transfer import strategy_of

HOROVOD = "LANDBRIDGE_HOROVOD"
"""Set in the environment of processes that a Horovod launcher started."""


def main() -> int:
    """Run a job as one of its processes; return the exit code."""
    return start(Path(sys.argv[1]), HorovodRanks if os.environ.get(HOROVOD) else Alone)


def start(file: Path, make_ranks: Callable[[], Ranks]) -> int:
    """Run the job of a file as one of its processes; return the exit code."""
    return run(Job.read(file), make_ranks)


def run(job: Job, make_ranks: Callable[[], Ranks]) -> int:
    """Fit everything that falls to this process. An error on purpose is told through the progress file, any other
    by its traceback.
    """
    watch = Watch(job.config.train.stall_seconds, job.parent)
    torch.set_num_threads(1)
    ranks = make_ranks()
    progress = Progress(job.progress, ranks.rank)
    try:
        if job.config.pointwise is not None:
            fit_points(job, watch, progress, ranks)
        else:
            assembler, vectors = Assembler.load(job.models / "assembler"), stored_of(job.config, job.models)
            work(Bench(job, assembler, watch, progress, vectors), ranks)
    except LandbridgeError as error:
        progress.tell("error", text=str(error))
        print(f"landbridge: {error}", file=sys.stderr, flush=True)
        return 1
    progress.end()
    return 0


def work(bench: Bench, ranks: Ranks) -> None:
    """Fit the units that all ranks share, then those dealt to this rank, then wait for the others."""
    shared = [unit for unit in bench.job.units if unit.split]
    if any(bench.job.opens(unit) for unit in shared):
        store = open_store(bench, shared, ranks)
        for unit in shared:
            Chain(bench, unit, ranks, store).run()
    dealt = [unit for unit in bench.job.units if not unit.split]
    networks = [unit for unit in dealt if unit.network and bench.job.opens(unit)]
    whole: Store | None = None
    if networks:
        # All ranks read the same store here: rank 0 makes it, the others find it.
        for turn in (True, False):
            if ranks.leads is turn:
                whole = open_store(bench, networks, Alone())
            ranks.barrier()
    simple = Simple(bench)
    for unit in deal(bench.job.units, ranks.size)[ranks.rank]:
        if not unit.network:
            simple.run(unit)
        elif whole is not None and bench.job.opens(unit):
            Chain(bench, unit, Alone(), whole).run()
    # Ranks may wait long for the last one here, which is no stall: its own watch looks after it.
    bench.watch.rest()
    ranks.barrier()


def open_store(bench: Bench, units: list[Unit], ranks: Ranks) -> Store:
    """Open the examples that the units learn from: all days, or only those after the fits that they continue."""
    job = bench.job
    since = job.days.first - dt.timedelta(days=1)
    if all(unit.warm or unit.done for unit in units):
        since = min(dt.date.fromisoformat(unit.warm.until) if unit.warm else job.days.train_until for unit in units)
    bench.watch.beat("reading the examples")
    beside = {job.config.transfer.source for unit in units if strategy_of(unit.contender).beside}
    scopes = sorted({unit.scope for unit in units} | beside)
    scenarios = None if ALL in scopes else scopes
    return Store.open(job.lake, bench.assembler, since, job.ds, ranks.rank, ranks.size, scenarios, job.kept)


if __name__ == "__main__":
    sys.exit(main())
