"""The step `encode`: texts that are new, or of an encoder that is new, become vectors: of items, and of users.

Vectors that other pipelines made of items join them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.config.days import days_of
from landbridge.config.text import Encode
from landbridge.encode.chat import ChatError, chat_of
from landbridge.encode.encoder import Source, find
from landbridge.encode.modalities import join_all, signatures
from landbridge.encode.profiles import profiles_of
from landbridge.encode.rewrite import Rewriter
from landbridge.encode.texts import texts_of
from landbridge.encode.tuned import Tuning, newest
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
    tuned = _by_tuned(night, lake, settings, source, texts)
    if settings.users is not None:
        states = lake.table("user_state").where(F.col("ds") == F.lit(night.ds))
        profiles = profiles_of(states, texts, settings.users.last, settings.most_characters)
        profiles = profiles if rewriter is None else rewriter.rewritten(profiles, "users")
        counts["encoded_users"] = encoding.write("user_vectors", profiles)
    asked = {} if rewriter is None else rewriter.notes
    notes = {**counts, "revision": source.revision, **tuned, **asked}
    if left_out := [*tuned.get("left_out", []), *asked.get("left_out", [])]:
        notes["left_out"] = left_out
    return Outcome(notes, {name: float(count) for name, count in counts.items()})


def _by_tuned(night: Night, lake: SparkLake, settings: Encode, source: Source, texts: DataFrame) -> dict[str, Any]:
    """Encode the items with the tuned encoder too, where there is one; return what the ledger is told of it."""
    tuning = _tuning(night, settings, source)
    if tuning is None:
        return {}
    try:
        count = Encoding(night, lake, settings, tuning.source).write("item_vectors", texts)
    except EncoderError as error:
        why = str(error)
    except (PySparkException, Py4JError) as error:
        why = complaint(error)
    else:
        return {"encoded_tuned": count, "tuned": tuning.tuned.note}
    sentence = f"the tuned encoder is left out: {why}"
    night.say(sentence)
    return {"left_out": [sentence]}


def _tuning(night: Night, settings: Encode, source: Source) -> Tuning | None:
    """Return the tuned encoder that has seen nothing but what fit A may know tonight."""
    if settings.tune is None:
        return None
    found = newest(night.config, source.revision, days_of(night.config, night.ds).train_until)
    return found if found is not None and found.tuned.revision else None


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
    if settings.tune is not None:
        ready["tuned"] = _or_why(lambda: _tuned_revision(night, settings))
    rewrite = settings.rewrite
    if rewrite is not None:
        ready["chat"] = _or_why(lambda: chat_of(rewrite).settings.url)
    return {**ready, **given}


def _tuned_revision(night: Night, settings: Encode) -> str:
    found = _tuning(night, settings, find(settings))
    return "" if found is None else found.tuned.revision


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
