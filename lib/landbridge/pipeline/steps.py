"""The steps in their order. A step's room is imported when it is needed, so that `--help` never waits for torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

from landbridge.config.schema import Config
from landbridge.errors import ConfigError
from landbridge.step import FLOW, Step

ROOMS: Mapping[str, tuple[str, str]] = {
    "clean": ("landbridge.clean.step", "CLEAN"),
    "featurize": ("landbridge.featurize.step", "FEATURIZE"),
    "adapt": ("landbridge.adapt.step", "ADAPT"),
    "encode": ("landbridge.encode.step", "ENCODE"),
    "associate": ("landbridge.associate.step", "ASSOCIATE"),
    "group": ("landbridge.group.step", "GROUP"),
    "pretrain": ("landbridge.train.step", "PRETRAIN"),
    "finetune": ("landbridge.train.step", "FINETUNE"),
    "evaluate": ("landbridge.evaluate.step", "EVALUATE"),
    "recommend": ("landbridge.recommend.step", "RECOMMEND"),
    "report": ("landbridge.report.step", "REPORT"),
}
"""Step to the module and the name of its object."""

POINT_ROOMS: Mapping[str, tuple[str, str]] = {
    "pretrain": ("landbridge.train.points", "PRETRAIN"),
    "finetune": ("landbridge.train.points", "FINETUNE"),
    "evaluate": ("landbridge.evaluate.point_step", "EVALUATE"),
    "recommend": ("landbridge.recommend.point_step", "RECOMMEND"),
    "report": ("landbridge.report.point_step", "REPORT"),
}
"""The same for what is another step where the task is pointwise: rows get a probability, users no lists."""

LISTED_ROOMS: Mapping[str, tuple[str, str]] = {"featurize": ("landbridge.featurize.step", "FEATURIZE_LISTED")}
"""The same for what reads another table where catalogues list items."""

MODALITY_ROOMS: Mapping[str, tuple[str, str]] = {"encode": ("landbridge.encode.step", "ENCODE_MODALITIES")}
"""The same for what takes in vectors of other modalities."""

FILES: Mapping[str, tuple[str, ...]] = {
    "finetune": ("pretrain",),
    "evaluate": ("pretrain", "finetune"),
    "recommend": ("evaluate",),
    "report": ("pretrain", "finetune", "evaluate"),
}
"""Step to the earlier steps whose files (models, bundle) it reads; their fingerprints stand for the files."""

ONLY_TABLES = frozenset({"featurize", "associate", "group", "recommend"})
"""Steps that leave nothing but tables of the lake: when all of these carry a fingerprint, the step is done.

The others leave files or versions of the registry too, or remember in the ledger what they loaded, as clean does; they
are run again, which changes nothing.
"""

NAMES: tuple[str, ...] = FLOW

OPTIONAL = frozenset({"adapt", "encode", "associate", "group"})
"""Steps that a night has only where its configuration has a section for them."""


def load(name: str, config: Config | None = None) -> Step:
    """Return a step by name, as the configuration's task has it; that of lists without a configuration."""
    if name not in ROOMS:
        raise ConfigError(f"there is no step {name}; steps: {', '.join(NAMES)}")
    pointwise = config is not None and config.pointwise is not None
    listed = config is not None and config.data.catalogue is not None
    others = {**(POINT_ROOMS if pointwise else {}), **(LISTED_ROOMS if listed else {})}
    if config is not None and config.modalities:
        others |= MODALITY_ROOMS
    module, attribute = {**ROOMS, **others}[name]
    step = getattr(importlib.import_module(module), attribute)
    assert isinstance(step, Step)
    return step


def steps_until(last: str = NAMES[-1], config: Config | None = None) -> tuple[Step, ...]:
    """Return the steps up to and with one, in the order of the flow; the rooms of later ones are not imported."""
    if last not in ROOMS:
        raise ConfigError(f"there is no step {last}; steps: {', '.join(NAMES)}")
    wanted = NAMES[: NAMES.index(last) + 1]
    return tuple(load(name, config) for name in wanted if has(name, config) or name == last)


def has(name: str, config: Config | None) -> bool:
    """Whether the night of a configuration has a step: some are there where it has a section for them."""
    if config is None:
        return name not in OPTIONAL
    tune = None if config.encode is None else config.encode.tune
    sections = {
        "adapt": tune,
        "encode": config.encode or config.modalities,
        "associate": config.associations,
        "group": config.groups,
    }
    return name not in OPTIONAL or bool(sections[name])


def since(name: str, steps: Sequence[Step]) -> frozenset[str]:
    """Return the names of the step and of all that come after it."""
    names = [step.name for step in steps]
    if name not in names:
        raise ConfigError(f"--from {name}: there is no such step; steps: {', '.join(names)}")
    return frozenset(names[names.index(name) :])


def table_of(config: Config) -> str:
    """Return the table that a night publishes."""
    return "recommendations" if config.pointwise is None else "scores"
