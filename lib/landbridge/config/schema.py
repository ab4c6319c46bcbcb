"""Types of the configuration tree. Unknown keys are refused; every key's description is in the JSON schema for editors."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Sql = Annotated[str, Field(min_length=1, description="A Spark SQL expression.")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="A lower-case name.")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
ColumnType = Literal["string", "double", "long", "boolean", "date", "timestamp"]

REQUIRED_COLUMNS = {"ts": "timestamp", "user_id": "string", "item_id": "string", "scenario": "string",
                    "event_type": "string", "outcome": "double"}


class Node(BaseModel):
    """A node of the tree: frozen, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reader(Node):
    """Where the daily files are and how they look."""

    path: str = Field(description="Path or pattern of one day's files; {ds} is the date, as 2011-11-30.")
    format: Literal["csv", "json", "parquet"] = "csv"
    options: dict[str, str] = Field(default_factory=dict, description="Options of Spark's reader.")
    header: list[str] = Field(min_length=1, description="The columns of a file, in order.")
    first_day: dt.date = Field(description="The first day there is a file for.")
    closed: Sql | None = Field(None, description="An expression over ds that is true on days without a file.")

    @field_validator("path")
    @classmethod
    def _has_ds(cls, value: str) -> str:
        if "{ds}" not in value:
            raise ValueError("must contain {ds}, the place of the date")
        return value


class Pseudonyms(Node):
    """Raw columns that are replaced by a keyed hash before anything is written."""

    columns: list[str]
    key: str = Field(min_length=16, description="The key, from the environment: ${NAME}.", repr=False)


class DerivedColumn(Node):
    """A column of `events`: an expression over the file's columns, cast to a type. A value that does not cast breaks the rule unparsed:<column>."""

    type: ColumnType
    sql: Sql


class Fill(Node):
    """Replaces a missing value (null or, for text, empty)."""

    column: str
    constant: str | float | None = None
    median: bool = Field(False, description="The median of the same day's rows of the same `by`.")
    interpolate: bool = Field(False, description="Linear in time between the neighbours of the same day and the same `by`.")
    by: list[str] = Field(default_factory=lambda: ["item_id"])

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.constant is not None) + self.median + self.interpolate != 1:
            raise ValueError("needs exactly one of constant, median, interpolate")
        return self


class Clip(Node):
    """Pulls a value to bounds: declared ones, quantiles, or box-plot fences (quartiles plus or minus k interquartile ranges)."""

    column: str
    low: float | None = None
    high: float | None = None
    quantiles: tuple[Share, Share] | None = None
    fences: float | None = Field(None, gt=0)
    by: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        declared = self.low is not None or self.high is not None
        if declared + (self.quantiles is not None) + (self.fences is not None) != 1:
            raise ValueError("needs exactly one of low/high, quantiles, fences")
        return self


class Rule(Node):
    """A cleaning rule; it removes rows, fills missing values, or clips outliers."""

    name: Name
    remove: Sql | None = Field(None, description="Rows for which this is true go to quarantine.")
    fill: Fill | None = None
    clip: Clip | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.remove, self.fill, self.clip)) != 1:
            raise ValueError("needs exactly one of remove, fill, clip")
        return self


class Data(Node):
    """The logs and how they are cleaned."""

    reader: Reader
    time_zone: str = "UTC"
    columns: dict[Name, DerivedColumn]
    items: dict[Name, Sql] = Field(default_factory=dict)
    users: dict[Name, Sql] = Field(default_factory=dict)
    rules: list[Rule] = Field(default_factory=list)
    max_quarantined: Share = 0.9
    pseudonyms: Pseudonyms | None = None

    @model_validator(mode="after")
    def _columns(self) -> Self:
        for name, kind in REQUIRED_COLUMNS.items():
            if name not in self.columns:
                raise ValueError(f"columns.{name} is missing; the required columns are {', '.join(REQUIRED_COLUMNS)}")
            if self.columns[name].type != kind:
                raise ValueError(f"columns.{name}.type must be {kind}")
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names):
            raise ValueError("two rules have the same name")
        for rule in self.rules:
            changed = rule.fill or rule.clip
            if changed and changed.column not in self.columns:
                raise ValueError(f"rule {rule.name} changes {changed.column}, which is not among columns")
        return self

    @property
    def values(self) -> dict[str, DerivedColumn]:
        """The columns beyond the required ones."""
        return {name: column for name, column in self.columns.items() if name not in REQUIRED_COLUMNS}


class Running(Node):
    """An aggregate over the user's earlier events."""

    sum: Sql | None = None
    min: Sql | None = None
    max: Sql | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.sum, self.min, self.max)) != 1:
            raise ValueError("needs exactly one of sum, min, max")
        return self


class Features(Node):
    """What the models see of users and items."""

    history: int = Field(50, ge=1, le=1000)
    had: Sql = Field("outcome > 0", description="Over an event: after it the user has the item.")
    running: dict[Name, Running] = Field(default_factory=dict)
    user: dict[Name, Sql] = Field(default_factory=dict)
    item: dict[Name, Sql] = Field(default_factory=dict)
    item_windows: list[int] = Field(default_factory=lambda: [30])


class Split(Node):
    """Days at the end of what is known: first those for validation, then those for the test."""

    validation_days: int = Field(63, ge=1)
    test_days: int = Field(21, ge=1)


class Transfer(Node):
    """How the source's networks become a target's."""

    source: str
    strategy: Literal["fine_tune"] = "fine_tune"
    learning_rate: float = Field(0.0005, gt=0)
    epochs: int = Field(3, ge=1)
    split_above: int = Field(2_000_000, ge=1, description="Targets with more examples are split over the ranks; smaller ones are dealt out whole.")


