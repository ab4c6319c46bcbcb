"""How a network reads the user's history: the same keys for the retriever, the rankers of lists and those of rows."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from landbridge.config.node import Node, Share

EncoderName = Literal["attention", "recurrent", "convolutional", "pooled"]


class Augment(Node):
    """How a view of a history is made, by one of the ways that are above zero (Xie et al. 2022, CL4SRec)."""

    crop: float = Field(0.0, ge=0, lt=1, description="Share of the events, at both ends, that are cut off.")
    mask: float = Field(0.0, ge=0, lt=1, description="Share of the events that are hidden.")
    reorder: Share = Field(0.0, description="Share of the events, one stretch, that exchange their places.")
    share: Share = Field(0.0, description="Share of the histories that the main loss reads as a view.")

    @property
    def any(self) -> bool:
        """Whether there is a way to make a view."""
        return max(self.crop, self.mask, self.reorder) > 0


class Reading(Node):
    """What reads a history, and the views by which it learns to."""

    encoder: EncoderName | None = Field(None, description="What reads all events of the history; none when left out.")
    layers: int = Field(1, ge=1, description="Of the encoder.")
    heads: int = Field(2, ge=1, description="Of the encoder, where it is attention.")
    augment: Augment = Augment()
    contrastive: float = Field(
        0.0, ge=0, description="Weight of the loss that tells two views of a history from those of others; 0: none."
    )

    @model_validator(mode="after")
    def _views(self) -> Self:
        used = self.contrastive > 0 or self.augment.share > 0
        if used and not self.augment.any:
            raise ValueError("contrastive and augment.share need views; set augment.crop, mask or reorder above 0")
        if self.augment.any and not used:
            raise ValueError("nothing reads the views of augment; set contrastive or augment.share above 0")
        return self


def check_heads(dim: int, heads: int) -> None:
    """Refuse a width that the heads of attention do not divide."""
    if dim % heads:
        raise ValueError(f"dim {dim} is not a multiple of heads {heads}")
