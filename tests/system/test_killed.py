"""Kill the nightly anywhere, start it again with the same command: it ends in the tables of one that never died."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.system.nights import STEPS, Place, Started, assert_same, contents, losses
from tests.system.small import DS

from landbridge.pipeline.ledger import Ledger


def any_of(folder: Path, pattern: str) -> bool:
    return next(iter(folder.glob(pattern)), None) is not None


def inside(step: str, place: Place, night: Started) -> Callable[[], bool]:
    """A sign that a step has done a part of its work."""
    fits = place.models() / "fits"
    signs: dict[str, Callable[[], bool]] = {
        "clean": lambda: place.wrote("quarantine"),
        "featurize": lambda: place.wrote("examples"),
        "pretrain": lambda: any_of(fits / "A", f"{quote('United Kingdom', safe='')}/target_only"),
        "finetune": lambda: any_of(fits / "B", "*/popularity*"),
        "evaluate": lambda: place.wrote("metrics"),
        "recommend": lambda: place.wrote("recommendations"),
        "report": lambda: "[7/7] report: " in night.lines(),
    }
    return signs[step]


def kill_inside(step: str, place: Place, *words: str) -> str:
    """Start the nightly, kill it inside a step, and return what it had said."""
    before = Ledger(place.lake()).last(DS, step)
    night = place.start("nightly", "--ds", str(DS), *words)
    try:
        night.until(inside(step, place, night))
    finally:
        night.kill()
    assert Ledger(place.lake()).last(DS, step) == before, f"{step} had ended before it was killed"
    return night.lines()


def test_killed_inside_every_step_it_ends_in_the_same_tables(undisturbed: Place, tmp_path: Path) -> None:
    place = Place(undisturbed.conf, tmp_path / "var")
    for number, step in enumerate(STEPS):
        said = kill_inside(step, place)
        for done in STEPS[:number]:
            assert f"] {done}: skipped" in said or (done == STEPS[number - 1] and f"] {done}: done in" in said), said
    place.nightly()
    assert_same(contents(undisturbed), contents(place))
    assert losses(undisturbed) == losses(place)
    assert (place.root / "reports" / str(DS) / "report.html").exists()
    assert place.nightly().count("skipped, done before") == len(STEPS)


@pytest.fixture(scope="module")
def two_ranks(undisturbed: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The night trained by two processes under Horovod, undisturbed; clean and featurize are taken from the copy."""
    pytest.importorskip("horovod", reason="Horovod is not installed")
    place = undisturbed.copied(tmp_path_factory.mktemp("ranks") / "var", "horovod")
    said = place.nightly()
    assert "[2/7] featurize: skipped" in said
    return place


def test_killed_while_two_ranks_train_it_ends_in_the_same_losses_and_tables(
    undisturbed: Place, two_ranks: Place, tmp_path: Path
) -> None:
    place = undisturbed.copied(tmp_path / "var", "horovod")
    shutil.rmtree(place.root / "models")
    for step in ("pretrain", "finetune"):
        kill_inside(step, place)
    place.nightly()
    assert losses(two_ranks) == losses(place)
    assert_same(contents(two_ranks, "model_version"), contents(place, "model_version"))


def test_two_ranks_score_as_one_process_does(undisturbed: Place, two_ranks: Place) -> None:
    """The same global batches, summed in another order: figures agree closely, not to the bit."""
    one, two = (contents(place)["metrics"] for place in (undisturbed, two_ranks))
    assert one.drop_columns(["value", "low", "high"]).equals(two.drop_columns(["value", "low", "high"]))
    rows = zip(one.to_pylist(), two.to_pylist(), strict=True)
    simple = [(left, right) for left, right in rows if left["contender"] not in ("fine_tune", "target_only")]
    assert simple
    assert all(left == right for left, right in simple)