class Network(Node):
    """What retriever and ranker share."""

    dim: int = Field(64, ge=4)
    dropout: float = Field(0.1, ge=0, lt=1)
    learning_rate: float = Field(0.001, gt=0)
    epochs: int = Field(4, ge=1)
    batch: int = Field(2048, ge=1, description="Examples a step, over all ranks.")


class Retriever(Network):
    """Two towers; the user tower reads the history."""

    layers: int = Field(1, ge=1)
    heads: int = Field(2, ge=1)
    negatives: int = Field(1024, ge=1, description="Sampled items a step, shared by its examples.")

    @model_validator(mode="after")
    def _heads(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class Ranker(Network):
    """One network for all scenarios, with the scenario as a feature."""

    hidden: list[int] = Field(default_factory=lambda: [128, 64])
    recent: int = Field(10, ge=1, description="Events of the short-term part.")
    negatives: int = Field(4, ge=1, description="Drawn per positive.")


class Negatives(Node):
    """The distribution of negatives over the scenario's catalogue: count ** power, mixed with a uniform share."""

    power: float = Field(0.75, ge=0)
    uniform: Share = 0.1


class Popularity(Node):
    """Counts of users, of all time and of the recent days."""

    recent_days: int = Field(30, ge=1)


class ItemItem(Node):
    """Cosine between items over users."""

    neighbours: int = Field(200, ge=1)
    across: float = Field(1.0, ge=0, description="Weight of the other scenarios' evidence.")


class Ease(Node):
    """Closed-form linear item-item weights (Steck 2019)."""

    regularization: float = Field(300.0, gt=0)
    across: float = Field(1.0, ge=0)
    max_items: int = Field(20_000, ge=1, description="Above this catalogue the contender is left out, and said so.")


class Contenders(Node):
    """The simple contenders that stand beside the networks."""

    popularity: Popularity = Popularity()
    item_item: ItemItem = ItemItem()
    ease: Ease = Ease()


class Guard(Node):
    """The rule of publishing."""

    windows: int = Field(3, ge=1)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    min_users: int = Field(100, ge=1)
    metric: Literal["ndcg", "recall", "hit_rate"] = "ndcg"
    k: int = Field(10, ge=1)


class Evaluate(Node):
    """How the contenders are judged."""

    k: list[int] = Field(default_factory=lambda: [10, 20], min_length=1)
    users: int = Field(20_000, ge=1, description="Users judged per scenario and window, chosen by hash.")
    resamples: int = Field(500, ge=50, description="Bootstrap resamples of users.")
    candidates: int = Field(100, ge=1, description="Drawn items per positive for AUC, GAUC and log loss.")


class Recommend(Node):
    """What is published every night."""

    k: int = Field(20, ge=1)
    pool: int = Field(200, ge=1)
    audience: Sql = "array_contains(scenarios, scenario)"
    catalogue: Sql = "events > 0"


class Spark(Node):
    """The Spark session; under spark-submit what it was submitted with wins."""

    master: str | None = None
    driver_memory: str = "2g"
    conf: dict[str, str] = Field(default_factory=dict)


class Train(Node):
    """How training processes are started."""

    launcher: Literal["process", "horovod", "spark"] = "horovod"
    processes: int = Field(1, ge=1)
    hosts: str | None = Field(None, description="For horovod: host:slots,...; this machine when left out.")
    start_seconds: int = Field(120, ge=1)
    stall_seconds: int = Field(600, ge=5, description="A rank that makes no step for so long is killed.")


class Tracking(Node):
    """The MLflow server."""

    uri: str = "sqlite:///{root}/mlflow.db"
    required: bool = Field(True, description="False: a night whose server is down ends without tracking and registry, and says so.")


class Config(Node):
    """The whole tree. The sections up to `seed` are the science; from `root` on it is the place."""

    name: Name
    data: Data
    features: Features = Features()
    split: Split = Split()
    transfer: Transfer
    retriever: Retriever = Retriever()
    ranker: Ranker = Ranker()
    negatives: Negatives = Negatives()
    contenders: Contenders = Contenders()
    guard: Guard = Guard()
    evaluate: Evaluate = Evaluate()
    recommend: Recommend = Recommend()
    seed: int = 17
    days: int | None = Field(None, ge=1, description="Only this many days up to ds are loaded.")

    root: str = Field("var", description="Everything that runs produce: a local folder or s3a://bucket/prefix.")
    work: str | None = Field(None, description="Folder of models, reports, logs and caches, seen by driver and trainers alike; the root unless that is an object store.")
    storage: dict[str, str] = Field(default_factory=dict, description="Options of the object store for delta-rs, from the environment.", repr=False)
    spark: Spark = Spark()
    train: Train = Train()
    tracking: Tracking = Tracking()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.split.validation_days % self.guard.windows:
            raise ValueError(f"split.validation_days {self.split.validation_days} is not a multiple of guard.windows {self.guard.windows}")
        if self.guard.k not in self.evaluate.k:
            raise ValueError(f"guard.k {self.guard.k} is not among evaluate.k {self.evaluate.k}")
        if self.recommend.pool < self.recommend.k:
            raise ValueError(f"recommend.pool {self.recommend.pool} is below recommend.k {self.recommend.k}")
        if self.work is None and not self.is_local:
            raise ValueError(f"root {self.root} is an object store, so work must name a folder that driver and trainers share")
        if self.ranker.recent > self.features.history:
            raise ValueError(f"ranker.recent {self.ranker.recent} is above features.history {self.features.history}")
        return self

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
        return re.match(r"^[a-z0-9]+://", self.root) is None
