"""A pretrained text encoder of Hugging Face's library: found, known by a revision, loaded once a process."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landbridge.config.text import Encode
from landbridge.errors import EncoderError

_WEIGHTS = ("*.safetensors", "*.json", "*.txt", "*.model")
"""Files that decide what comes out; pickled weights are never read."""
_SHAPING = {"pooling", "normalise", "most_tokens", "most_characters", "dtype"}
"""Settings that change a vector."""


@dataclass(frozen=True)
class Source:
    """Where a model lies, and the revision that its vectors carry.

    `revision` changes with the weights and with every setting that changes a vector, so that vectors of two settings
    never meet in one space.
    """

    place: str
    commit: str | None
    revision: str


def find(settings: Encode) -> Source:
    """Return where the model lies, without loading it.

    Raises
    ------
    EncoderError
        The library, the package or the folder is not there.
    """
    if importlib.util.find_spec("transformers") is None:
        raise EncoderError("transformers cannot be imported; install landbridge[text]")
    if settings.is_of_hub:
        return Source(settings.model, settings.revision, _revision(settings, str(settings.revision)))
    folder = _folder(settings.model)
    if not (folder / "config.json").is_file():
        raise EncoderError(f"encode.model {settings.model}: there is no model in {folder}, its config.json is missing")
    return Source(str(folder), None, _revision(settings, _content(folder)))


@dataclass(frozen=True)
class Encoder:
    """Tokenizer and network on a device."""

    tokenizer: Any
    network: Any
    settings: Encode

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of N texts, [N, D]; texts of about the same length waste the least."""
        with torch.inference_mode():
            found: NDArray[np.float32] = self.vectors(texts).cpu().numpy()
            return found

    def vectors(self, texts: Sequence[str]) -> Tensor:
        """Return the same as vector_ND on the network's device, through which gradients flow."""
        tokens = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.settings.most_tokens, return_tensors="pt"
        ).to(self.network.device)
        hidden_BLD = self.network(**tokens).last_hidden_state.float()
        vector_BD = _pooled(hidden_BLD, tokens["attention_mask"], self.settings.pooling)
        return torch.nn.functional.normalize(vector_BD, dim=1) if self.settings.normalise else vector_BD


@cache
def load(source: Source, settings: Encode) -> Encoder:
    """Return the encoder, loaded at the first call of a process; see `loaded`."""
    return loaded(source, settings)


def loaded(source: Source, settings: Encode) -> Encoder:
    """Return an encoder that nobody else has.

    Raises
    ------
    EncoderError
        The hub cannot be reached or does not know the model, or its files are no encoder in safetensors.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # executors are parallel already
    from transformers import AutoModel, AutoTokenizer

    cuda = torch.cuda.is_available() if settings.device == "auto" else settings.device == "cuda"
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.place, revision=source.commit)
        network = AutoModel.from_pretrained(
            source.place, revision=source.commit, use_safetensors=True, dtype=getattr(torch, settings.dtype)
        )
        return Encoder(tokenizer, network.eval().to("cuda" if cuda else "cpu"), settings)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EncoderError(f"encode.model {settings.model} cannot be loaded: {line}") from error


def _pooled(hidden_BLD: Tensor, mask_BL: Tensor, how: str) -> Tensor:
    if how == "cls":
        return hidden_BLD[:, 0]
    mask_BL1 = mask_BL[:, :, None].to(hidden_BLD.dtype)
    if how == "max":
        return hidden_BLD.masked_fill(mask_BL1 == 0, float("-inf")).amax(dim=1)
    return (hidden_BLD * mask_BL1).sum(dim=1) / mask_BL1.sum(dim=1).clamp(min=1.0)


def _folder(model: str) -> Path:
    if not model.startswith("package:"):
        return Path(model).expanduser()
    name = model.removeprefix("package:")
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise EncoderError(f"encode.model {model}: the package {name} cannot be imported; install landbridge[text]")
    return Path(next(iter(found.submodule_search_locations))) / "model"


def _content(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted({file for pattern in _WEIGHTS for file in folder.glob(pattern)}):
        digest.update(file.name.encode())
        with file.open("rb") as read:
            digest.update(hashlib.file_digest(read, "sha256").digest())
    return digest.hexdigest()


def _revision(settings: Encode, weights: str) -> str:
    chosen = settings.model_dump(mode="json", include=_SHAPING)
    return hashlib.sha256(json.dumps([weights, chosen], sort_keys=True).encode()).hexdigest()[:16]
