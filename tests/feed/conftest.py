"""One tiny lake for all tests of the feed."""

import pytest
from tests.lakes import examples_of, last_day, tiny_config, tiny_lake

from landbridge.config.days import days_of
from landbridge.feed.assemble import Assembler
from landbridge.feed.shards import Store

DAYS = 30


@pytest.fixture(scope="session")
def config(tmp_path_factory):
    return tiny_config(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="session")
def lake(config):
    return tiny_lake(config.folder, config, days=DAYS, failures=0.1)


@pytest.fixture(scope="session")
def days(config):
    return days_of(config, last_day(config, DAYS))


@pytest.fixture(scope="session")
def assembler(lake, config, days):
    return Assembler.fit(lake, config, days.train_until, days.ds)


@pytest.fixture(scope="session")
def examples(lake):
    """The table as Python rows."""
    return examples_of(lake).to_pylist()


@pytest.fixture(scope="session")
def stores(lake, assembler, days):
    """The stores of all ranks of one, two, four and eight processes."""
    return {
        world: [Store.open(lake, assembler, None, days.ds, rank, world) for rank in range(world)]
        for world in (1, 2, 4, 8)
    }
