"""Runs in MLflow: found again and not duplicated, and what happens when the server is down."""

import socket
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tests.published import DS as NIGHT
from tests.published import config_of

from landbridge.errors import TrackingError
from landbridge.step import Outcome
from landbridge.tracking.run import DS, STEP, Tracker
from landbridge.tracking.server import address


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tracking")


def _runs(root: Path) -> list[object]:
    config = config_of(root)
    client = MlflowClient(address(config), address(config))
    experiment = client.get_experiment_by_name(config.name)
    return list(client.search_runs([experiment.experiment_id]))


def test_a_night_started_again_takes_up_its_runs(root: Path) -> None:
    for generation in range(2):
        tracker = Tracker.open(config_of(root), NIGHT, print, tags={"git_revision": "abc"})
        tracker.begin("clean")
        tracker.end("clean", Outcome(), params={"generation": generation}, failed=generation == 0)
        tracker.close(failed=generation == 0)
    runs = {run.data.tags.get(STEP, "night"): run for run in _runs(root)}
    assert sorted(runs) == ["clean", "night"]
    assert runs["night"].info.status == runs["clean"].info.status == "FINISHED"
    assert runs["night"].data.tags[DS] == NIGHT.isoformat()
    assert runs["clean"].data.tags["mlflow.parentRunId"] == runs["night"].info.run_id
    assert runs["clean"].data.params["generation"] == "0"
    assert runs["clean"].data.tags["param.generation"] == "1"


def test_a_step_leaves_metrics_parameters_tags_and_files(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("<p>here</p>")
    config = config_of(root)
    tracker = Tracker.open(config, NIGHT, print)
    tracker.begin("evaluate")
    tracker.metrics("evaluate", [("loss", 1.0 / (step + 1), step) for step in range(900)])
    outcome = Outcome(metrics={"test/Germany/ease/ndcg@10": 0.5}, artifacts=(file,))
    tracker.end(
        "evaluate", outcome, params={"seed": 17}, tags={"read.examples": "3"}, seconds=2.5, peak_memory_mb=100.0
    )
    client = MlflowClient(address(config), address(config))
    run = next(run for run in _runs(root) if run.data.tags.get(STEP) == "evaluate")
    assert run.data.metrics["seconds"] == 2.5
    assert run.data.metrics["test/Germany/ease/ndcg_10"] == 0.5
    assert run.data.params["seed"] == "17"
    assert run.data.tags["read.examples"] == "3"
    assert len(client.get_metric_history(run.info.run_id, "loss")) == 900
    assert [one.path for one in client.list_artifacts(run.info.run_id)] == ["page.html"]
    assert (root / "mlartifacts").is_dir()


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_server_that_is_down_stops_the_night_at_once_where_tracking_is_required(tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{_closed_port()}"
    begun = time.monotonic()
    with pytest.raises(TrackingError, match=rf"{uri} does not answer .* tracking.required: false"):
        Tracker.open(config_of(tmp_path, **{"tracking.uri": uri}), NIGHT, print)
    assert time.monotonic() - begun < 10


def test_a_server_that_never_answers_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        uri = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(TrackingError, match="does not answer"):
            Tracker.open(config_of(tmp_path, **{"tracking.uri": uri}), NIGHT, print)
    assert time.monotonic() - begun < 15


def test_a_night_goes_on_without_tracking_where_it_is_not_required(tmp_path: Path) -> None:
    said: list[str] = []
    config = config_of(tmp_path, **{"tracking.uri": f"http://127.0.0.1:{_closed_port()}", "tracking.required": "false"})
    tracker = Tracker.open(config, NIGHT, said.append)
    tracker.begin("clean")
    tracker.metrics("clean", [("loss", 1.0, 0)])
    tracker.end("clean", Outcome(metrics={"rows": 1.0}))
    tracker.close()
    assert tracker.run_id == ""
    assert len(said) == 1
    assert "without tracking" in said[0]


def test_a_store_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    config = config_of(tmp_path, **{"tracking.uri": f"sqlite:///{tmp_path}/file/mlflow.db"})
    with pytest.raises(TrackingError, match=r"cannot be made .* another tracking\.uri"):
        Tracker.open(config, NIGHT, print)


def test_a_server_that_dies_in_the_night_does_not_stop_it(tmp_path: Path) -> None:
    said: list[str] = []
    tracker = Tracker.open(config_of(tmp_path), NIGHT, said.append)
    tracker.begin("clean")
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"this is no database any more" * 1000)
    tracker.end("clean", Outcome(metrics={"rows": 1.0}))
    assert said
    assert all("the night goes on" in line for line in said)
