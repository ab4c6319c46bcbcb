"""A small night that is ready to be judged: simple contenders of all three fits, made without Spark."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from landbridge.config import Config
from landbridge.config.days import FITS, days_of
from landbridge.contenders.base import ALL, View
from landbridge.contenders.folder import save_fitted, scope_folder
from landbridge.contenders.simple import all_simple
from landbridge.feed.assemble import Assembler
from landbridge.feed.interactions import Interactions
from landbridge.lake.lake import Lake
from landbridge.step import Night


def fit_simple(config: Config, lake: Lake, ds: dt.date, models: Path, fits: Sequence[str] = FITS) -> None:
    """Write the assembler and the simple contenders as finetune does, by its definition and not by its code."""
    (models / "assembler").mkdir(parents=True)
    Assembler.fit(lake, config, days_of(config, ds).train_until, ds).save(models / "assembler")
    assembler = Assembler.load(models / "assembler")
    interactions = Interactions.read(lake, assembler.vocabulary, ds)
    for fit in FITS:
        if fit not in fits:
            continue
        until = days_of(config, ds).until(fit)
        known = interactions.before(until + dt.timedelta(days=1))
        for contender in all_simple(config):
            for scope in [ALL] if contender.pooled else assembler.vocabulary.values("scenario").to_pylist():
                folder = models / "fits" / fit / scope_folder(scope) / contender.name
                save_fitted(contender.fit(View(config, scope, until, known)), folder, {"crosses": contender.crosses})


def night_of(config: Config, lake: Lake, ds: dt.date, said: list[str]) -> Night:
    """A night without Spark and without tracking."""

    def no_spark() -> object:
        raise AssertionError("this needs Spark")

    models = Path(config.root) / "models" / ds.isoformat()
    return Night(config, ds, lake, no_spark, said.append, models, Path(config.root) / "reports", "f" * 16)  # type: ignore[arg-type]
