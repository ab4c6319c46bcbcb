"""A real MLflow server behind an address: the night goes there, and the model comes from there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.nights import Place, environment
from tests.system.small import DS

ASK = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/small@champion")
import pandas as pd
answer = model.predict(pd.DataFrame({"scenario": ["Germany"], "user_id": ["nobody"], "history": [None]}))
print("items", len(answer["items"][0]))
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server with a store and artifacts of its own."""
    port = _free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", f"{tmp_path}/kept"]
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *store], env=environment(), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _until_healthy(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _until_healthy(address: str, process: subprocess.Popen[bytes]) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < 120:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.5)
    pytest.fail("the server did not answer within two minutes")


def test_a_night_is_tracked_and_registered_at_a_server(undisturbed: Place, tmp_path: Path, server: str) -> None:
    place = undisturbed.copied(tmp_path / "var")
    words = ("nightly", "--ds", str(DS), "--from", "evaluate", "--set", f"tracking.uri={server}")
    said = place.run(*words)
    assert "] report: done in" in said
    asked = subprocess.run(
        [sys.executable, "-c", ASK, server],
        capture_output=True,
        text=True,
        env={**environment(), "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        timeout=300,
    )
    assert "items 20" in asked.stdout, asked.stderr
    assert place.run(*words[:3], "--set", f"tracking.uri={server}").count("skipped, done before") == 7
