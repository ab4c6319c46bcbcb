"""A server that speaks S3, in a process of its own: ``python -m tests.system.objects`` prints its port and serves."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.system.nights import environment
from tests.system.small import ROOT

BUCKET = "lake"


@contextmanager
def served() -> Iterator[str]:
    """Serve an empty store with one bucket, and yield its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.system.objects"],
        stdout=subprocess.PIPE,
        text=True,
        env={**environment(), "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "lib")])},
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        endpoint = f"http://127.0.0.1:{int(process.stdout.readline())}"
        store(endpoint).create_bucket(Bucket=BUCKET)
        yield endpoint
    finally:
        process.terminate()
        process.wait(30)


def store(endpoint: str) -> Any:
    """A client of the server that is not Landbridge's."""
    import boto3

    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")


def keys(endpoint: str, prefix: str) -> list[str]:
    """The names of all objects under a prefix."""
    pages = store(endpoint).get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def _one_at_a_time(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """A store looks whether an object is there and writes it in one step; moto does so only one request at a time."""
    lock = threading.Lock()

    def serve(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        with lock:
            return list(application(environ, start))

    return serve


def main() -> None:
    """Serve until the process is ended."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, type: str, message: str, *args: object) -> None:
            """Say nothing."""

    application = _one_at_a_time(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
