"""The registry: one registered model per configuration, a version per bundle, and the alias `champion` on what is published."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import pandas as pd

import landbridge
from landbridge.config.schema import Config
from landbridge.errors import TrackingError
from landbridge.lake.contracts import NEW_USER
from landbridge.step import Night
from landbridge.tracking.server import address, asked, client_of, experiment_of

import mlflow.pyfunc  # isort: skip  (after .server, which sets what MLflow reads when it is imported)
from mlflow import MlflowClient  # isort: skip
from mlflow.exceptions import MlflowException  # isort: skip
from mlflow.models import Model, ModelSignature  # isort: skip
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema  # isort: skip
from mlflow.types.schema import AnyType, Array  # isort: skip

CHAMPION, PREVIOUS = "champion", "previous"
BUNDLE_HASH, DS = "landbridge.bundle", "landbridge.ds"
_PACKAGE = Path(landbridge.__file__).parent
_SERVED = _PACKAGE / "contenders" / "served.py"
_NEEDS = (
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "pydantic",
    "pyyaml",
    "deltalake",
    "safetensors",
    "torch",
    "tzdata",
)


@dataclass(frozen=True)
class Version:
    """A registered version: its number, its night, the hash of its bundle and its aliases."""

    version: str
    ds: str
    bundle: str
    aliases: tuple[str, ...]


def register(night: Night, bundle: Path) -> str:
    """Register the bundle of a night as ``models:/<configuration>`` and return its version; `promote` makes it champion.

    The same bundle of the same night is registered once. Without tracking tonight the version is empty.

    Raises
    ------
    TrackingError
        If the registry cannot be used and the configuration requires it.
    """
    if not night.run_id:
        night.say("the bundle is not registered: there is no tracking tonight")
        return ""
    try:
        return asked(night.config, lambda: _register(night, bundle))
    except TrackingError as error:
        if night.config.tracking.required:
            raise
        night.say(f"the bundle is not registered: {error}")
        return ""


def version_of(night: Night, bundle: Path) -> str:
    """Return the version under which the night's bundle is registered, or nothing."""
    known = _known(night)
    return next((one.version for one in known if (one.bundle, one.ds) == (hash_of(bundle), night.ds.isoformat())), "")


def promote(night: Night, bundle: Path) -> None:
    """Make the night's registered bundle champion, unless the champion is of a later night."""
    version = version_of(night, bundle)
    later = [one for one in _known(night) if CHAMPION in one.aliases and one.ds > night.ds.isoformat()]
    if later:
        night.say(f"the alias {CHAMPION} stays with version {later[0].version}, which is of {later[0].ds}")
    elif version:
        publish(night.config, version)


def _known(night: Night) -> list[Version]:
    if not night.run_id:
        return []
    try:
        return versions(night.config)
    except TrackingError as error:
        if night.config.tracking.required:
            raise
        night.say(f"the registry is not asked: {error}")
        return []


def publish(config: Config, version: str) -> None:
    """Move the alias champion to a version; the former champion gets the alias previous."""
    client = client_of(config)
    asked(config, lambda: _publish(client, config.name, version))


def versions(config: Config) -> list[Version]:
    """Return the registered versions, newest first; none where nothing has been registered."""
    client = client_of(config)
    return asked(config, lambda: _versions(client, config.name))


def download(config: Config, version: str, folder: Path) -> Path:
    """Copy the bundle of a version (a number or an alias) into `folder`, which must not exist, and return it.

    Raises
    ------
    TrackingError
        If there is no such version.
    """
    client = client_of(config)
    with tempfile.TemporaryDirectory() as temporary:
        source = asked(config, lambda: _source(client, config.name, version))
        with _addressed(config):
            found = asked(config, lambda: mlflow.artifacts.download_artifacts(source, dst_path=temporary))
        shutil.copytree(found, folder)
    return folder


