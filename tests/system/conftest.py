"""One undisturbed night for all tests of the long lane; each works on a copy of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.system.nights import Place
from tests.system.small import write_small


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is the long lane."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small shop's configuration file; its logs lie beside it."""
    return write_small(tmp_path_factory.mktemp("small") / "shop")


@pytest.fixture(scope="session")
def undisturbed(conf: Path) -> Place:
    """A night that nothing disturbed, in one training process. Not to be written by a test: copy it."""
    place = Place(conf, conf.parents[1] / "undisturbed")
    place.nightly()
    return place
