"""Users of several scenarios, asked about one of them as if they were new to it."""

import numpy as np
import pyarrow as pa
import pytest
from tests.lakes import SOURCE, examples_of, last_day, tiny_config, tiny_lake

from landbridge.config.days import days_of
from landbridge.feed.assemble import Assembler
from landbridge.feed.batches import Loader
from landbridge.feed.elsewhere import Elsewhere
from landbridge.feed.hashing import hash_strings
from landbridge.feed.negatives import Distribution
from landbridge.feed.shards import Store


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Enough users for some to come back to a scenario."""
    config = tiny_config(tmp_path_factory.mktemp("elsewhere"))
    return tiny_lake(config.folder, config, users=240, days=30)


@pytest.fixture(scope="module")
def days(lake):
    return days_of(lake.config, last_day(lake.config, 30))


@pytest.fixture(scope="module")
def assembler(lake, days):
    return Assembler.fit(lake, lake.config, days.train_until, days.ds)


@pytest.fixture(scope="module")
def elsewhere(lake, assembler, days):
    return Elsewhere.read(lake, assembler, days.train_until, None)


@pytest.fixture(scope="module")
def known(lake, days):
    """Per user the rows of the examples by the last day of the fit."""
    found = {}
    for place, row in enumerate(examples_of(lake).to_pylist()):
        if row["ds"] <= days.train_until:
            found.setdefault(row["user_id"], []).append((row["ts"], row["scenario"], place))
    return found


def test_it_is_the_last_history_of_whoever_was_in_several_scenarios(elsewhere, known, lake, assembler):
    states = assembler.states(examples_of(lake), SOURCE)
    several = {user: rows for user, rows in known.items() if len({scenario for _, scenario, _ in rows}) > 1}
    assert 0 < len(several) < len(known)
    users = list(several)
    hash_U = hash_strings(pa.array(users))
    np.testing.assert_array_equal(elsewhere.hash_U, np.sort(hash_U))
    for user, row in zip(users, np.searchsorted(elsewhere.hash_U, hash_U), strict=True):
        last = max(ts for ts, _, _ in several[user])
        place = next(place for ts, _, place in several[user] if ts == last)
        for name in ("item_BL", "scenario_BL", "type_BL", "age_BL", "length_B"):
            np.testing.assert_array_equal(getattr(elsewhere.states, name)[row], getattr(states, name)[place])


def test_chosen_users_are_read_by_what_they_did_elsewhere(elsewhere, lake, assembler):
    table = examples_of(lake)
    states = assembler.states(table, SOURCE)
    hash_B, item_B = (
        hash_strings(table["user_id"].combine_chunks()),
        assembler.vocabulary.encode("item_id", table["item_id"]),
    )
    chosen_B, row_B = np.arange(len(states)) % 2 == 0, np.arange(len(states))
    new = elsewhere.instead(states, hash_B, chosen_B, row_B, item_B)
    moved_B = (new.item_BL != states.item_BL).any(1) | (new.user_BF != states.user_BF).any(1)
    assert 0 < moved_B.sum() < chosen_B.sum()
    assert not moved_B[~chosen_B].any()
    own = assembler.vocabulary.id("scenario", SOURCE)
    for row in np.flatnonzero(moved_B):
        last = elsewhere.states.take(np.flatnonzero(elsewhere.hash_U == hash_B[row]))
        left = [
            item
            for item, where in zip(last.item_BL[0], last.scenario_BL[0], strict=True)
            if item > 0 and where != own and item != item_B[row]
        ]
        assert new.item_BL[row].tolist() == [0] * (assembler.history - len(left)) + left
        assert new.length_B[row] == len(left) > 0
        assert not new.user_BF[row].any()
    # The answer would stand in some of their histories.
    whole = elsewhere.instead(states, hash_B, chosen_B, row_B[:0], item_B[:0])
    assert (whole.item_BL == item_B[:, None]).sum() > (new.item_BL == item_B[:, None]).sum()


def test_a_share_is_drawn_anew_every_epoch_and_alike_on_any_number_of_ranks(elsewhere, lake, assembler, days):
    scenario = assembler.vocabulary.id("scenario", SOURCE)
    drawn = Distribution.fit(assembler.items, lake.config.negatives, scenario, days.train_until)

    def foreign(world, share, epoch):
        """The examples whose histories hold nothing of the scenario."""
        loaders = [
            Loader(
                Store.open(lake, assembler, None, days.train_until, rank, world).shards(SOURCE),
                assembler,
                drawn,
                64,
                7,
                elsewhere=elsewhere,
                share=share,
            )
            for rank in range(world)
        ]
        return {
            int(example)
            for loader in loaders
            for batch in loader.epoch(epoch)
            for example, has in zip(batch.example_B, batch.states.own().any(1)[batch.pointer_B], strict=True)
            if batch.weight_B.any() and not has
        }

    never, always = foreign(1, 0.0, 0), foreign(1, 1.0, 0)
    first, second = foreign(1, 0.5, 0), foreign(1, 0.5, 1)
    assert foreign(4, 0.5, 0) == first
    assert never < first < always
    assert never < second < always
    assert first != second
