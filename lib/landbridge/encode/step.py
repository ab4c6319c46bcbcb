"""The step `encode`: texts that are new, or of an encoder that is new, become vectors: of items, and of users.

Vectors that other pipelines made of items join them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from landbridge.config.text import Encode
from landbridge.encode.chat import ChatError, chat_of
from landbridge.encode.encoder import Source, find
from landbridge.encode.modalities import join_all, signatures
from landbridge.encode.profiles import profiles_of
from landbridge.encode.rewrite import Rewriter
from landbridge.encode.texts import texts_of
from landbridge.encode.vectors import Encoding
from landbridge.errors import EncoderError
from landbridge.lake.expressions import complaint
from landbridge.lake.spark import SparkLake
from landbridge.step import Night, Outcome, Step


def run_modalities(night: Night) -> Outcome:
    """Encode what changed where texts are, and take in what other pipelines made of items."""
    texts, others = Outcome() if night.config.encode is None else run(night), join_all(night)
    left_out = [*texts.notes.get("left_out", []), *others.notes["left_out"]]
    return Outcome({**texts.notes, **others.notes, "left_out": left_out}, {**texts.metrics, **others.metrics})


def run(night: Night) -> Outcome:
    """Encode what changed; without the model the night goes on without vectors, and says so."""
    settings = night.config.encode
    if settings is None:
        return _without(night, "no encode section")
    try:
        return _encoded(night, night.spark_lake(), settings, find(settings))
    except EncoderError as error:
        return _without(night, str(error))
    except (PySparkException, Py4JError) as error:
        return _without(night, complaint(error))


def _encoded(night: Night, lake: SparkLake, settings: Encode, source: Source) -> Outcome:
    encoding, rewriter = Encoding(night, lake, settings, source), _rewriter(night, lake, settings)
    texts = texts_of(lake.table("items"), settings, night.ds, f"{night.config.name}.yaml")
    texts = texts if rewriter is None else rewriter.rewritten(texts, "items")
    counts = {"encoded": encoding.write("item_vectors", texts)}
    if settings.users is not None:
        states = lake.table("user_state").where(F.col("ds") == F.lit(night.ds))
        profiles = profiles_of(states, texts, settings.users.last, settings.most_characters)
        profiles = profiles if rewriter is None else rewriter.rewritten(profiles, "users")
        counts["encoded_users"] = encoding.write("user_vectors", profiles)
    notes = {**counts, "revision": source.revision, **({} if rewriter is None else rewriter.notes)}
    return Outcome(notes, {name: float(count) for name, count in counts.items()})


def _rewriter(night: Night, lake: SparkLake, settings: Encode) -> Rewriter | None:
    return None if settings.rewrite is None else Rewriter(night, lake, settings.rewrite, settings.most_characters)


def _without(night: Night, why: str) -> Outcome:
    sentence = f"no texts are encoded: {why}; what models know of texts stays as it is"
    night.say(sentence)
    return Outcome(notes={"encoded": 0, "left_out": [sentence]})


def _inputs(night: Night) -> Mapping[str, str]:
    """What stands ready: a model that is installed later, or a key that is set later, is used the same day."""
    given = signatures(night)
    settings = night.config.encode
    if settings is None:
        return given
    ready = {"encoder": _or_why(lambda: find(settings).revision)}
    rewrite = settings.rewrite
    if rewrite is not None:
        ready["chat"] = _or_why(lambda: chat_of(rewrite).settings.url)
    return {**ready, **given}


def _or_why(found: Callable[[], str]) -> str:
    try:
        return found()
    except (EncoderError, ChatError) as error:
        return str(error)


ENCODE = Step(
    "encode",
    reads=("items", "user_state", "rewrites"),
    writes=("item_vectors", "user_vectors", "rewrites"),
    sections=("encode",),
    run=run,
    inputs=_inputs,
)

ENCODE_MODALITIES = replace(
    ENCODE, writes=(*ENCODE.writes, "quarantine"), sections=("encode", "modalities"), run=run_modalities
)
"""The same where other pipelines make vectors of items too: bad ones go to quarantine."""