def _register(night: Night, bundle: Path) -> str:
    config, client = night.config, client_of(night.config)
    digest = hash_of(bundle)
    for known in _versions(client, config.name):
        if (known.bundle, known.ds) == (digest, night.ds.isoformat()):
            return known.version
    _model_of(client, config)
    tags = {BUNDLE_HASH: digest, DS: night.ds.isoformat()}
    model = client.create_logged_model(
        experiment_of(client, config), name="bundle", source_run_id=night.run_id, tags=tags
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        _save(folder, bundle, Model(run_id=night.run_id, model_id=model.model_id))
        with _addressed(config):
            client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    made = client.create_model_version(
        config.name, model.artifact_location, run_id=night.run_id, tags=tags, model_id=model.model_id
    )
    return str(made.version)


def hash_of(bundle: Path) -> str:
    """Return the identity of a bundle: its routes name their parts by content."""
    return hashlib.sha256((bundle / "routes.json").read_bytes()).hexdigest()[:16]


def _save(folder: Path, bundle: Path, model: Model) -> None:
    """Write the pyfunc: models from code, the package beside it, nothing pickled, requirements pinned rather than guessed."""
    routes = json.loads((bundle / "routes.json").read_text(encoding="utf-8"))
    code = folder.with_name("code") / "landbridge"
    shutil.copytree(_PACKAGE, code, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    with warnings.catch_warnings():
        # The example is written below, by hand: MLflow would load the model and ask it, which is the tests' work.
        warnings.filterwarnings("ignore", message=".*input example.*")
        mlflow.pyfunc.save_model(
            str(folder),
            python_model=str(code / _SERVED.relative_to(_PACKAGE)),
            artifacts={"bundle": str(bundle)},
            code_paths=[str(code)],
            signature=signature_of(routes),
            pip_requirements=_requirements(),
            mlflow_model=model,
            metadata={"configuration": routes["name"], "k": routes["k"]},
        )
    model.saved_input_example_info = {
        "artifact_path": "input_example.json",
        "type": "dataframe",
        "pandas_orient": "split",
    }
    example = example_of(routes)
    (folder / "input_example.json").write_text(json.dumps(example.to_dict(orient="split")), encoding="utf-8")
    model.save(str(folder / "MLmodel"))


def signature_of(routes: dict[str, Any]) -> ModelSignature:
    """Return what `predict` takes (a row a user and scenario) and gives; `k` is a parameter of the call.

    A history is declared as anything: MLflow 3.17 refuses the datetimes of a typed one.
    """
    features = [ColSpec(DataType.double, name, required=False) for name in routes["features"]]
    return ModelSignature(
        inputs=Schema(
            [
                ColSpec(DataType.string, "scenario"),
                ColSpec(DataType.string, "user_id"),
                ColSpec(AnyType(), "history", required=False),
                ColSpec(Array(DataType.string), "had", required=False),
                *features,
            ]
        ),
        outputs=Schema(
            [
                ColSpec(DataType.string, "user_id"),
                ColSpec(DataType.string, "scenario"),
                ColSpec(Array(DataType.string), "items"),
                ColSpec(Array(DataType.double), "scores"),
            ]
        ),
        params=ParamSchema([ParamSpec("k", DataType.long, int(routes["k"]))]),
    )


def example_of(routes: dict[str, Any]) -> pd.DataFrame:
    """Return an input for every scenario: whoever is unknown there."""
    scenarios = sorted(routes["scenarios"])
    return pd.DataFrame({"scenario": scenarios, "user_id": [NEW_USER] * len(scenarios)})


def _requirements() -> list[str]:
    found = []
    for name in _NEEDS:
        try:
            found.append(f"{name}=={installed(name).partition('+')[0]}")
        except ImportError:
            continue
    return found


def _model_of(client: MlflowClient, config: Config) -> None:
    try:
        client.get_registered_model(config.name)
    except MlflowException:
        client.create_registered_model(
            config.name,
            description=f"What Landbridge publishes for {config.name}: users of a scenario in, items and scores out.",
        )


def _versions(client: MlflowClient, name: str) -> list[Version]:
    try:
        aliases = client.get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return []
        raise
    found = client.search_model_versions(f"name = '{name}'", max_results=1000)
    named = [
        Version(
            str(one.version),
            one.tags.get(DS, ""),
            one.tags.get(BUNDLE_HASH, ""),
            tuple(sorted(alias for alias, of in aliases.items() if str(of) == str(one.version))),
        )
        for one in found
    ]
    return sorted(named, key=lambda one: int(one.version), reverse=True)


def _publish(client: MlflowClient, name: str, version: str) -> None:
    champion = client.get_registered_model(name).aliases.get(CHAMPION)
    if champion is not None and str(champion) == version:
        return
    if champion is not None:
        client.set_registered_model_alias(name, PREVIOUS, str(champion))
    client.set_registered_model_alias(name, CHAMPION, version)


def _source(client: MlflowClient, name: str, version: str) -> str:
    found = (
        client.get_model_version(name, version)
        if version.isdigit()
        else client.get_model_version_by_alias(name, version)
    )
    return f"models:/{name}/{found.version}/artifacts/bundle"


@contextmanager
def _addressed(config: Config) -> Iterator[None]:
    """Name our server as MLflow's own for as long as it uploads: parts of it look there whatever client they are called through."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(address(config))
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)
