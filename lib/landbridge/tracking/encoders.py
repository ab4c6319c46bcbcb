"""The registry's other model: the tuned text encoder of a configuration, a version for each tuning."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from landbridge.config.schema import Config
from landbridge.step import Night
from landbridge.tracking.registry import addressed, registered
from landbridge.tracking.server import client_of, experiment_of

REVISION = "landbridge.revision"
"""The tag that names the vectors of `item_vectors` which the version made."""


def name_of(config: Config) -> str:
    """Return the name of the registered model."""
    return f"{config.name}-encoder"


def register_encoder(night: Night, folder: Path, tags: Mapping[str, str]) -> str:
    """Register a folder of Hugging Face's library as ``models:/<configuration>-encoder``; return its version.

    A revision, which is among the tags, is registered once. Without tracking tonight the version is empty.

    Raises
    ------
    TrackingError
        If the registry cannot be used and the configuration requires it.
    """
    return registered(night, "the tuned encoder", lambda: _register(night, folder, dict(tags)))


def _register(night: Night, folder: Path, tags: dict[str, str]) -> str:
    config, client = night.config, client_of(night.config)
    known = _version(client, name_of(config), tags[REVISION])
    if known:
        return known
    model = client.create_logged_model(
        experiment_of(client, config), name="encoder", source_run_id=night.run_id, tags=tags
    )
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "model"
        shutil.copytree(folder, whole / "encoder")
        Model(run_id=night.run_id, model_id=model.model_id).save(str(whole / "MLmodel"))
        with addressed(config):
            client.log_model_artifacts(model.model_id, str(whole))
    client.finalize_logged_model(model.model_id, "READY")
    made = client.create_model_version(
        name_of(config), model.artifact_location, run_id=night.run_id, tags=tags, model_id=model.model_id
    )
    return str(made.version)


def _version(client: MlflowClient, name: str, revision: str) -> str:
    """Return the version of a revision, or nothing; the registered model is made where there is none."""
    try:
        client.get_registered_model(name)
    except MlflowException:
        told = "A text encoder tuned to the domain; its folder `encoder` is what encode.model names."
        client.create_registered_model(name, description=told)
    found = client.search_model_versions(f"name = '{name}'", max_results=1000)
    return next((str(one.version) for one in found if one.tags.get(REVISION) == revision), "")
