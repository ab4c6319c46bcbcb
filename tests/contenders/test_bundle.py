"""The bundle: what is in it, that it scores as a brute-force computation does, and that it can be composed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.published import ITEMS, SCENARIOS, bundle_of, ready

from landbridge.contenders.bundle import Route, build, compose, content_hash, parts_of, read_routes
from landbridge.contenders.folder import save_fitted
from landbridge.contenders.network import NetworkFitted
from landbridge.contenders.scorer import BLOCK, Scorer
from landbridge.errors import DataError, LakeError
from landbridge.feed.assemble import Assembler
from landbridge.lake.contracts import NEW_USER
from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.step import Night


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return ready(tmp_path_factory.mktemp("night"))


@pytest.fixture(scope="module")
def bundle(night: Night) -> Path:
    return bundle_of(night)


@pytest.fixture(scope="module")
def states(night: Night) -> pa.Table:
    return night.lake.read("user_state")


def test_every_part_lies_under_its_content_hash(bundle: Path) -> None:
    folders = sorted((bundle / "parts").iterdir())
    assert [content_hash(folder)[:16] for folder in folders] == [folder.name for folder in folders]
    needed = {part for entry in read_routes(bundle)["scenarios"].values() for part in parts_of(entry)}
    assert needed == {folder.name for folder in folders}


def test_the_same_night_makes_the_same_bundle(night: Night, bundle: Path) -> None:
    again = bundle_of(night, "again")
    assert content_hash(again) == content_hash(bundle)
    assert not list(night.models.glob(".*"))


def test_a_route_to_a_contender_that_was_not_fitted_is_refused(night: Night) -> None:
    with pytest.raises(
        LakeError, match=r"nobody of fit C was not fitted for Germany .* run the steps pretrain and finetune"
    ):
        bundle_of(night, "broken", {"Germany": Route("nobody", "C", "popularity")})


def test_lists_are_what_a_brute_force_computation_gives(bundle: Path, states: pa.Table) -> None:
    """EASE by hand: the user's items times the weights, without what he has, best first, ties to the lower id."""
    scorer = Scorer.load(bundle)
    route = scorer.routes["scenarios"]["Germany"]
    part = bundle / "parts" / route["part"]
    weights, known = np.load(part / "weights.npy"), np.load(part / "items.npy")
    catalogue = set(scorer.catalogue("Germany").to_pylist())
    made = scorer.recommend(states, "Germany").to_pylist()
    assert len(made) == states.num_rows
    for row, had in zip(made, states["had"].to_pylist(), strict=True):
        x = np.isin(known, [ITEMS.index(item) + 1 for item in had]).astype(np.float64)
        scores = dict(zip(known.tolist(), (x @ weights).tolist(), strict=True))
        allowed = [number for number, item in enumerate(ITEMS, 1) if item in catalogue and item not in had]
        best = sorted(allowed, key=lambda number: (-np.float32(scores.get(number, 0.0)), number))[:5]
        assert [one["score"] for one in row["items"]] == pytest.approx(
            [scores.get(number, 0.0) for number in best], abs=1e-6
        )
        assert len({one["item_id"] for one in row["items"]}) == len(best)
        assert {one["source"] for one in row["items"]} == {"ease_across"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_list_does_not_depend_on_who_else_is_asked_for(bundle: Path, states: pa.Table, scenario: str) -> None:
    scorer = Scorer.load(bundle)
    many = pa.concat_tables([states] * (BLOCK // states.num_rows + 2))
    together = scorer.recommend(many, scenario)["items"].to_pylist()
    alone = [scorer.recommend(states.slice(row, 1), scenario)["items"][0].as_py() for row in range(states.num_rows)]
    assert together == alone * (many.num_rows // states.num_rows)


def test_whoever_is_unknown_gets_the_popular_items(bundle: Path, states: pa.Table) -> None:
    scorer = Scorer.load(bundle)
    new = scorer.recommend(scorer.unknown("Germany"), "Germany").to_pylist()[0]
    assert new["user_id"] == NEW_USER
    assert {one["source"] for one in new["items"]} == {"popularity_recent"}
    nobody = states.slice(0, 1).set_column(
        states.column_names.index("history"), "history", pa.array([[]], states.schema.field("history").type)
    )
    nobody = nobody.set_column(states.column_names.index("had"), "had", pa.array([[]], pa.list_(pa.string())))
    assert scorer.recommend(nobody, "Germany")["items"][0].as_py() == new["items"]


def test_a_list_is_short_only_where_the_catalogue_is(bundle: Path, states: pa.Table) -> None:
    scorer = Scorer.load(bundle)
    catalogue = set(scorer.catalogue("Germany").to_pylist())
    for row, had in zip(scorer.recommend(states, "Germany", 38).to_pylist(), states["had"].to_pylist(), strict=True):
        assert len(row["items"]) == min(38, len(catalogue - set(had)))


def test_a_scenario_without_a_route_is_named(bundle: Path, states: pa.Table) -> None:
    with pytest.raises(DataError, match="no scenario 'Atlantis'; it has Germany, United Kingdom"):
        Scorer.load(bundle).recommend(states, "Atlantis")


def test_one_scenario_is_rolled_back_and_the_other_stays(
    night: Night, bundle: Path, states: pa.Table, tmp_path: Path
) -> None:
    other = bundle_of(night, "other", {name: Route("popularity", "C", "popularity") for name in SCENARIOS})
    made = compose(bundle, other, ["Germany"], tmp_path / "made")
    assert read_routes(made)["scenarios"]["Germany"] == read_routes(other)["scenarios"]["Germany"]
    for scenario, source in (("Germany", other), ("United Kingdom", bundle)):
        expected = Scorer.load(source).recommend(states, scenario)
        assert Scorer.load(made).recommend(states, scenario).equals(expected)
    assert content_hash(compose(bundle, other, None, tmp_path / "all")) == content_hash(other)


def test_a_damaged_part_is_not_taken_over(night: Night, bundle: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(bundle, damaged)
    part = json.loads((damaged / "routes.json").read_text())["scenarios"]["Germany"]["catalogue"]
    np.save(damaged / "parts" / part / "items.npy", np.arange(1, 3, dtype=np.int32))
    with pytest.raises(LakeError, match=f"the part {part} .* is damaged"):
        compose(bundle, damaged, ["Germany"], tmp_path / "made")


def test_an_item_without_an_id_is_left_out(night: Night) -> None:
    catalogue = pa.table({"scenario": ["Germany", "Germany"], "item_id": [ITEMS[0], "never seen"]})
    folder = build(
        night.models,
        {"Germany": Route("popularity", "C", "popularity")},
        night.lake,
        night.ds,
        night.models / "one",
        catalogue,
    )
    assert Scorer.load(folder).catalogue("Germany").to_pylist() == [ITEMS[0]]


def test_a_network_is_published_like_any_other_contender(night: Night, states: pa.Table) -> None:
    """Lists of a network, retriever and ranker, are the same alone and together, but for the last bits of a product."""
    assembler = Assembler.load(night.models / "assembler")
    words = [assembler.vocabulary.size(name) for name in ("item_id", "scenario", "event_type")]
    sizes = Sizes.of(night.config, *words, assembler.n_user_features, assembler.n_item_features)
    fitted = NetworkFitted(Networks.new(sizes, seed=3), own_only=False)
    save_fitted(
        fitted, night.models / "fits" / "C" / "Germany" / "fine_tune", {"contender": "fine_tune", "crosses": True}
    )
    scorer = Scorer.load(bundle_of(night, "network", {"Germany": Route("fine_tune", "C", "popularity")}))
    together = scorer.recommend(states, "Germany")["items"].to_pylist()
    for row in range(states.num_rows):
        alone = scorer.recommend(states.slice(row, 1), "Germany")["items"][0].as_py()
        assert [one["item_id"] for one in alone] == [one["item_id"] for one in together[row]]
        assert [one["score"] for one in alone] == pytest.approx([one["score"] for one in together[row]], abs=1e-6)
        assert {one["source"] for one in alone} == {"fine_tune"}
