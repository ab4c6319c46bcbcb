"""The object store under the root: one set of options, in the names of delta-rs, for delta-rs, Spark and MLflow."""

from __future__ import annotations

import re
from collections.abc import Mapping

_CREDENTIALS = frozenset({"access_key_id", "secret_access_key", "session_token", "token"})


def checked_root(root: str) -> str:
    """Return a root without a slash at its end.

    Raises
    ------
    ValueError
        If it has a scheme other than ``s3a``, or no bucket.
    """
    scheme, found, rest = root.partition("://")
    if not found:
        return root
    if scheme != "s3a":
        hint = f"write s3a://{rest}" if scheme.lower() in ("s3", "s3n", "s3a") else "they are what has been tried"
        raise ValueError(f"must be a folder or s3a://bucket/prefix; {hint}")
    if not re.match(r"[^/]", rest):
        raise ValueError("names no bucket; write s3a://bucket/prefix")
    return root.rstrip("/")


def checked_options(given: Mapping[str, str]) -> dict[str, str]:
    """Return the options by their plain names, lower case, without ``aws_``; HTTP is allowed if the endpoint is HTTP.

    Raises
    ------
    ValueError
        If credentials are among them.
    """
    options = {name.lower().removeprefix("aws_"): value for name, value in given.items()}
    if "endpoint_url" in options:
        options["endpoint"] = options.pop("endpoint_url")
    told = sorted(_CREDENTIALS & options.keys())
    if told:
        raise ValueError(
            f"{', '.join(told)} must not be here: Spark, delta-rs and MLflow read credentials from the environment; "
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run under a role"
        )
    if options.get("endpoint", "").startswith("http://"):
        options.setdefault("allow_http", "true")
    return options


def s3a_settings(options: Mapping[str, str]) -> dict[str, str]:
    """Return what Spark's S3A has to be told to reach the same store."""
    prefix, settings = "spark.hadoop.fs.s3a", {}
    if "endpoint" in options:
        by_path = options.get("virtual_hosted_style_request", "false").lower() != "true"
        settings[f"{prefix}.endpoint"] = options["endpoint"]
        settings[f"{prefix}.path.style.access"] = str(by_path).lower()
    if "region" in options:
        settings[f"{prefix}.endpoint.region"] = options["region"]
    return settings
