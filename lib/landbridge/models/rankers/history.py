"""The user's history in a ranker of rows, read by the encoders that the retriever has (`models/encoders`).

Every row has a history of its own, because none holds the row itself: H histories are the B rows.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.config.histories import Augment
from landbridge.models.encoder import HistoryEncoder, Table
from landbridge.models.histories import Histories, read_of
from landbridge.models.noise import Noise
from landbridge.models.rankers.layers import Drop
from landbridge.models.rankers.questions import Events, Questions
from landbridge.models.rankers.sizes import RankerSizes
from landbridge.models.views import some_viewed


class History(nn.Module):
    """What the user's events say together, and each among the others."""

    def __init__(self, sizes: RankerSizes) -> None:
        super().__init__()
        self.encoder = HistoryEncoder(sizes, sizes.recent)

    def forward(self, questions: Questions, item_table: Table, drop: Drop | None) -> tuple[Tensor, Tensor]:
        """Return user_BD, and event_BLD for the candidate to attend to."""
        histories = histories_of(questions)
        noise = None if drop is None else drop.noise(histories.keys())
        whole = histories.item_HL.shape[1]

        def padded(item_RLD: Tensor, some: Histories, dropped: Noise | None) -> tuple[Tensor, ...]:
            user_RD, event_RLD = self.encoder.read(item_RLD, some, dropped)
            return user_RD, F.pad(event_RLD, (0, 0, whole - event_RLD.shape[1], 0))

        user_BD, event_BLD = read_of(item_table, padded, histories, noise, self.training)
        return user_BD, event_BLD

    def encoded(self, histories: Histories, item_table: Table, noise: Noise | None) -> Tensor:
        """Return user_HD."""
        return torch.as_tensor(self.encoder(item_table(histories.item_HL), histories, noise))


def histories_of(questions: Questions) -> Histories:
    """Return the past of every row; the outcome is the finest there is, the graded answer before the label."""
    events = _events(questions)
    return Histories(
        events.item_BL,
        events.scenario_BL,
        (events.item_BL > 0).long(),
        events.outcome_BLO[..., -1],
        events.age_BL,
        torch.cat([events.taste_BT, questions.feature_BG], dim=1),
        questions.scenario_B,
    )


def some_questions_viewed(questions: Questions, augment: Augment, seed: int, epoch: int) -> Questions:
    """Return the questions, `augment.share` of them with a view of their past."""
    if augment.share == 0.0:
        return questions
    whole, events = histories_of(questions), _events(questions)
    # Sent through the views, the numbers of the places tell which event came to stand where; 0 is padding.
    place_L = torch.arange(1, whole.item_HL.shape[1] + 1, dtype=torch.float32)
    viewed = some_viewed(replace(whole, outcome_HL=place_L * whole.present), augment, seed, epoch)
    from_BL = viewed.outcome_HL.long()
    changed = {name: _taken(getattr(events, name), from_BL) for name in ("outcome_BLO", "pair_BLP")}
    seen = replace(events, item_BL=viewed.item_HL, scenario_BL=viewed.scenario_HL, age_BL=viewed.age_HL, **changed)
    return replace(questions, events=seen)


def _taken(value_BLW: Tensor, from_BL: Tensor) -> Tensor:
    at_BL1 = (from_BL - 1).clamp(min=0)[..., None]
    return value_BLW.gather(1, at_BL1.expand_as(value_BLW)) * (from_BL > 0)[..., None]


def _events(questions: Questions) -> Events:
    assert questions.events is not None, "a ranker with a history needs the events"
    return questions.events
