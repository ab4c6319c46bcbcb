"""Starts a training job's processes, follows them, and turns every failure into one sentence."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import landbridge
from landbridge.errors import TrainError
from landbridge.train.job import Launched
from landbridge.train.launch_horovod import horovod_command
from landbridge.train.progress import Follower

TAIL = 12
"""Lines of the log that an error shows."""
POLL = 0.1
_PASSED = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "USER", "SSL_CERT_FILE")


def launch(job: Launched, log: Path, say: Callable[[str], None]) -> Follower:
    """Run the job by the configured launcher and return what its processes told.

    Without Horovod it trains in one process and says so.

    Raises
    ------
    TrainError
        Whatever a process died of, with the log's last lines where it did not say so itself.
    """
    train = job.config.train
    log.parent.mkdir(parents=True, exist_ok=True)
    job.progress.unlink(missing_ok=True)
    follower = Follower(job.progress, say)
    file = job.models / f"job-{job.step}.json"
    job.write(file)
    kind = train.launcher
    if kind != "process" and not horovod_found():
        say(
            f"  Horovod is not installed, so {job.step} trains in one process; "
            "`make setup` with a C++ compiler builds it"
        )
        kind = "process"
    try:
        if kind == "spark":
            from landbridge.train.launch_spark import run_on_spark

            run_on_spark(file, job, follower, log, environment(True))
        else:
            worker = [sys.executable, "-m", job.worker, str(file)]
            command = horovod_command(train, worker) if kind == "horovod" else worker
            follow(command, environment(kind == "horovod"), log, follower, job.step)
    finally:
        file.unlink(missing_ok=True)
    # A launcher that is told to stop may end its ranks and say that all went well.
    processes = 1 if kind == "process" else train.processes
    if follower.ended < processes:
        raise TrainError(
            f"{processes - follower.ended} of {processes} training processes of {job.step} ended before they had done "
            f"their work, as if told to stop; run the same command to resume (log: {log})"
        )
    return follower


def horovod_found() -> bool:
    """Whether Horovod with its torch part is installed; nothing of it is imported."""
    spec = importlib.util.find_spec("horovod")
    return spec is not None and any(
        any(Path(folder).glob("torch/mpi_lib*.so")) for folder in spec.submodule_search_locations or ()
    )


def environment(horovod: bool) -> dict[str, str]:
    """Return the environment of a training process: little of ours, because horovodrun writes it on command lines
    that others can read.
    """
    kept = {
        key: value
        for key, value in os.environ.items()
        if key in _PASSED or key.startswith(("LC_", "HOROVOD_", "LANDBRIDGE_"))
    }
    package = str(Path(landbridge.__file__).parents[1])
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = {"LANDBRIDGE_HOROVOD": "1"} if horovod else {}
    return {**kept, **threads, **own, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "PYTHONUNBUFFERED": "1"}


def follow(command: list[str], env: dict[str, str], log: Path, follower: Follower, step: str) -> None:
    """Run a command with all its output in the log; end it if we are interrupted; raise if it fails."""
    begin = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        while process.poll() is None:
            follower.follow()
            time.sleep(POLL)
    except BaseException:
        end(process)
        raise
    follower.close()
    if process.returncode != 0:
        raise TrainError(failure(step, process.returncode, follower, log, begin))


def end(process: subprocess.Popen[bytes]) -> None:
    """End a launcher and what it started: first politely, so that horovodrun ends its ranks."""
    for stop, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, stop)
            process.wait(seconds)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def failure(step: str, code: int, follower: Follower, log: Path, begin: int) -> str:
    """Return one sentence on why the job failed, and where to read more."""
    told = follower.of("error")
    if told:
        return str(told[0]["text"])
    with log.open("rb") as lines:
        lines.seek(begin)
        text = lines.read().decode(errors="replace").splitlines()
    ours = [line.partition("landbridge: ")[2] for line in text if "landbridge: " in line]
    if ours:
        return f"a training process of {step} ended: {ours[0]} (log: {log})"
    tail = "\n".join(text[-TAIL:])
    return (
        f"the training processes of {step} failed (exit code {code}), perhaps killed or out of memory; "
        f"run the same command to resume. The end of {log}:\n{tail}"
    )
