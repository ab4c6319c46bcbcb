"""The object store's options: plain names, no credentials, and the same place for Spark."""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge.config import Config, load
from landbridge.config.storage import s3a_settings
from landbridge.errors import ConfigError

CONF = Path(__file__).parents[2] / "conf" / "online_retail.yaml"
ENDPOINT = "http://127.0.0.1:9000"


def loaded(*overrides: str) -> Config:
    return load(CONF, "local", ["root=s3a://bucket/shop", "work=/mnt/shared", *overrides])


def test_options_have_plain_names_and_http_is_allowed_by_an_endpoint_that_is_http() -> None:
    options = {"endpoint": ENDPOINT, "allow_http": "true", "region": "eu-central-1"}
    assert loaded(f"storage={{AWS_ENDPOINT_URL: '{ENDPOINT}', aws_region: eu-central-1}}").storage == options
    assert "allow_http" not in loaded("storage={endpoint: 'https://objects.example.org'}").storage


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "access_key_id", "aws_session_token"])
def test_credentials_are_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(f"storage={{{name}: hush}}")
    assert "must not be here" in str(refused.value)
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("root", "sentence"),
    [
        ("s3://bucket/shop", "root: must be a folder or s3a://bucket/prefix; write s3a://bucket/shop"),
        ("gs://bucket/shop", "root: must be a folder or s3a://bucket/prefix"),
        ("s3a://", "root: names no bucket"),
        ("s3a:///shop", "root: names no bucket"),
    ],
)
def test_a_root_that_is_no_place_is_refused(root: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(f"root={root}")
    assert sentence in str(refused.value)


def test_a_slash_at_the_end_of_a_root_changes_nothing() -> None:
    assert loaded("root=s3a://bucket/shop/").root == "s3a://bucket/shop"


def test_spark_is_told_of_the_same_place() -> None:
    assert s3a_settings(loaded().storage) == {}
    assert s3a_settings({"endpoint": ENDPOINT, "region": "eu-central-1"}) == {
        "spark.hadoop.fs.s3a.endpoint": ENDPOINT,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.endpoint.region": "eu-central-1",
    }
    by_host = s3a_settings({"endpoint": ENDPOINT, "virtual_hosted_style_request": "true"})
    assert by_host["spark.hadoop.fs.s3a.path.style.access"] == "false"
