"""What a chat model makes of texts takes their place; what it has answered once is not asked again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any, Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.config.rewrite import Rewrite
from landbridge.encode.asking import Asking
from landbridge.encode.chat import ChatError, chat_of
from landbridge.encode.texts import cleaned, hashed
from landbridge.lake.spark import SparkLake
from landbridge.step import Night

KEY = ("text_hash", "revision")
Whose = Literal["items", "users"]
_KEPT = 100
"""Answers that are written at once: so many are lost at most when a night is killed."""


class Rewriter:
    """A night's rewriting, of the texts of items and then of users: one budget for both."""

    def __init__(self, night: Night, lake: SparkLake, settings: Rewrite, most_characters: int) -> None:
        self.settings = settings
        self._night, self._lake, self._most = night, lake, most_characters
        self._answered = 0
        self._left_out: list[str] = []

    @property
    def notes(self) -> dict[str, Any]:
        """What the ledger is told: texts that were rewritten tonight, requests, and what was done without."""
        requests = 0 if self._asking is None else self._asking.requests
        return {"rewritten": self._answered, "requests": requests, "left_out": self._left_out}

    def rewritten(self, texts: DataFrame, whose: Whose) -> DataFrame:
        """Return the texts (see `hashed`), those with an answer as the chat model has them, after asking for more."""
        instruction = self.settings.items if whose == "items" else self.settings.users
        if instruction is None:
            return texts
        if self._asking is not None:
            self._ask(texts, whose, instruction, self._asking)
        return self._replaced(texts, self.settings.revision(instruction))

    @cached_property
    def _asking(self) -> Asking | None:
        """What is asked with; without a key nothing is, and that is said once."""
        try:
            chat = chat_of(self.settings)
        except ChatError as why:
            self._without(f"no text is rewritten: {why}; texts stay as they are")
            return None
        # A night that is run again has what the answers of its earlier runs left of the budget.
        spent = self._lake.table("rewrites").where(F.col("ds") == F.lit(self._night.ds)).count()
        return Asking(self.settings, max(self.settings.budget - spent, 0), chat.ask)

    def _ask(self, texts: DataFrame, whose: Whose, instruction: str, asking: Asking) -> None:
        revision, before = self.settings.revision(instruction), asking.requests
        left = texts.join(self._known(revision), "text_hash", "left_anti")
        distinct = left.groupBy("text_hash").agg(F.first("text").alias("text"), F.max("since").alias("since"))
        # What comes to the driver is no more than the budget, however many texts there are; the newest first: of them
        # the fewest events tell.
        most = asking.budget - asking.requests
        chosen = distinct.orderBy(F.desc("since"), "text_hash").limit(most).collect()
        hashes = {row["text"]: row["text_hash"] for row in chosen}
        count = len(chosen) if len(chosen) < most else distinct.count()
        if not count:
            return
        if asking.stopped is None:
            self._night.say(f"asking {self.settings.model} to rewrite {len(chosen):,} of {count:,} texts of {whose}")
        answers = asking.answers(instruction, list(hashes))
        kept = self._keep(((hashes[text], answer) for text, answer in answers), revision)
        self._answered += kept
        self._tell(f"texts of {whose}", kept, count, asking.requests - before, asking.stopped or asking.failed)

    def _keep(self, answers: Iterator[tuple[str, str]], revision: str) -> int:
        """Write answers as they come, and return how many."""
        kept = 0
        while some := [*islice(answers, _KEPT)]:
            rows = [(text_hash, revision, self.settings.model, answer, self._night.ds) for text_hash, answer in some]
            names = "text_hash string, revision string, model string, answer string, ds date"
            frame = self._lake.spark.createDataFrame(rows, names)
            self._lake.merge("rewrites", frame, KEY, self._night.fingerprint)
            kept += len(some)
        return kept

    def _tell(self, what: str, kept: int, count: int, requests: int, why: str | None) -> None:
        by = f"by {self.settings.model} in {requests:,} requests"
        if kept == count:
            self._night.say(f"{kept:,} {what} are rewritten {by}")
            return
        why = why or f"the budget of {self.settings.budget:,} requests a night is spent"
        self._without(f"{kept:,} of {count:,} {what} are rewritten {by}; the others stay as they are: {why}")

    def _without(self, sentence: str) -> None:
        self._left_out.append(sentence)
        self._night.say(sentence)

    def _known(self, revision: str) -> DataFrame:
        return self._lake.table("rewrites").where(F.col("revision") == revision).select("text_hash", "answer")

    def _replaced(self, texts: DataFrame, revision: str) -> DataFrame:
        answer = F.nullif(cleaned(F.col("answer"), self._most), F.lit(""))
        every = texts.join(self._known(revision), "text_hash", "left").withColumn("text", F.coalesce(answer, "text"))
        return hashed(every.select(*[name for name in texts.columns if name != "text_hash"]))
