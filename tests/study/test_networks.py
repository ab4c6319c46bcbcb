"""Networks in studies of lists: fitted with others by one job, on what lies before the judged rows alone."""

import datetime as dt

import numpy as np
import pytest
from tests.lakes import SMALL, SOURCE, TINY, last_day, tiny_config, tiny_lake

from landbridge.contenders.base import ALL
from landbridge.contenders.folder import fit_folder, read_meta
from landbridge.contenders.staged import Staged
from landbridge.errors import ConfigError
from landbridge.feed.interactions import days_since_epoch
from landbridge.study.networks import StudiedNetworks
from landbridge.study.parts import COLD, PartStudy
from landbridge.study.protocol import Trial
from landbridge.study.ranking import open_ranking
from landbridge.study.runner import chosen, run_trials, trials_of
from landbridge.study.store import Store
from landbridge.study.table import tables_of

pytestmark = pytest.mark.system
CUTS = (dt.date(2010, 12, 20),)
NAMES = ("target_only", "fine_tune", "joint")
SMALLER = ("retriever.epochs=1", "transfer.epochs=1")


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    config = tiny_config(
        tmp_path_factory.mktemp("windows"),
        *SMALLER,
        f"study.windows=[{', '.join(map(str, CUTS))}]",
        "study.days=5",
        "study.chosen_on=null",
        "study.control=target_only",
    )
    lake = tiny_lake(config.folder, config)
    return open_ranking(config, lake, last_day(config, 30), lambda line: None)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    config = tiny_config(
        tmp_path_factory.mktemp("parts"),
        *SMALLER,
        "split.part='train'",
        "study.windows=[]",
        "study.chosen_on=null",
        f"study.cold={{scenario: {SMALL}, one_in: 2}}",
        *("retriever.elsewhere=0.5", "ranker.elsewhere=0.5", "retriever.averaged=0.5"),
    )
    return PartStudy(config, tiny_lake(config.folder, config), last_day(config, 30))


@pytest.fixture(scope="module")
def studied(windows, tmp_path_factory):
    """The tables over two controls, the facts, and the store of two seeds."""
    store = Store(tmp_path_factory.mktemp("study"))
    entries = chosen(windows, NAMES)
    facts = run_trials(windows, trials_of(windows, entries, [0, 1]), store, lambda line: None)
    return tables_of(windows, entries, ["target_only", "joint"], facts, store), facts, store


def test_each_is_compared_with_both_controls_over_both_seeds(studied):
    tables, _, _ = studied
    for control, rows in tables.items():
        targets = [row for row in rows if row.scenario == "targets"]
        assert {row.contender for row in targets} == set(NAMES)
        assert all(row.seeds == 2 for row in targets)
        assert all(np.isfinite(row.difference) for row in targets if row.contender != control)


def test_another_seed_is_another_fit(studied):
    _, _, store = studied
    first, second = (store.rows("fine_tune", seed, [str(CUTS[0])]) for seed in (0, 1))
    assert first["item_id"].equals(second["item_id"])
    assert not first["score"].equals(second["score"])


def test_seconds_are_those_of_its_own_fits(studied):
    _, facts, _ = studied
    assert all(kept.seconds > 0 for kept in facts.values())


def test_the_source_has_rows_of_what_is_fitted_for_it_alone(studied):
    _, _, store = studied
    scenarios = {
        name: set(store.rows(name, 0, [str(CUTS[0])])["scenario"].to_pylist()) for name in ("target_only", "fine_tune")
    }
    assert SOURCE in scenarios["target_only"]
    assert SOURCE not in scenarios["fine_tune"]


def test_what_has_been_judged_leaves_no_fits_behind(studied, windows):
    assert not list((windows.config.folder / "study" / windows.config.name / "networks").glob("*"))


def test_they_are_studied_only_where_they_are_named(windows):
    assert {entry.name for entry in chosen(windows, None)} & set(NAMES) == {"target_only"}  # the control
    with pytest.raises(ConfigError, match="there is no contender nonsense"):
        chosen(windows, ["nonsense"])


def test_a_window_is_learned_from_its_days_before_alone(windows):
    lesson = windows.lesson(str(CUTS[0]))
    contender, _ = windows.networks.contender("joint", lesson, 0)
    meta = read_meta(fit_folder(contender.models, "B", ALL, "joint"))
    assert lesson.rows.day.max() <= days_since_epoch(CUTS[0])
    assert meta["examples"] == len(lesson.rows) < len(windows.interactions)
    assert meta["until"] == str(CUTS[0])
    windows.networks.judged("joint", lesson.name, 0)


def test_declared_parts_are_judged_too_and_cold_users(parts):
    parts.expect([Trial(name, 0, part) for part in ("test", COLD) for name in ("joint", "target_only")], print)
    for part in ("test", COLD):
        joint, alone = (parts.run(Trial(name, 0, part)) for name in ("joint", "target_only"))
        assert joint.rows.num_rows == alone.rows.num_rows > 0
        assert set(joint.rows["scenario"].to_pylist()) == ({SMALL} if part == COLD else {SOURCE, SMALL, TINY})
        measured = parts.measured(joint.rows)
        assert all(0 <= one.value <= 1 for one in measured.values())


def test_learning_curves_say_why_they_have_none(parts):
    scored = parts.run(Trial("joint", 0, "0.1"))
    assert scored.rows is None
    assert "0.1" in scored.left_out[0]


def test_seconds_of_a_job_that_was_killed_are_not_lost(windows):
    lesson, seed = windows.lesson(str(CUTS[0])), 5
    windows.networks.contender("target_only", lesson, seed)
    _, first = windows.networks.contender("target_only", lesson, seed)
    again = StudiedNetworks(windows.config, windows.lake, print)
    _, second = again.contender("target_only", lesson, seed)
    assert first == second > 0
    again.judged("target_only", lesson.name, seed)


class TestStaged:
    """Both stages as one score."""

    class Two:
        """A first stage that likes small ids, and a second that likes large ones."""

        two_stages = True

        def score(self, states, catalogue):
            return np.tile(-catalogue.items.astype(np.float32), (len(states), 1))

        def rescore(self, states, catalogue, index_BK):
            return catalogue.items[index_BK].astype(np.float32)

    def test_the_pool_is_ordered_by_the_second_stage_and_lies_above_all_others(self, parts):
        case = parts.cases("test", "test")[0]
        states = case.units.states.take(np.arange(3))
        items = case.units.catalogue.items
        scores_BC = Staged(self.Two(), 4).score(states, case.units.catalogue)
        for row, had_C in enumerate(states.had[:, items].toarray() > 0):
            order = items[np.argsort(-np.where(had_C, -np.inf, scores_BC[row]), kind="stable")]
            free = items[~had_C]
            assert order[:4].tolist() == sorted(free[:4], reverse=True)
            assert order[4 : len(free)].tolist() == free[4:].tolist()
