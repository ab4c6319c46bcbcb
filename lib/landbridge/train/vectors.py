"""What the networks of a fit read of the items' vectors: whitened, and with whose ids they have learned."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from landbridge.config.modalities import TEXT
from landbridge.config.schema import Config
from landbridge.feed.assemble import Assembler
from landbridge.feed.negatives import Distribution
from landbridge.feed.shards import Shards
from landbridge.feed.states import own_features
from landbridge.feed.vector_file import VectorFile
from landbridge.feed.vocabulary import Vocabulary
from landbridge.feed.whitening import Whitening
from landbridge.lake.lake import Lake
from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.models.whitened import Whitened
from landbridge.train.ranks import Ranks

FOLDER = "vectors"
"""Where those of texts lie in a night's folder of models; those of a modality lie beside them, by its name."""

_WITHOUT = "the networks are fitted without"
_MISSING = f"no text is encoded, so {_WITHOUT} vectors of items"


def save_vectors(config: Config, lake: Lake, models: Path, say: Callable[[str], None]) -> None:
    """Put tonight's vectors where the ranks find them; where there are none, say that the networks do without."""
    for old in models.glob(f"{FOLDER}*"):
        shutil.rmtree(old, ignore_errors=True)
    for name in config.modalities_read:
        if _written(config, lake, models, name) is None:
            say(f"  {_MISSING if name == TEXT else f'no item has a vector of {name}, so {_WITHOUT} it'}")


def _written(config: Config, lake: Lake, models: Path, name: str) -> VectorFile | None:
    folder, vocabulary = folder_of(models, name), Vocabulary.load(lake)
    if name != TEXT:
        return VectorFile.write(lake, vocabulary, name, folder, config.modalities[name].identity)
    assert config.encode is not None
    return VectorFile.write(lake, vocabulary, config.encode.model, folder)


def folder_of(models: Path, name: str) -> Path:
    """Return where a night's folder of models keeps the vectors of a modality."""
    return models / (FOLDER if name == TEXT else f"{FOLDER}-{name}")


def stored_of(config: Config, models: Path) -> dict[str, VectorFile]:
    """Map what `save_vectors` wrote, by modality; empty where there is nothing."""
    found = {name: VectorFile.open(folder_of(models, name)) for name in config.modalities_read}
    return {name: stored for name, stored in found.items() if stored is not None}


def revision(stored: Mapping[str, VectorFile]) -> str | None:
    """Return the revision of what networks read: that of the texts, or one a modality; None where they read none."""
    if not stored or list(stored) == [TEXT]:
        return stored[TEXT].revision if stored else None
    return " ".join(f"{name}={one.revision}" for name, one in sorted(stored.items()))


def give_vectors(
    networks: Networks,
    stored: Mapping[str, VectorFile],
    sources: Sequence[tuple[Shards, Distribution]],
    assembler: Assembler,
    own_only: bool,
) -> None:
    """Let networks read tonight's vectors, each modality whitened by itself.

    Networks that have read vectors keep their whitening, since they learned with it. Others get one that is fitted on
    the items that somebody took in the scenarios they learn from.
    """
    widths = _widths(networks.sizes)
    if not widths:
        return
    taken = np.unique(np.concatenate([drawn.items for _, drawn in sources]))
    known = networks.vectors
    vectors = {}
    for name, width in widths.items():
        whitening = known[name].whitening if name in known else Whitening.fit(stored[name].of(taken), width)
        vectors[name] = Whitened(whitening, torch.from_numpy(stored[name].whitened(whitening)))
    none_G = assembler.none_features()
    networks.read(vectors, torch.from_numpy(own_features(none_G) if own_only else none_G))


def _widths(sizes: Sizes) -> dict[str, int]:
    """Return modality to the width that the wider of both networks reads."""
    first, second = sizes.vectors.widths, sizes.rank_vectors.widths
    return {name: max(first.get(name, 0), second.get(name, 0)) for name in sorted({*first, *second})}


def mark_trained(
    networks: Networks, sources: Sequence[tuple[Shards, Distribution]], ranks: Ranks, own_only: bool
) -> None:
    """Note whose ids a fit trains: of its examples, of their histories, and of what its negatives are drawn from."""
    if not networks.vectors:
        return
    met_I = np.logical_or.reduce([shards.items(own_only) for shards, _ in sources])
    for _, drawn in sources:
        met_I[drawn.items] = True
    met_I[0] = False
    networks.mark(ranks.sum_(torch.from_numpy(met_I.astype(np.float32))) > 0)
