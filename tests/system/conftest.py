"""One undisturbed night for all tests of the long lane; each works on a copy of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock
from tests.system.nights import Place
from tests.system.small import write_small


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is the long lane."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def conf(shared: Path) -> Path:
    """The small shop's configuration file; its logs lie beside it."""
    with FileLock(shared / "conf.lock"):
        found = shared / "shop" / "conf" / "small.yaml"
        return found if found.exists() else write_small(shared / "shop")


@pytest.fixture(scope="session")
def undisturbed(conf: Path, shared: Path) -> Place:
    """A night that nothing disturbed, in one training process. Not to be written by a test: copy it."""
    place, done = Place(conf, shared / "undisturbed"), shared / "undisturbed.done"
    with FileLock(shared / "undisturbed.lock"):
        if not done.exists():
            place.nightly()
            done.touch()
    return place
