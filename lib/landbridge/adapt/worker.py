"""One process that tunes an encoder with others: ``python -m landbridge.adapt.worker JOB``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from landbridge.adapt.job import TuneJob
from landbridge.adapt.tuning import Tuning
from landbridge.errors import LandbridgeError
from landbridge.train.progress import Progress
from landbridge.train.ranks import Alone, HorovodRanks, Ranks
from landbridge.train.watch import Watch
from landbridge.train.worker import HOROVOD


def main() -> int:
    """Run a job as one of its processes; return the exit code."""
    return start(Path(sys.argv[1]), HorovodRanks if os.environ.get(HOROVOD) else Alone)


def start(file: Path, make_ranks: Callable[[], Ranks]) -> int:
    """Tune as one of the ranks; an error on purpose is told through the progress file."""
    job = TuneJob.read(file)
    watch = Watch(job.config.train.stall_seconds, job.parent)
    torch.set_num_threads(1)
    ranks = make_ranks()
    progress = Progress(job.progress, ranks.rank)
    try:
        Tuning(job, ranks, watch, progress).run()
    except LandbridgeError as error:
        progress.tell("error", text=str(error))
        print(f"landbridge: {error}", file=sys.stderr, flush=True)
        return 1
    progress.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
