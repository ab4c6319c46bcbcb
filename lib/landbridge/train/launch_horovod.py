"""The command that starts the ranks of a Horovod job: real processes under horovodrun with Gloo."""

from __future__ import annotations

import sys

from landbridge.config.place import Train


def horovod_command(train: Train, worker: list[str]) -> list[str]:
    """Return horovodrun's command line. On this machine the ranks and their rendezvous speak through the loopback
    interface only.
    """
    hosts = train.hosts or f"localhost:{train.processes}"
    network = [] if train.hosts else ["--network-interfaces", "lo"]
    return [
        sys.executable,
        "-m",
        "horovod.runner.launch" if train.hosts else "landbridge.train.loopback",
        "-np",
        str(train.processes),
        "-H",
        hosts,
        "--gloo",
        *network,
        "--start-timeout",
        str(train.start_seconds),
        *worker,
    ]
