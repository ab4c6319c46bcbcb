"""horovodrun whose servers listen on the loopback interface alone: ``python -m landbridge.train.loopback ARGUMENTS``.

Horovod 0.28.1 opens its rendezvous on every interface and unpickles what it is sent (CVE-2024-10190); where all ranks
are on this machine, nobody else has to reach it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LOOPBACK = "127.0.0.1"


def listen_here_only() -> None:
    """Let every server that Horovod opens in this process bind the loopback address."""
    from horovod.runner.common.util import network
    from horovod.runner.http import http_server
    from horovod.runner.util.network import find_port

    def find_port_here(make: Callable[[tuple[str, int]], Any]) -> Any:
        return find_port(lambda address: make((LOOPBACK, address[1])))

    network.find_port = find_port_here
    http_server.find_port = find_port_here


def main() -> None:
    """Run horovodrun with this process's arguments."""
    listen_here_only()
    from horovod.runner.launch import run_commandline

    run_commandline()


if __name__ == "__main__":
    main()
