"""Contenders of a pointwise task with users and items: neighbours, factors, content, and their blend."""

from __future__ import annotations

from pydantic import Field

from landbridge.config.node import Node, Share


class Levels(Node):
    """Mean, items and users by alternating shrunk means."""

    shrink: float = Field(5.0, gt=0, description="Answers that a level is pulled to zero by.")
    rounds: int = Field(15, ge=1)


class Neighbours(Node):
    """Item-item neighbours of residuals."""

    keep: int = Field(400, ge=1, description="Neighbours kept of every item.")
    shrink: float = Field(20.0, ge=0, description="Users by which a similarity is shrunk.")
    damp: float = Field(3.0, gt=0, description="Added to the weights' sum in the mean over neighbours.")


class Companions(Node):
    """A linear item-item model (EASE) of who answered what at all."""

    regularization: float = Field(200.0, gt=0)
    min_answers: int = Field(5, ge=1, description="Items with fewer answers are left out of it.")
    max_items: int = Field(8000, ge=1, description="The most answered items alone; memory grows with its square.")


class Factors(Node):
    """Alternating least squares on residuals."""

    dim: int = Field(16, ge=1)
    penalty: float = Field(15.0, gt=0)
    rounds: int = Field(8, ge=1)


class Content(Node):
    """Items with tags alike; a tag ``group:word`` is compared within its group only."""

    keep: int = Field(400, ge=1)
    least: float = Field(0.3, ge=0, description="Cosines of TF-IDF vectors below it count as nothing.")
    power: float = Field(2.0, gt=0)
    damp: float = Field(1.0, gt=0)


class Text(Node):
    """Items whose texts mean about the same, by the vectors of the section `encode`."""

    neighbours: int = Field(50, ge=1, description="Items with the nearest texts that speak for an item.")
    power: float = Field(2.0, gt=0, description="Each counts by its cosine, if positive, to this power.")
    damp: float = Field(1.0, gt=0, description="Added to the weights' sum in the mean over neighbours.")


class SecondTrees(Node):
    """The blend's second level: trees (LightGBM) on the parts' features."""

    learning_rate: float = Field(0.05, gt=0)
    leaves: int = Field(31, ge=2)
    min_rows: int = Field(100, ge=1, description="Rows of a leaf, at least.")
    l2: float = Field(5.0, ge=0)
    features: Share = Field(0.6, description="Share of the features that a tree may look at.")
    rows: Share = Field(0.8, description="Share of the rows that a tree is fitted on.")
    iterations: int = Field(150, ge=1, description="Trees where no held-out rows say when to stop.")
    most_iterations: int = Field(1500, ge=1, description="Trees at most, where held-out rows say it.")
    patience: int = Field(40, ge=1, description="Trees without gain on held-out rows after which it stops.")


class Memory(Node):
    """Contenders that answer from the user's other answers: biases, neighbours, factors, content, and their blend."""

    folds: int = Field(5, ge=2, description="Folds of users: a row's features come from items' weights of the others.")
    levels: Levels = Levels()
    neighbours: Neighbours = Neighbours()
    companions: Companions = Companions()
    factors: Factors = Factors()
    content: Content = Content()
    text: Text | None = Field(
        None, description="Beside each blend there is a second one, blend_text, that reads texts; it needs `encode`."
    )
    trees: SecondTrees = SecondTrees()
    others: list[str] = Field(
        default_factory=list,
        description="Contenders of any other kind (a network) whose scores the blend reads as well, out of fold.",
    )
