"""An encoder with low-rank adapters beside its matrices (Hu et al. 2021, LoRA), and one into which they are merged.

The matrices of attention and of the feed-forward layers are adapted; embeddings and normalisation stay.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from landbridge.config.text import Encode
from landbridge.config.tuned import TuneEncoder
from landbridge.encode.encoder import Encoder, Source, loaded
from landbridge.models.low_rank import LowRank, adapt


def adapted(source: Source, settings: Encode, tune: TuneEncoder) -> Encoder:
    """Load an encoder of its own with adapters, on the CPU and in float32; only the adapters learn.

    Without dropout, so that a step is the same for any number of ranks.

    Raises
    ------
    EncoderError
        The encoder cannot be loaded.
    """
    encoder = loaded(source, settings.model_copy(update={"device": "cpu", "dtype": "float32"}))
    adapt(encoder.network, tune.seed, tune.rank, tune.alpha / tune.rank)
    for parameter in encoder.network.parameters():
        parameter.requires_grad_(False)
    for module in encoder.network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for parameter in learning(encoder).values():
        parameter.requires_grad_(True)
    return encoder


def learning(encoder: Encoder) -> dict[str, nn.Parameter]:
    """Return the adapters' parameters by name: what learns, and what a checkpoint keeps.

    Those of a pooler are none of it: vectors are pooled out of the last layer's tokens.
    """
    return {
        f"{name}.{part}": getattr(module, part)
        for name, module in encoder.network.named_modules()
        if isinstance(module, LowRank) and not name.startswith("pooler")
        for part in ("low", "high")
    }


def state(encoder: Encoder) -> dict[str, Tensor]:
    """Return a copy of the adapters."""
    return {name: value.detach().clone() for name, value in learning(encoder).items()}


def set_state(encoder: Encoder, kept: dict[str, Tensor]) -> None:
    """Put back what `state` gave."""
    with torch.no_grad():
        for name, value in learning(encoder).items():
            value.copy_(kept[name])


def save_merged(encoder: Encoder, source: Source, settings: Encode, folder: Path) -> None:
    """Write a whole model into a folder, as `encode.model` may name it: the adapters are part of its matrices."""
    plain = loaded(source, settings.model_copy(update={"device": "cpu", "dtype": "float32"}))
    with torch.no_grad():
        for name, module in encoder.network.named_modules():
            if isinstance(module, LowRank):
                plain.network.get_submodule(name).weight.copy_(module.merged())
    plain.network.config.name_or_path = ""  # where it lay here is no part of it
    plain.network.save_pretrained(folder)
    plain.tokenizer.save_pretrained(folder)
