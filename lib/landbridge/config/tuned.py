"""How a text encoder is tuned to the domain: which pairs of texts it learns from, and how long."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from landbridge.config.node import Node


class TuneEncoder(Node):
    """Low-rank adapters of the encoder learn that texts of items which the same users took are near (the step adapt).

    It learns from what fits A may know alone; a fit that may know less reads the vectors of the encoder as it came.
    """

    rank: int = Field(8, ge=1, description="Of the adapter of each matrix: more learns more, and forgets more.")
    alpha: float = Field(16.0, gt=0, description="An adapter counts alpha / rank times.")
    steps: int = Field(400, ge=1, description="Of training, over all ranks together.")
    rounds: int = Field(
        8,
        ge=1,
        description="The steps fall into so many rounds. After each the held-out pairs are asked, and a checkpoint is "
        "written; the best round is kept.",
    )
    patience: int = Field(3, ge=1, description="Rounds without a better one, after which training ends.")
    batch: int = Field(
        128, ge=2, description="Pairs of a step, over all ranks: each pair is told from all others of its step."
    )
    temperature: float = Field(0.07, gt=0, description="Cosines are divided by it: lower minds near misses more.")
    learning_rate: float = Field(5e-4, gt=0)
    log_q: bool = Field(
        False,
        description="Whether a text that many took is a lighter negative: without it what is popular is pushed away.",
    )
    window: int = Field(3, ge=1, description="How many places apart two items of a user may be to make a pair.")
    pairs_per_user: int = Field(20, ge=1, description="Of one user; which ones is decided by a hash.")
    most_pairs: int = Field(200_000, ge=2, description="Of all users together, and what every rank holds in memory.")
    least_pairs: int = Field(1000, ge=2, description="With fewer nothing is tuned.")
    held_out: int = Field(20, ge=2, description="One of so many users is not learned from, but asked after each round.")
    every_days: int = Field(
        28,
        ge=1,
        description="A tuned encoder serves for so many days. A new one has other vectors, and networks that read them "
        "begin anew.",
    )
    seed: int = 17

    @model_validator(mode="after")
    def _rounds_have_steps(self) -> Self:
        if self.rounds > self.steps:
            raise ValueError(f"rounds {self.rounds} are more than steps {self.steps}: a round needs a step")
        if self.least_pairs > self.most_pairs:
            raise ValueError(f"least_pairs {self.least_pairs} is above most_pairs {self.most_pairs}")
        return self
