"""What an object store answers, as a sentence that says what to do."""

from __future__ import annotations

import re

from landbridge.config.schema import Config

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or the role this machine runs under"


def unreachable(config: Config, error: BaseException) -> str:
    """Return why the lake cannot be read or written, and the remedy."""
    told = flat(error)
    bucket = config.root.removeprefix("s3a://").partition("/")[0]
    where = config.storage.get("endpoint", "the address of its region")
    if config.is_local:
        return f"the lake {config.root}/lake cannot be used: {told}; free or unlock the place"
    if "NoSuchBucket" in told:
        why = f"there is no bucket {bucket}; make it, or name another root"
    elif "169.254.169.254" in told or "169.254.170" in told or "CredentialsNotLoaded" in told:
        why = f"there are no credentials; give {_KEYS}"
    elif re.search(r"\b40[13]\b", told):
        code = re.search(r"<Code>(\w+)</Code>", told)
        why = f"the store at {where} refuses ({code[1] if code else 'access denied'}); check {_KEYS}"
    elif "URL scheme is not allowed" in told:
        why = "its endpoint is not encrypted; name it in storage.endpoint, or set storage.allow_http to true"
    elif "error sending request" in told or "max_retries" in told:
        why = f"nothing answers at {where}; check the network and storage.endpoint"
    else:
        why = told
    return f"the lake {config.root}/lake cannot be used: {why}"


def flat(error: BaseException) -> str:
    """Return an error of delta-rs, which is a tree of coloured lines, as one line."""
    lines = [_ANSI.sub("", line).strip().removeprefix("↳").strip() for line in str(error).splitlines()]
    return ": ".join(line for line in lines if line)[:1000]
