"""The way to an MLflow server: quiet, with short waits, and with sentences instead of stack traces."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from landbridge.config.schema import Config
from landbridge.errors import TrackingError

_SECONDS = 5.0
T = TypeVar("T")


def client_of(config: Config) -> MlflowClient:
    """Return a client of the configuration's server; touches no global state of MLflow.

    Where artifacts lie on an object store, the environment is told of its endpoint, which MLflow reads nowhere else.

    Raises
    ------
    TrackingError
        If the server does not answer, or the store cannot be opened.
    """
    uri = address(config)
    if uri.startswith(("http://", "https://")):
        _knock(uri)
    elif uri.startswith("sqlite:"):
        _room_for(uri)
        _reach_artifacts(config)
    return asked(config, lambda: _opened(uri))


def address(config: Config) -> str:
    """Return the server's URI; a SQLite file's path is absolute, so that a change of folder finds the same file."""
    uri = config.tracking_uri
    match = re.fullmatch(r"sqlite:///(?!/)(.+)", uri)
    return f"sqlite:///{Path(match[1]).resolve()}" if match else uri


def asked(config: Config, question: Callable[[], T]) -> T:
    """Return what the server answers.

    Raises
    ------
    TrackingError
        In the place of whatever MLflow or its store raises.
    """
    # SQLAlchemy's and requests' errors reach us wrapped or bare, by version.
    try:
        return question()
    except (MlflowException, OSError) as error:
        raise TrackingError(_sentence(config, error)) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("sqlalchemy", "alembic", "requests", "urllib3", "sqlite3"):
            raise
        raise TrackingError(_sentence(config, error)) from error


def experiment_of(client: MlflowClient, config: Config) -> str:
    """Return the id of the configuration's experiment; its artifacts lie under the root or where its server says."""
    found = client.get_experiment_by_name(config.name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(config.name, artifact_location=_artifacts(config)))


def _artifacts(config: Config) -> str | None:
    if not address(config).startswith("sqlite:"):
        return None
    if not config.is_local:
        return f"{config.root.replace('s3a://', 's3://')}/mlartifacts"
    return str(Path(config.root).resolve() / "mlartifacts")


def _reach_artifacts(config: Config) -> None:
    if config.is_local:
        return
    if find_spec("boto3") is None:
        raise TrackingError(
            f"MLflow cannot keep artifacts at {_artifacts(config)} without boto3: install landbridge[s3] "
            "(`make setup` does), or name a server in tracking.uri"
        )
    for name, option in (("MLFLOW_S3_ENDPOINT_URL", "endpoint"), ("AWS_DEFAULT_REGION", "region")):
        if option in config.storage:
            os.environ.setdefault(name, config.storage[option])


def _opened(uri: str) -> MlflowClient:
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.search_experiments(max_results=1)
    return client


def _knock(uri: str) -> None:
    try:
        answer = requests.get(f"{uri.rstrip('/')}/health", timeout=_SECONDS)
    except requests.RequestException as error:
        raise TrackingError(f"the MLflow server {uri} does not answer ({type(error).__name__}); {_REMEDY}") from None
    if answer.status_code in (401, 403):
        raise TrackingError(
            f"the MLflow server {uri} answers {answer.status_code}: give it credentials (MLFLOW_TRACKING_USERNAME, "
            "MLFLOW_TRACKING_PASSWORD), or start it with --allowed-hosts naming the host"
        )


def _room_for(uri: str) -> None:
    folder = Path(uri.removeprefix("sqlite:///")).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrackingError(
            f"the MLflow store {uri} cannot be made ({error.strerror}): make {folder} writable, "
            "or name another tracking.uri"
        ) from None
    if not os.access(folder, os.W_OK):
        raise TrackingError(
            f"the MLflow store {uri} cannot be written: make {folder} writable, or name another tracking.uri"
        )


_REMEDY = "start it, name another in tracking.uri, or set tracking.required: false to go on without it"


def _sentence(config: Config, error: Exception) -> str:
    first = str(error).strip().split("\n", 1)[0][:300]
    return f"the MLflow server {config.tracking_uri} cannot be used: {type(error).__name__}: {first}; {_REMEDY}"
