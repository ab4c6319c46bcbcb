"""Ranks on Spark's executors, by ``horovod.spark.run``; the one file of training that needs Spark, imported only
by its launcher.
"""

from __future__ import annotations

import importlib
import os
import signal
import threading
from pathlib import Path
from typing import Any

from landbridge.errors import TrainError
from landbridge.train.job import Launched
from landbridge.train.progress import Follower

POLL = 0.1


def run_on_spark(file: Path, job: Launched, follower: Follower, log: Path, env: dict[str, str]) -> None:
    """Run the job in `train.processes` tasks of the active Spark application; the folder of models must be shared
    by all machines.

    Raises
    ------
    TrainError
        If a rank failed, or too few slots came free within `train.start_seconds`.
    """
    import horovod.spark

    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(follower, ended), name="progress", daemon=True)
    thread.start()
    # Horovod takes over these signals, which it can in the main thread only, and does not give them back.
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with log.open("a", encoding="utf-8") as output:
            # `env` replaces the environment of the ranks.
            horovod.spark.run(
                _rank,
                args=(str(file), job.worker),
                num_proc=job.config.train.processes,
                env={**os.environ, **env},
                start_timeout=job.config.train.start_seconds,
                use_gloo=True,
                stdout=output,
                stderr=output,
                verbose=0,
            )
    except Exception as error:
        ended.set()
        thread.join()
        told = follower.of("error")
        why = told[0]["text"] if told else f"{(str(error).strip().splitlines() or [repr(error)])[0]} (log: {log})"
        raise TrainError(f"{job.step} on Spark failed: {why}; run the same command to resume") from error
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        ended.set()
        thread.join()
        follower.close()


def _follow(follower: Follower, ended: threading.Event) -> None:
    while not ended.wait(POLL):
        follower.follow()


def _rank(file: str, worker: str) -> Any:
    """Be one rank; runs on an executor."""
    from landbridge.train.ranks import HorovodRanks

    code = importlib.import_module(worker).start(Path(file), HorovodRanks)
    if code:
        raise RuntimeError(f"rank ended with {code}")
    return code
