"""The configuration tree. Unknown keys are refused; every key's description is in the JSON schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from landbridge.config.associations import Associations, check_associations, check_reading, kinds_read
from landbridge.config.crossing import GRAPH, check_strategies
from landbridge.config.data import Data
from landbridge.config.groups import Groups, check_groups
from landbridge.config.modalities import Modality, check_modalities
from landbridge.config.newcomers import Newcomer, check_newcomers
from landbridge.config.node import Name, Node
from landbridge.config.place import Spark, Tracking, Train
from landbridge.config.pointwise import Pointwise
from landbridge.config.science import (
    Contenders,
    Evaluate,
    Features,
    Guard,
    Negatives,
    Ranker,
    Recommend,
    Retriever,
    Split,
    Transfer,
)
from landbridge.config.scores import Scores
from landbridge.config.storage import checked_options, checked_root
from landbridge.config.study import Study
from landbridge.config.text import Adaptor, Encode


class Config(Node):
    """The whole tree. The sections up to `seed` are the science; from `root` on it is the place."""

    name: Name
    data: Data
    features: Features = Features()
    split: Split = Split()
    pointwise: Pointwise | None = Field(None, description="There is no list to rank: every row is a question.")
    encode: Encode | None = Field(None, description="A text encoder gives every item a vector; left out, none has one.")
    modalities: dict[Name, Modality] = Field(
        default_factory=dict, description="Vectors of items that come from elsewhere: of images, of audio."
    )
    associations: Associations | None = Field(
        None, description="Which items are associated across scenarios, and how; left out, no table says it."
    )
    groups: Groups | None = Field(
        None, description="Groups of users by interest, and how they flow between scenarios; none when left out."
    )
    transfer: Transfer
    retriever: Retriever = Retriever()
    ranker: Ranker = Ranker()
    negatives: Negatives = Negatives()
    contenders: Contenders = Contenders()
    guard: Guard = Guard()
    evaluate: Evaluate = Evaluate()
    recommend: Recommend = Recommend()
    newcomers: dict[str, Newcomer] = Field(
        default_factory=dict,
        description="Scenarios by name that have no event yet; their lists come from their neighbours.",
    )
    scores: Scores = Scores()
    study: Study = Study()
    seed: int = 17
    days: int | None = Field(None, ge=1, description="Only this many days up to ds are loaded.")

    root: str = Field("var", description="Everything that runs produce: a local folder or s3a://bucket/prefix.")
    work: str | None = Field(
        None,
        description="Folder of models, reports, logs and caches that driver and trainers share; default: the root.",
    )
    storage: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="The object store: endpoint, region, and what else delta-rs knows; credentials come from the "
        "environment.",
    )
    spark: Spark = Spark()
    train: Train = Train()
    tracking: Tracking = Tracking()

    @field_validator("root")
    @classmethod
    def _is_a_place(cls, root: str) -> str:
        return checked_root(root)

    @field_validator("storage")
    @classmethod
    def _has_plain_names(cls, storage: dict[str, str]) -> dict[str, str]:
        return checked_options(storage)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.split.validation_days % self.guard.windows:
            raise ValueError(
                f"split.validation_days {self.split.validation_days} is not a multiple of "
                f"guard.windows {self.guard.windows}"
            )
        if self.contenders.text is not None and self.encode is None:
            raise ValueError("contenders.text compares encoded texts, so there must be a section encode: add it")
        if self.pointwise is not None and self.encode is not None and self.encode.users is not None:
            raise ValueError("encode.users reads what users had, which a pointwise task does not keep: leave it out")
        if self.pointwise is not None and self.encode is not None and self.encode.tune is not None:
            raise ValueError(
                "encode.tune learns from users' events, and so from answers by which a pointwise task is judged: "
                "leave it out"
            )
        if self.guard.k not in self.evaluate.k:
            raise ValueError(f"guard.k {self.guard.k} is not among evaluate.k {self.evaluate.k}")
        if self.recommend.pool < self.recommend.k:
            raise ValueError(f"recommend.pool {self.recommend.pool} is below recommend.k {self.recommend.k}")
        if self.work is None and not self.is_local:
            raise ValueError(
                f"root {self.root} is an object store, so work must name a folder that driver and trainers share"
            )
        if self.ranker.recent > self.features.history:
            raise ValueError(f"ranker.recent {self.ranker.recent} is above features.history {self.features.history}")
        return self

    @model_validator(mode="after")
    def _has_vectors(self) -> Self:
        if self.pointwise is not None and self.pointwise.contenders.memory.text and self.encode is None:
            raise ValueError(
                "pointwise.contenders.memory.text compares encoded texts, so there must be a section encode: add it"
            )
        read = {name: vectors.of for name, vectors in self._adaptors.items()}
        check_modalities(self.modalities, read, encodes=self.encode is not None)
        return self

    @model_validator(mode="after")
    def _has_histories(self) -> Self:
        networks = [] if self.pointwise is None else self.pointwise.contenders.networks
        longest = max((group.history for group in networks), default=0)
        # What is scored is the user himself: he is asked about once, and has no earlier answers.
        if longest and self.scores.subject.strip() == "user_id":
            raise ValueError(
                f"pointwise.contenders.networks reads a history of {longest} events, but here a row is a user "
                "(scores.subject is user_id), so that nobody has a past: leave history and encoder out, or name in "
                "scores.subject what is asked about a user more than once"
            )
        return self

    @model_validator(mode="after")
    def _associates(self) -> Self:
        check_associations(
            self.associations,
            self.contenders.associations,
            self.data.items,
            encodes=self.encode is not None,
            lists=self.pointwise is None,
        )
        check_groups(self.groups, lists=self.pointwise is None)
        check_reading(self.associations, self.ranker.associations, self.ranker.candidates)
        return self

    @model_validator(mode="after")
    def _crosses(self) -> Self:
        check_strategies(self.transfer.strategies, self.pointwise is not None, self.split.part is not None)
        return self

    @model_validator(mode="after")
    def _come(self) -> Self:
        check_newcomers(self.newcomers, lists=self.pointwise is None)
        return self

    @property
    def networks_read_vectors(self) -> bool:
        """Whether a network reads the items' vectors."""
        return bool(self._adaptors)

    @property
    def modalities_read(self) -> tuple[str, ...]:
        """The modalities whose vectors a network reads, each once."""
        return tuple(dict.fromkeys(name for vectors in self._adaptors.values() for name in vectors.of))

    @property
    def _adaptors(self) -> dict[str, Adaptor]:
        given = {"retriever": self.retriever.vectors, "ranker": self.ranker.vectors}
        return {name: vectors for name, vectors in given.items() if vectors is not None}

    @property
    def ranker_kinds(self) -> tuple[str, ...]:
        """The kinds of association that the ranker of lists reads."""
        return kinds_read(self.associations, self.ranker.associations)

    @property
    def networks_associate(self) -> bool:
        """Whether networks read associations, or take candidates from them."""
        return bool(self.ranker_kinds) or self.ranker.candidates is not None

    @property
    def networks_group(self) -> bool:
        """Whether networks read groups of users."""
        return self.groups is not None and GRAPH in self.transfer.strategies

    @property
    def folder(self) -> Path:
        """The folder of models, reports, logs and caches."""
        return Path(self.work or self.root)

    @property
    def tracking_uri(self) -> str:
        """The tracking server's address, with the root filled in."""
        return self.tracking.uri.replace("{root}", str(self.folder))

    @property
    def is_local(self) -> bool:
        """Whether the root is a local folder."""
        return "://" not in self.root
