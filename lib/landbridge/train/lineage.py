"""From which earlier night a fit A continues. The lineages of A, B and C are kept apart: tomorrow's A starts from
tonight's A.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

from landbridge.config.crossing import without_defaults
from landbridge.config.modalities import TEXT
from landbridge.config.node import beyond
from landbridge.config.schema import Config
from landbridge.config.science import Ranker, Retriever
from landbridge.contenders.folder import fit_folder, read_meta
from landbridge.errors import LakeError
from landbridge.train.job import Warm

_LATER = {
    "retriever": Retriever().model_dump(mode="json", include={"averaged", "elsewhere", "temperature"}),
    "ranker": Ranker().model_dump(mode="json", include={"averaged", "elsewhere", "tower", "experts", "sparsity"}),
}
"""Keys that came later, as they are where they say nothing: fits from before them go on."""


def recipe(config: Config) -> str:
    """Return a hash of what shapes the networks and what they learn from; only fits of one recipe continue each
    other.
    """
    tree = config.model_dump(
        mode="json",
        include={"name", "data", "features", "split", "transfer", "retriever", "ranker", "negatives", "seed"},
    )
    tree["data"].pop("pseudonyms")
    tree["transfer"] = without_defaults(tree["transfer"])
    for network in ("retriever", "ranker"):
        given = getattr(config, network).vectors
        if given is None:  # as before there were any: such fits go on
            del tree[network]["vectors"]
        elif given.reads_text_alone:  # as before there were other modalities
            del tree[network]["vectors"]["of"], tree[network]["vectors"]["modality_dropout"]
        tree[network] = beyond(tree[network], _LATER[network])
    del tree["ranker"]["candidates"]  # weights know nothing of them
    if config.ranker_kinds:
        tree["associations"] = config.model_dump(mode="json", include={"associations"})["associations"]
    else:  # as before there were any
        del tree["ranker"]["associations"], tree["ranker"]["association_days"]
    if config.networks_group:
        tree["groups"] = config.model_dump(mode="json", include={"groups"})["groups"]
    if TEXT in (*config.modalities_read, *config.ranker_kinds) and config.encode is not None:
        tree["texts"] = config.encode.text
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:16]


def predecessor(
    models: Path,
    ds: dt.date,
    recipe: str,
    scope: str,
    contender: str,
    train_until: dt.date,
    vectors: str | None = None,
) -> tuple[Warm | None, str]:
    """Return the nearest earlier night's fit A that can be continued, or None, and why.

    Parameters
    ----------
    models
        Tonight's folder; those of other nights lie beside it.
    train_until
        The last day of tonight's A: an earlier fit must not know more.
    vectors
        The revision of the items' vectors that tonight's networks read; None where they read none.
    """
    reason = "no earlier night has fitted it"
    for night in _earlier(models, ds):
        folder = fit_folder(night, "A", scope, contender)
        if not folder.exists():
            continue
        try:
            meta = read_meta(folder)
        except LakeError:
            continue
        if meta["recipe"] != recipe:
            reason = f"the configuration changed since {night.name}"
        elif meta.get("vectors") != vectors:
            reason = f"the vectors of items are of another encoder than those of {night.name}"
        elif dt.date.fromisoformat(meta["until"]) > train_until:
            reason = f"the fit of {night.name} knows days after {train_until}"
        elif meta["examples"] == 0 and not meta["continued"]:
            reason = f"the fit of {night.name} had no examples"
        else:
            return Warm(str(folder.resolve()), night.name, meta["until"]), f"continues the fit of {night.name}"
    return None, reason


def digest(models: Path, ds: dt.date) -> dict[str, str]:
    """Return what names the earlier fits A that tonight may continue, for the step's fingerprint."""
    for night in _earlier(models, ds):
        files = sorted(night.glob("fits/A/*/*/meta.json"))
        metas = [file.read_text(encoding="utf-8") for file in files if '"network"' in file.read_text(encoding="utf-8")]
        if metas:
            return {f"fits of {night.name}": hashlib.sha256("\n".join(metas).encode()).hexdigest()[:16]}
    return {}


def associating(config: Config) -> dict[str, str]:
    """Return what names the associations that networks read, for the step's fingerprint; nothing where they do not."""
    if config.associations is None or not config.networks_associate:
        return {}
    text = config.associations.model_dump_json() + ("" if config.encode is None else config.encode.model_dump_json())
    return {"associations": hashlib.sha256(text.encode()).hexdigest()[:16]}


def _earlier(models: Path, ds: dt.date) -> list[Path]:
    """Return the folders of earlier nights, the nearest first."""
    nights = [path for path in models.parent.glob("????-??-??") if path.is_dir() and path.name < ds.isoformat()]
    return sorted(nights, reverse=True)
