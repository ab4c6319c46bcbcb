"""What the networks of a fit read of the items' vectors: whitened, and with whose ids they have learned."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import numpy as np
import torch

from landbridge.feed.assemble import Assembler
from landbridge.feed.negatives import Distribution
from landbridge.feed.shards import Shards
from landbridge.feed.states import own_features
from landbridge.feed.vector_file import VectorFile
from landbridge.feed.vocabulary import Vocabulary
from landbridge.feed.whitening import Whitening
from landbridge.models.networks import Networks
from landbridge.models.whitened import Whitened
from landbridge.step import Night
from landbridge.train.ranks import Ranks

FOLDER = "vectors"
"""Where they lie in a night's folder of models."""


def save_vectors(night: Night) -> None:
    """Put tonight's vectors where the ranks find them; where there are none, say that the networks do without."""
    config, folder = night.config, night.models / FOLDER
    if not config.networks_read_vectors or config.encode is None:
        shutil.rmtree(folder, ignore_errors=True)
    elif VectorFile.write(night.lake, Vocabulary.load(night.lake), config.encode.model, folder) is None:
        night.say("  no text is encoded, so the networks are fitted without vectors of items")


def revision(night: Night) -> str | None:
    """Return the revision of the vectors that tonight's networks read, None where they read none."""
    stored = VectorFile.open(night.models / FOLDER)
    return None if stored is None else stored.revision


def give_vectors(
    networks: Networks,
    stored: VectorFile | None,
    sources: Sequence[tuple[Shards, Distribution]],
    assembler: Assembler,
    own_only: bool,
) -> None:
    """Let networks read tonight's vectors.

    Networks that have read vectors keep their whitening, since they learned with it. Others get one that is fitted on
    the items that somebody took in the scenarios they learn from.
    """
    width = max(networks.sizes.vectors.width, networks.sizes.rank_vectors.width)
    if stored is None or width == 0:
        return
    whitening = networks.vectors.whitening if networks.vectors else None
    if whitening is None:
        taken = np.unique(np.concatenate([drawn.items for _, drawn in sources]))
        whitening = Whitening.fit(stored.of(taken), width)
    none_G = assembler.none_features()
    networks.read(
        Whitened(whitening, torch.from_numpy(stored.whitened(whitening))),
        torch.from_numpy(own_features(none_G) if own_only else none_G),
    )


def mark_trained(
    networks: Networks, sources: Sequence[tuple[Shards, Distribution]], ranks: Ranks, own_only: bool
) -> None:
    """Note whose ids a fit trains: of its examples, of their histories, and of what its negatives are drawn from."""
    if networks.vectors is None:
        return
    met_I = np.logical_or.reduce([shards.items(own_only) for shards, _ in sources])
    for _, drawn in sources:
        met_I[drawn.items] = True
    met_I[0] = False
    networks.mark(ranks.sum_(torch.from_numpy(met_I.astype(np.float32))) > 0)
