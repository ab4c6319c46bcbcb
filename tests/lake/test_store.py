"""What object stores answered, as delta-rs handed it on, and the sentence that became of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge.config import load
from landbridge.lake.store import flat, unreachable

CONF = Path(__file__).parents[2] / "conf" / "online_retail.yaml"
HEAD = "Generic S3 error\n          \x1b[31m↳\x1b[0m Error performing list request\n           \x1b[31m↳\x1b[0m "
REFUSED = (
    "Error performing GET http://127.0.0.1:9000/bucket in 1ms - Server returned non-2xx status code\n 403 Forbidden\n"
)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("404 Not Found\n<Code>NoSuchBucket</Code>", "there is no bucket bucket; make it, or name another root"),
        (f"{REFUSED}<Code>SignatureDoesNotMatch</Code>", "at http://127.0.0.1:9000 refuses (SignatureDoesNotMatch)"),
        (REFUSED, "refuses (access denied); check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("Error performing PUT http://169.254.169.254/latest/api/token in 1ms", "there are no credentials; give AWS_"),
        ("HTTP error\n builder error\n URL scheme is not allowed", "name it in storage.endpoint"),
        ("HTTP error\n error sending request\n Connection refused", "nothing answers at http://127.0.0.1:9000"),
        ("something new", "cannot be used: Generic S3 error: Error performing list request: something new"),
    ],
)
def test_an_answer_becomes_a_sentence(told: str, sentence: str) -> None:
    settings = ["root=s3a://bucket/shop", "work=/mnt", "storage={endpoint: 'http://127.0.0.1:9000'}"]
    said = unreachable(load(CONF, "local", settings), OSError(HEAD + told))
    assert said.startswith("the lake s3a://bucket/shop/lake cannot be used: ")
    assert sentence in said
    assert "\x1b" not in said


def test_a_tree_of_lines_becomes_one() -> None:
    assert flat(OSError(HEAD + "403 Forbidden\n")) == "Generic S3 error: Error performing list request: 403 Forbidden"
