"""Encoding: texts into vectors of MiniLM, on Spark's executors as the step `encode` does, and in one plain loop.

The plain loop has every core for its matrix products and all texts in the order of their length; Spark has a worker a
core, each with its share of the texts. Workers stay, so that the model is loaded before what is timed. The texts are
the titles of Food and Kitchen where LANDBRIDGE_DATA names the folder of the sets, else those of the bundled shop,
numbered.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import torch
from tests.bench.rounds import Contender, Work

from landbridge.config import load as load_config
from landbridge.config.text import Encode
from landbridge.encode.encoder import Encoder, find, load
from landbridge.encode.vectors import encoded
from landbridge.session import start

_TITLES = 36_298
_SHOP = Path(__file__).parents[1] / "data" / "online_retail"
_CONF = Path(__file__).parents[2] / "conf" / "online_retail.yaml"


def works(scale: float, folder: Path) -> Sequence[Work]:
    """Return the work; 1.0 is 36,298 titles."""
    texts = _titles(max(256, round(_TITLES * scale)))
    settings = Encode(text="title")
    source = find(settings)
    encoder = load(source, settings)
    config = load_config(_CONF, "local", [f"root={folder / 'encoding'}"])
    spark = start(config, folder / "spark.log")
    rows = pa.table({"item_id": pa.array(map(str, range(len(texts)))), "text": texts, "text_hash": texts})
    frame = spark.createDataFrame(rows).cache()
    frame.count()

    def on_spark() -> None:
        encoded(frame, "item_id", len(texts), settings, source).write.format("noop").mode("overwrite").save()

    ordered = sorted(texts.to_pylist(), key=len)
    tokens = [_tokens(encoder, part) for part in _batches(ordered, settings.batch)]
    contenders = [
        Contender("landbridge encode on Spark", "ours", len(texts), on_spark),
        Contender("plain loop over batches of one length", "peer", len(texts), lambda: _loop(encoder, ordered)),
        Contender("the network alone, tokens made before", "floor", len(texts), lambda: _network(encoder, tokens)),
    ]
    note = f"{len(texts):,} titles, {settings.model}, batches of {settings.batch}, {torch.get_num_threads()} threads"
    return [Work("encoding", "texts", note, contenders)]


def _titles(count: int) -> pa.StringArray:
    sets = os.environ.get("LANDBRIDGE_DATA")
    if sets:
        parse = csv.ParseOptions(delimiter="\t", quote_char=False)
        titles = csv.read_csv(Path(sets) / "amazon_food_kitchen" / "items.tsv.gz", parse_options=parse)["title"]
        return titles.combine_chunks()[:count]
    days = sorted(_SHOP.glob("*.csv.gz"))[-10:]
    titles = pc.unique(pa.chunked_array([chunk for day in days for chunk in csv.read_csv(day)["Description"].chunks]))
    known = titles.drop_null().to_pylist()
    return pa.array([f"{known[at % len(known)]} {at // len(known)}" for at in range(count)])


def _batches(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (texts[at : at + size] for at in range(0, len(texts), size))


def _loop(encoder: Encoder, ordered: Sequence[str]) -> None:
    for part in _batches(ordered, encoder.settings.batch):
        encoder.encode(part)


def _tokens(encoder: Encoder, texts: Sequence[str]) -> dict[str, torch.Tensor]:
    most = encoder.settings.most_tokens
    return dict(encoder.tokenizer(list(texts), padding=True, truncation=True, max_length=most, return_tensors="pt"))


def _network(encoder: Encoder, batches: Sequence[dict[str, torch.Tensor]]) -> None:
    with torch.inference_mode():
        for tokens in batches:
            encoder.network(**tokens)
