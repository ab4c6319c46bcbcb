"""The configuration is one tree, validated whole; an error names file, key, what was found and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from landbridge.config import Config, load
from landbridge.config.crossing import BY_SCENARIO
from landbridge.errors import ConfigError

ROOT = Path(__file__).parents[2]
RETAIL = ROOT / "conf" / "online_retail.yaml"


@pytest.fixture
def tree() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(RETAIL.read_text(encoding="utf-8"))
    return found


def written(folder: Path, tree: dict[str, Any], profiles: dict[str, dict[str, Any]] | None = None) -> Path:
    (folder / "profiles").mkdir(exist_ok=True)
    for name, values in (profiles or {"local": {"root": "var"}}).items():
        (folder / "profiles" / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    conf = folder / "shop.yaml"
    conf.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return conf


def refused(conf: Path, profile: str = "local", *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(conf, profile, overrides)
    return str(caught.value)


@pytest.mark.parametrize("profile", sorted(path.stem for path in (ROOT / "conf" / "profiles").glob("*.yaml")))
def test_the_configurations_of_the_repository_are_valid(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANDBRIDGE_ROOT", "LANDBRIDGE_WORK", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "/shared")
    assert load(RETAIL, profile).name == "online_retail"


def test_an_unknown_key_is_refused_with_the_key_that_was_meant(tmp_path: Path, tree: dict[str, Any]) -> None:
    tree["ranker"]["recnt"] = 5
    message = refused(written(tmp_path, tree))
    assert message.startswith(f"{tmp_path / 'shop.yaml'}: ranker.recnt: is not a key here; did you mean recent?")
    assert "allowed: dim, dropout" in message
    assert message.endswith("found 5")


def test_an_unknown_key_at_the_top_is_refused(tmp_path: Path, tree: dict[str, Any]) -> None:
    assert "shop.yaml: gard: is not a key here; did you mean guard?" in refused(written(tmp_path, {**tree, "gard": {}}))


def test_the_error_names_the_profile_where_the_profile_is_wrong(tmp_path: Path, tree: dict[str, Any]) -> None:
    conf = written(tmp_path, tree, {"local": {"train": {"proceses": 2}}})
    assert (
        f"{tmp_path / 'profiles' / 'local.yaml'}: train.proceses: is not a key here; did you mean processes?"
        in refused(conf)
    )


def test_the_error_names_the_command_line_where_that_is_wrong(tmp_path: Path, tree: dict[str, Any]) -> None:
    conf = written(tmp_path, tree)
    assert refused(conf, "local", "sede=3").startswith("--set: sede: is not a key here; did you mean seed?")
    assert refused(conf, "local", "seed=many").startswith("--set: seed: ")
    assert refused(conf, "local", "seed").startswith("--set seed: must read key.key=value")


def test_every_fault_is_told_at_once(tmp_path: Path, tree: dict[str, Any]) -> None:
    tree["seed"], tree["guard"]["confidence"] = "many", 0.2
    message = refused(written(tmp_path, tree))
    assert len(message.splitlines()) == 2
    assert "seed: Input should be a valid integer" in message
    assert "guard.confidence: Input should be greater than 0.5, found 0.2" in message


def test_a_missing_key_is_named(tmp_path: Path, tree: dict[str, Any]) -> None:
    del tree["data"]["reader"]["header"]
    assert "shop.yaml: data.reader.header: is required and missing; add it" in refused(written(tmp_path, tree))


@pytest.mark.parametrize(
    ("section", "values", "sentence"),
    [
        ("data", {"columns": {}}, "columns.ts is missing"),
        ("split", {"validation_days": 64}, "split.validation_days 64 is not a multiple of guard.windows 3"),
        ("guard", {"k": 11}, r"guard.k 11 is not among evaluate.k [10, 20]"),
        ("recommend", {"pool": 3}, "recommend.pool 3 is below recommend.k 20"),
        ("ranker", {"recent": 900}, "ranker.recent 900 is above features.history 50"),
        ("retriever", {"heads": 7}, "dim 64 is not a multiple of heads 7"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tmp_path: Path, tree: dict[str, Any], section: str, values: dict[str, Any], sentence: str
) -> None:
    tree[section].update(values)
    assert sentence in refused(written(tmp_path, tree))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("amazon_food_kitchen", "declares parts (split.part): leave transfer.strategies out"),
        (
            "coupon",
            "asks about rows (pointwise): leave transfer.strategies out; pointwise.contenders.networks.strategies",
        ),
    ],
)
def test_strategies_are_refused_where_no_network_is_fitted_by_them(name: str, sentence: str) -> None:
    assert sentence in refused(ROOT / "conf" / f"{name}.yaml", "local", "transfer.strategies=[freeze, meta]")


def test_what_a_strategy_is_told_is_checked() -> None:
    message = refused(RETAIL, "local", "transfer.align={by: luck}", "transfer.meta={rate: 0}")
    assert "transfer.align.by: Input should be 'mmd' or 'coral', found 'luck'" in message
    assert "transfer.meta.rate: Input should be greater than 0" in message


@pytest.mark.parametrize("name", BY_SCENARIO)
def test_a_ranker_behind_joints_retriever_needs_joint(name: str) -> None:
    message = refused(RETAIL, "local", f"transfer.strategies=[fine_tune, {name}]")
    assert f"transfer.strategies: {name} rank what joint's retriever finds: add joint to the list" in message
    assert load(RETAIL, "local", [f"transfer.strategies=[joint, {name}]"]).transfer.strategies == ["joint", name]


def test_groups_are_refused_where_nobody_takes_items() -> None:
    message = refused(ROOT / "conf" / "coupon.yaml", "local", "groups={}")
    assert "groups are of users who take items, and a pointwise task has none: take the section out" in message


NETWORKS = "pointwise.contenders.networks="


@pytest.mark.parametrize("name", ["coupon", "credit_default"])
def test_where_a_row_is_a_user_a_history_is_refused(name: str) -> None:
    conf = ROOT / "conf" / f"{name}.yaml"
    assert load(conf, "local", [f"{NETWORKS}[{{kinds: [shared]}}]"]).name == name
    message = refused(conf, "local", f"{NETWORKS}[{{kinds: [shared], history: 5, encoder: attention}}]")
    assert "reads a history of 5 events, but here a row is a user (scores.subject is user_id)" in message
    assert "leave history and encoder out" in message


@pytest.mark.parametrize(
    ("group", "sentence"),
    [
        ("encoder: recurrent", "encoder recurrent reads the history, which is 0"),
        ("history: 9, augment: {crop: 0.2}, contrastive: 0.1", "which nothing encodes; set encoder"),
        ("history: 9, encoder: attention, dim: 30", "dim 30 is not a multiple of heads 4"),
        ("history: 9, encoder: pooled, contrastive: 0.1", "need views; set augment.crop, mask or reorder"),
        ("history: 9, encoder: telepathy", "'attention', 'recurrent', 'convolutional' or 'pooled'"),
    ],
)
def test_a_history_is_read_as_a_whole_or_refused(group: str, sentence: str) -> None:
    assert sentence in refused(ROOT / "conf" / "anime.yaml", "local", f"{NETWORKS}[{{kinds: [shared], {group}}}]")


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (
            {"name": "both", "remove": "true", "clip": {"column": "price", "low": 0}},
            "exactly one of remove, unique, fill, clip",
        ),
        (
            {"name": "two_ways", "clip": {"column": "price", "low": 0, "fences": 3.0}},
            "exactly one of low/high, quantiles, fences",
        ),
        ({"name": "no_way", "fill": {"column": "price"}}, "exactly one of constant, median, interpolate"),
        (
            {"name": "elsewhere", "fill": {"column": "colour", "constant": ""}},
            "changes colour, which is not among columns",
        ),
        ({"name": "no_customer", "remove": "true"}, "two rules have the same name"),
        ({"name": "Loud", "remove": "true"}, "String should match pattern"),
    ],
)
def test_a_rule_that_says_too_much_or_too_little_is_refused(
    tmp_path: Path, tree: dict[str, Any], rule: dict[str, Any], sentence: str
) -> None:
    tree["data"]["rules"].append(rule)
    assert sentence in refused(written(tmp_path, tree))


def test_a_snapshot_has_no_days_on_which_it_is_closed(tmp_path: Path, tree: dict[str, Any]) -> None:
    tree["data"]["reader"] |= {"path": "logs/today.csv", "closed": "dayofweek(ds) = 7"}
    assert "data.reader: closed is for daily files, and there is no {ds} in path" in refused(written(tmp_path, tree))


def test_environment_variables_are_filled_in(
    tmp_path: Path, tree: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = written(
        tmp_path, tree, {"local": {"root": "${SHOP_ROOT}/lake", "tracking": {"uri": "${SHOP_MLFLOW:-http://x:5000}"}}}
    )
    monkeypatch.setenv("SHOP_ROOT", "/data")
    config = load(conf)
    assert config.root == "/data/lake"
    assert config.tracking.uri == "http://x:5000"
    monkeypatch.setenv("SHOP_MLFLOW", "http://y:5000")
    assert load(conf).tracking.uri == "http://y:5000"


def test_an_unset_variable_is_named(tmp_path: Path, tree: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_ROOT", raising=False)
    conf = written(tmp_path, tree, {"local": {"root": "${SHOP_ROOT}"}})
    message = refused(conf)
    assert f"{tmp_path / 'profiles' / 'local.yaml'}: root: the environment variable SHOP_ROOT is not set" in message
    assert "${SHOP_ROOT:-default}" in message


def test_a_profile_extends_another(tmp_path: Path, tree: dict[str, Any]) -> None:
    profiles = {
        "local": {"root": "here", "train": {"processes": 2}},
        "quick": {"extends": "local", "train": {"launcher": "process"}},
    }
    config = load(written(tmp_path, tree, profiles), "quick")
    assert (config.root, config.train.processes, config.train.launcher) == ("here", 2, "process")


def test_a_configuration_extends_another(tmp_path: Path, tree: dict[str, Any]) -> None:
    base = written(tmp_path, tree, {"local": {"root": "here"}})
    other = tmp_path / "other.yaml"
    other.write_text(f"extends: {base.stem}\nname: other\nguard: {{windows: 7}}\n", encoding="utf-8")
    config = load(other)
    assert (config.name, config.guard.windows, config.data) == ("other", 7, load(base).data)


def test_a_blend_of_what_is_not_fitted_is_refused(tmp_path: Path, tree: dict[str, Any]) -> None:
    conf = written(tmp_path, tree, {"local": {}})
    with pytest.raises(ConfigError, match="blend takes text_across, and text is not among contenders"):
        load(conf, overrides=["contenders.blend.across={text_across: 1.0}"])


def test_a_newcomer_is_like_a_scenario_that_has_a_log(tmp_path: Path, tree: dict[str, Any]) -> None:
    conf = written(tmp_path, tree, {"local": {}})
    newcomers = load(conf, overrides=["newcomers={Sweden: {like: {Germany: 2}}}"]).newcomers
    assert newcomers["Sweden"].like == {"Germany": 2.0}
    with pytest.raises(ConfigError, match="names Norway, which has no events to tell anything by"):
        load(conf, overrides=["newcomers={Sweden: {like: {Norway: 1}}, Norway: {}}"])
    with pytest.raises(ConfigError, match="a pointwise task has none"):
        load(conf, overrides=["newcomers={Sweden: {}}", "pointwise={}"])
    with pytest.raises(ConfigError, match=r"newcomers\.Sweden\.like\.Germany"):
        load(conf, overrides=["newcomers={Sweden: {like: {Germany: 0}}}"])


def test_profiles_that_extend_each_other_are_refused(tmp_path: Path, tree: dict[str, Any]) -> None:
    conf = written(tmp_path, tree, {"local": {"extends": "other"}, "other": {"extends": "local"}})
    assert "extends itself" in refused(conf)


def test_a_missing_profile_is_told_with_those_there_are(tmp_path: Path, tree: dict[str, Any]) -> None:
    conf = written(tmp_path, tree, {"local": {}, "cluster": {}})
    assert "profiles there: cluster, local" in refused(conf, "clutser")


def test_a_file_that_is_missing_or_no_yaml_is_a_sentence(tmp_path: Path, tree: dict[str, Any]) -> None:
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none.yaml")
    conf = written(tmp_path, tree)
    conf.write_text("name: [", encoding="utf-8")
    assert f"{conf}: is not YAML" in refused(conf)
    conf.write_text("- a list", encoding="utf-8")
    assert f"{conf}: must hold keys and values, found list" in refused(conf)


def test_later_sources_win_key_by_key(tmp_path: Path, tree: dict[str, Any]) -> None:
    conf = written(tmp_path, tree, {"local": {"retriever": {"epochs": 3}}})
    config = load(conf, "local", ["retriever.layers=2", "train.launcher=process"])
    assert (config.retriever.dim, config.retriever.epochs, config.retriever.layers) == (64, 3, 2)
    assert config.train.launcher == "process"


def test_the_tree_cannot_be_changed() -> None:
    config: Config = load(RETAIL)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3


def test_a_lake_on_an_object_store_needs_a_folder_for_models(tmp_path: Path, tree: dict[str, Any]) -> None:
    conf = written(tmp_path, tree, {"local": {"root": "s3a://bucket/shop"}})
    assert "work must name a folder" in refused(conf)
    assert load(conf, "local", ["work=/mnt/shared"]).folder == Path("/mnt/shared")


def test_an_empty_mapping_empties_a_section_and_others_are_merged():
    retail = Path(__file__).parents[2] / "conf" / "online_retail.yaml"
    merged = load(retail, "local", ["contenders.blend.across={popularity: 0.5}"]).contenders.blend.across
    assert merged["popularity"] == 0.5
    assert len(merged) > 1
    assert load(retail, "local", ["contenders.blend.across={}"]).contenders.blend.across == {}


def test_networks_that_read_vectors_need_an_encoder(tmp_path: Path, tree: dict[str, Any]) -> None:
    conf = written(tmp_path, tree)
    for network in ("retriever", "ranker"):
        assert "there must be a section encode" in refused(conf, "local", f"{network}.vectors={{}}")
        assert load(conf, "local", [f"{network}.vectors={{}}", "encode={text: title}"]).networks_read_vectors
    assert not load(conf, "local", ["encode={text: title}"]).networks_read_vectors


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["ranker.vectors={of: [image]}"], "ranker.vectors.of names image, which is not among modalities (audio)"),
        (["ranker.vectors={of: [audio, audio]}"], "names a modality twice"),
        (["ranker.vectors={of: []}"], "at least 1 item"),
        (["ranker.vectors={of: [audio, text]}"], "there must be a section encode"),
        (["modalities.text={vector: a, width: 3}"], "text is what the section encode makes"),
        (["modalities.audio.item=sku"], "leave item out too"),
        (["modalities.audio.width=1"], "greater than or equal to 2"),
    ],
)
def test_what_networks_read_has_to_be_given(
    tmp_path: Path, tree: dict[str, Any], overrides: list[str], said: str
) -> None:
    audio = "modalities={audio: {vector: sound, width: 3}}"
    assert said in refused(written(tmp_path, tree), "local", audio, *overrides)


def test_a_modality_needs_no_encoder(tmp_path: Path, tree: dict[str, Any]) -> None:
    audio = "modalities={audio: {vector: sound, width: 3}}"
    config = load(written(tmp_path, tree), "local", [audio, "ranker.vectors={of: [audio]}"])
    assert config.modalities_read == ("audio",)
    other = config.modalities["audio"].model_copy(update={"revision": "second"})
    assert other.identity != config.modalities["audio"].identity
