"""The registry: one registered model per configuration, a version per bundle, and the alias `champion`."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from landbridge.config.schema import Config
from landbridge.errors import TrackingError
from landbridge.step import Night
from landbridge.tracking.pyfunc import save
from landbridge.tracking.server import address, asked, client_of, experiment_of

CHAMPION, PREVIOUS = "champion", "previous"
BUNDLE_HASH, DS = "landbridge.bundle", "landbridge.ds"


@dataclass(frozen=True)
class Version:
    """A registered version: its number, its night, the hash of its bundle and its aliases."""

    version: str
    ds: str
    bundle: str
    aliases: tuple[str, ...]


def register(night: Night, bundle: Path) -> str:
    """Register the bundle of a night as ``models:/<configuration>`` and return its version; see `promote`.

    The same bundle of the same night is registered once. Without tracking tonight the version is empty.

    Raises
    ------
    TrackingError
        If the registry cannot be used and the configuration requires it.
    """
    return registered(night, "the bundle", lambda: _register(night, bundle))


def registered(night: Night, what: str, register: Callable[[], str]) -> str:
    """Return the version that `register` gives; where it cannot be had and need not be, say so and return nothing.

    Raises
    ------
    TrackingError
        If the registry cannot be used and the configuration requires it.
    """
    if not night.run_id:
        night.say(f"{what} is not registered: there is no tracking tonight")
        return ""
    try:
        return asked(night.config, register)
    except TrackingError as error:
        if night.config.tracking.required:
            raise
        night.say(f"{what} is not registered: {error}")
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
        with addressed(config):
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
        save(folder, bundle, Model(run_id=night.run_id, model_id=model.model_id))
        with addressed(config):
            client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    made = client.create_model_version(
        config.name, model.artifact_location, run_id=night.run_id, tags=tags, model_id=model.model_id
    )
    return str(made.version)


def hash_of(bundle: Path) -> str:
    """Return the identity of a bundle: its routes name their parts by content."""
    return hashlib.sha256((bundle / "routes.json").read_bytes()).hexdigest()[:16]


def _model_of(client: MlflowClient, config: Config) -> None:
    try:
        client.get_registered_model(config.name)
    except MlflowException:
        asked_for = (
            "users of a scenario in, items and scores out"
            if config.pointwise is None
            else ("rows of a scenario in, probabilities out")
        )
        client.create_registered_model(
            config.name, description=f"What Landbridge publishes for {config.name}: {asked_for}."
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
def addressed(config: Config) -> Iterator[None]:
    """Name our server as MLflow's own while it moves files: parts of it look there whatever the client."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(address(config))
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)
