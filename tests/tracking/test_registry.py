"""The registry: registered once, loaded in plain Python by another process, with the same lists as the table."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.published import SCENARIOS, bundle_of, ready, tonight

from landbridge.contenders.bundle import Route, content_hash
from landbridge.contenders.scorer import Scorer
from landbridge.errors import TrackingError
from landbridge.step import Night
from landbridge.tracking import registry
from landbridge.tracking.run import Tracker
from landbridge.tracking.server import address

# What a user's own program does: nothing of Landbridge is imported, and unpickling is off.
PROGRAM = """
import json, sys
import mlflow, pandas as pd
from deltalake import DeltaTable
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/online_retail@champion")
users = DeltaTable(sys.argv[2]).to_pandas()
users["scenario"] = "Germany"
asked = users[["scenario", "user_id", "history", "had", *[name for name in users if name.startswith("log_")]]]
known = model.predict(asked)
new = model.predict(model.input_example)
visitor = pd.DataFrame({"scenario": ["Germany"], "user_id": ["x"], "history": [[{"item_id": "20001"}]]})
bare = model.predict(visitor, params={"k": 2})
print(json.dumps([frame.to_dict("records") for frame in (known, new, bare)]))
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    night = ready(tmp_path_factory.mktemp("registry"))
    return tonight(night, Tracker.open(night.config, night.ds, night.say).run_id)


@pytest.fixture(scope="module")
def bundle(night: Night) -> Path:
    return bundle_of(night)


def test_the_same_bundle_of_a_night_is_registered_once(night: Night, bundle: Path) -> None:
    assert [registry.register(night, bundle) for _ in range(2)] == ["1", "1"]
    assert registry.version_of(night, bundle) == "1"
    assert [one.aliases for one in registry.versions(night.config)] == [()]


def test_the_champion_is_loaded_in_plain_python_and_predicts_what_the_table_says(night: Night, bundle: Path) -> None:
    registry.register(night, bundle)
    registry.promote(night, bundle)
    environment = {**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "PYTHONPATH": ""}
    command = [sys.executable, "-c", PROGRAM, address(night.config), night.lake.path("user_state")]
    asked = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=bundle.parent, check=False)
    assert asked.returncode == 0, asked.stderr[-3000:]
    known, new, bare = json.loads(asked.stdout.strip().splitlines()[-1])
    scorer, states = Scorer.load(bundle), night.lake.read("user_state")
    table = {row["user_id"]: row["items"] for row in scorer.recommend(states, "Germany").to_pylist()}
    assert len(known) == states.num_rows
    for row in known:
        assert row["items"] == [one["item_id"] for one in table[row["user_id"]]]
        assert row["scores"] == pytest.approx([one["score"] for one in table[row["user_id"]]], abs=1e-6)
    assert [row["scenario"] for row in new] == list(SCENARIOS)
    for row in new:
        listed = scorer.recommend(scorer.unknown(row["scenario"]), row["scenario"])["items"][0].as_py()
        assert row["items"] == [one["item_id"] for one in listed]
    assert len(bare[0]["items"]) == 2
    assert "20001" not in bare[0]["items"]


def test_publishing_another_version_keeps_the_former_one_named(night: Night, bundle: Path) -> None:
    first = registry.register(night, bundle)
    registry.publish(night.config, first)
    other = bundle_of(night, "other", {name: Route("popularity", "C", "popularity") for name in SCENARIOS})
    second = registry.register(night, other)
    registry.promote(night, other)
    aliases = {one.version: one.aliases for one in registry.versions(night.config)}
    assert aliases[second] == ("champion",)
    assert aliases[first] == ("previous",)
    earlier = replace(night, ds=night.ds.replace(day=night.ds.day + 1))
    assert registry.version_of(earlier, other) == ""


def test_an_earlier_night_does_not_take_the_alias_from_a_later_one(night: Night, bundle: Path) -> None:
    champion = registry.register(night, bundle)
    registry.publish(night.config, champion)
    said: list[str] = []
    earlier = replace(night, ds=night.ds.replace(year=2010), say=said.append)
    registry.register(earlier, bundle)
    registry.promote(earlier, bundle)
    assert [one.version for one in registry.versions(night.config) if "champion" in one.aliases] == [champion]
    assert f"stays with version {champion}" in said[0]


def test_a_versions_bundle_comes_back_as_it_went(night: Night, bundle: Path, tmp_path: Path) -> None:
    version = registry.register(night, bundle)
    assert content_hash(registry.download(night.config, version, tmp_path / "back")) == content_hash(bundle)
    with pytest.raises(TrackingError, match="999"):
        registry.download(night.config, "999", tmp_path / "nothing")


def test_without_tracking_nothing_is_registered_and_that_is_said(night: Night, bundle: Path) -> None:
    said: list[str] = []
    untracked = replace(night, run_id="", say=said.append)
    assert registry.register(untracked, bundle) == ""
    registry.promote(untracked, bundle)
    assert said == ["the bundle is not registered: there is no tracking tonight"]
