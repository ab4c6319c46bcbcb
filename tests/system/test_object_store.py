"""The lake, the logs and the models on an object store that speaks S3: the same nights, by one other key."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.system.nights import STEPS, Place, assert_same, contents, environment
from tests.system.objects import BUCKET, keys, served, store
from tests.system.small import DS, ROOT
from tests.system.test_server import ASK

from landbridge.config import Config, load
from landbridge.errors import LakeError, LockedError
from landbridge.lake.lake import Lake
from landbridge.pipeline.lease import holder_of, leased
from landbridge.pipeline.preflight import preflight


@dataclass(frozen=True)
class Afar(Place):
    """A lake on an object store; the folder `root` holds what driver and trainers share."""

    endpoint: str = ""
    prefix: str = "nights/small"

    def settings(self) -> list[str]:
        return [
            f"root=s3a://{BUCKET}/{self.prefix}",
            f"work={self.root}",
            f"storage={{endpoint: '{self.endpoint}'}}",
            f"data.reader.path=s3a://{BUCKET}/logs/{{ds}}.csv.gz",
        ]

    def arguments(self) -> list[str]:
        pairs = [word for setting in self.settings() for word in ("--set", setting)]
        return ["--conf", str(self.conf), "--profile", self.profile, *pairs]

    def config(self) -> Config:
        return load(self.conf, self.profile, self.settings())


@pytest.fixture(scope="module")
def endpoint(conf: Path) -> Iterator[str]:
    """A store that holds the logs; who may use it says the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("NO_PROXY", "127.0.0.1")
        with served() as address:
            for file in sorted((conf.parents[1] / "logs").iterdir()):
                store(address).put_object(Bucket=BUCKET, Key=f"logs/{file.name}", Body=file.read_bytes())
            yield address


@pytest.fixture(scope="module")
def night(conf: Path, endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Afar:
    """A night whose logs, tables and models lie on the store. Not to be written by a test but the last."""
    place = Afar(conf, tmp_path_factory.mktemp("afar") / "work", endpoint=endpoint)
    place.nightly()
    return place


def test_a_night_on_an_object_store_ends_in_the_tables_of_a_night_in_a_folder(undisturbed: Place, night: Afar) -> None:
    assert_same(contents(undisturbed), contents(night))


def test_tables_and_artifacts_lie_there_and_nothing_of_them_here(night: Afar) -> None:
    there = keys(night.endpoint, night.prefix)
    assert {name.split("/")[2] for name in there} == {"lake", "mlartifacts"}
    assert any(name.endswith("/bundle.json") or "/bundle/" in name for name in there)
    assert not (night.root / "lake").exists()
    assert not (night.root / "mlartifacts").exists()
    assert not (ROOT / "s3a:").exists()


def test_a_second_night_skips_every_step_and_the_plan_says_so(night: Afar) -> None:
    assert night.nightly().count("skipped, done before") == len(STEPS)
    assert night.run("plan", "--ds", str(DS)).count("skip") == len(STEPS)


def test_a_person_looks_at_the_night(night: Afar) -> None:
    user = night.lake().read("recommendations", columns=["user_id"])["user_id"].to_pylist()[-1]
    assert user in night.run("show", user)
    assert str(DS) in night.run("diff", str(DS), str(DS))
    assert "Germany" in night.run("sql", "select scenario, count(*) from recommendations_by_rank group by 1")


def test_the_registered_model_loads_from_there(night: Afar) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", ASK, f"sqlite:///{night.root}/mlflow.db"],
        capture_output=True,
        text=True,
        env={**environment(), "AWS_ENDPOINT_URL": night.endpoint, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        timeout=300,
    )
    assert "items 20" in asked.stdout, asked.stderr


def test_one_of_racing_nights_takes_the_lake(conf: Path, endpoint: str, tmp_path: Path) -> None:
    lake = Afar(conf, tmp_path, endpoint=endpoint, prefix="race").lake()
    lake.create("lease")
    for _ in range(5):
        outcomes = _raced(lake, 4)
        assert sorted(outcomes) == ["refused", "refused", "refused", "took"]
        assert holder_of(lake) is None


def _raced(lake: Lake, takers: int) -> list[str]:
    """What came of as many as begin at once, none letting go before all have tried."""
    begin, end = threading.Barrier(takers, timeout=60), threading.Barrier(takers, timeout=60)
    outcomes: list[str] = []

    def race(name: str) -> None:
        begin.wait()
        try:
            with leased(lake, name):
                outcomes.append("took")
                end.wait()
        except LockedError:
            outcomes.append("refused")
            end.wait()

    threads = [threading.Thread(target=race, args=(f"night {number}",)) for number in range(takers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_a_bucket_that_is_not_there_and_a_store_that_does_not_answer_are_sentences(
    conf: Path, endpoint: str, tmp_path: Path
) -> None:
    place = Afar(conf, tmp_path, endpoint=endpoint)
    absent = load(conf, "local", [*place.settings(), "root=s3a://nowhere/small"])
    with pytest.raises(
        LakeError, match=r"s3a://nowhere/small/lake cannot be used: there is no bucket nowhere; make it"
    ):
        preflight(absent)
    silent = load(conf, "local", [*place.settings(), "storage={endpoint: 'http://127.0.0.1:9'}"])
    with pytest.raises(LakeError, match=r"nothing answers at http://127\.0\.0\.1:9; check the network"):
        preflight(silent)


def test_a_spark_without_s3a_is_a_sentence(night: Afar) -> None:
    absent = "spark.conf={spark.hadoop.fs.s3a.impl: org.example.Absent}"
    said = night.run("sql", "--set", absent, "select 1", code=2)
    assert "it has no jars for object stores; run `make setup-s3`" in said


def test_a_nightly_is_refused_while_another_holds_the_lease(night: Afar) -> None:
    with leased(night.lake(), "the other night") as held:
        refused = night.nightly(code=1)
    assert f"is being written by {held.holder} since" in refused
    assert "(the other night)" in refused
    assert "Traceback" not in refused
    assert holder_of(night.lake()) is None


def test_a_version_is_rolled_back_to(night: Afar) -> None:
    assert "version 1" in night.run("rollback", "--to", "1")
    assert holder_of(night.lake()) is None
